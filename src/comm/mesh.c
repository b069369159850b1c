/* mesh.c - shares of heads, tokens, rows and cache segments. */
#include "comm/mesh.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROW_UNIT = 32 };

static ith_status parse_number(const char **at, int *out)
{
    char *end;
    if (!isdigit((unsigned char)**at))
        return ITH_E_ARGUMENT;
    long value = strtol(*at, &end, 10);
    if (value < 1 || value > 1 << 20)
        return ITH_E_ARGUMENT;
    *at = end;
    *out = (int)value;
    return ITH_OK;
}

static ith_status parse_spec(const char *spec, int *ulysses, int *context, ith_error *err)
{
    const char *at = spec;
    if (parse_number(&at, ulysses) == ITH_OK && (*at == 'x' || *at == 'X')) {
        at++;
        if (parse_number(&at, context) == ITH_OK && *at == '\0')
            return ITH_OK;
    }
    return ith_fail(err, ITH_E_ARGUMENT, "mesh '%s': expected UxR, two numbers, such as 4x1", spec);
}

static ith_status check_spec(const char *spec, int ranks, int ulysses, int context, int n_kv_heads,
                             ith_error *err)
{
    int u = (int)ith_gcd(ranks, n_kv_heads);
    if ((int64_t)ulysses * context != ranks)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "mesh '%s' is a mesh of %lld ranks, but %d run: %dx%d would work", spec,
                        (long long)ulysses * context, ranks, u, ranks / u);
    if (n_kv_heads % ulysses != 0)
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "mesh '%s' cannot share %d KV heads evenly among %d ranks: %dx%d would work", spec,
            n_kv_heads, ulysses, u, ranks / u);
    return ITH_OK;
}

ith_status ith_mesh_make(const char *spec, int ranks, int rank, int n_kv_heads, ith_mesh *mesh,
                         ith_error *err)
{
    if (ranks < 1 || rank < 0 || rank >= ranks || n_kv_heads < 1)
        return ith_fail(err, ITH_E_ARGUMENT, "no mesh for rank %d of %d ranks and %d KV heads",
                        rank, ranks, n_kv_heads);
    int ulysses = (int)ith_gcd(ranks, n_kv_heads), context = ranks / ulysses;
    if (spec) {
        ITH_TRY(parse_spec(spec, &ulysses, &context, err));
        ITH_TRY(check_spec(spec, ranks, ulysses, context, n_kv_heads, err));
    }
    *mesh = (ith_mesh){.ranks = ranks,
                       .rank = rank,
                       .ulysses = ulysses,
                       .context = context,
                       .u = rank % ulysses,
                       .c = rank / ulysses};
    *mesh = ith_mesh_for_heads(mesh, n_kv_heads);
    return ITH_OK;
}

ith_mesh ith_mesh_for_heads(const ith_mesh *mesh, int64_t n_kv_heads)
{
    ith_mesh out = *mesh;

    out.heads = (int)(n_kv_heads / mesh->ulysses);
    out.turn = mesh->context / (int)ith_gcd(mesh->context, out.heads);
    return out;
}

ith_range ith_mesh_kv_heads(const ith_mesh *mesh, int n_kv_heads, int u)
{
    return ith_split(n_kv_heads, 1, mesh->ulysses, u);
}

ith_range ith_mesh_own_heads(const ith_mesh *mesh, int64_t n_heads, int r)
{
    ith_range group =
        ith_split(n_heads, n_heads / mesh->ulysses, mesh->ulysses, ith_mesh_u(mesh, r));
    ith_range own = ith_split(ith_range_size(group), 1, mesh->context, ith_mesh_c(mesh, r));
    return (ith_range){group.begin + own.begin, group.begin + own.end};
}

ith_range ith_mesh_serving(const ith_mesh *mesh, int64_t n_groups, int64_t n_heads, int r)
{
    return ith_covering(ith_split(n_heads, 1, mesh->ranks, r), n_heads / n_groups);
}

void ith_mesh_weigh(ith_mesh *mesh, const int64_t *weights, int64_t *sums)
{
    sums[0] = 0;
    for (int r = 0; r < mesh->ranks; r++)
        sums[r + 1] = sums[r] + weights[r];
    mesh->sums = sums;
}

/* Rank r's share of [0, n), by its weight. */
static ith_range share_of(const ith_mesh *mesh, int64_t n, int64_t unit, int r)
{
    return mesh->sums == NULL ? ith_split(n, unit, mesh->ranks, r)
                              : ith_split_by(n, unit, mesh->sums, mesh->ranks, r);
}

ith_range ith_mesh_slots(const ith_mesh *mesh, int64_t n, int r)
{
    return share_of(mesh, n, 1, r);
}

int64_t ith_mesh_most_slots(const ith_mesh *mesh, int64_t n)
{
    int64_t most = 1, all = mesh->ranks;
    for (int r = 0; mesh->sums != NULL && r < mesh->ranks; r++) {
        int64_t weight = mesh->sums[r + 1] - mesh->sums[r];
        most = weight > most ? weight : most;
        all = mesh->sums[mesh->ranks];
    }
    return (n * most + all - 1) / all;
}

ith_range ith_mesh_attended(const ith_mesh *mesh, int64_t n, int c)
{
    return (ith_range){ith_mesh_slots(mesh, n, ith_mesh_rank(mesh, 0, c)).begin,
                       ith_mesh_slots(mesh, n, ith_mesh_rank(mesh, mesh->ulysses - 1, c)).end};
}

/* Tokens are dealt from both ends: deal i, which goes to the holder of slot i, is the next token
 * from the end if i is even, from the beginning if it is odd. Each context index then holds its
 * tokens in ascending order, the early ones first. */
typedef struct hand {
    ith_range slots, early, late;
} hand;

static hand hand_of(const ith_mesh *mesh, int64_t n, int64_t dealt)
{
    int r = mesh->sums == NULL ? ith_split_holder(n, 1, mesh->ranks, dealt)
                               : ith_split_by_holder(n, 1, mesh->sums, mesh->ranks, dealt);
    ith_range p = ith_mesh_attended(mesh, n, ith_mesh_c(mesh, r));
    return (hand){p, {p.begin / 2, p.end / 2}, {n - (p.end + 1) / 2, n - (p.begin + 1) / 2}};
}

ith_range ith_mesh_tokens(const ith_mesh *mesh, int64_t n, ith_range slots)
{
    if (mesh->context == 1)
        return slots;
    hand h = hand_of(mesh, n, slots.begin);
    int64_t nth = slots.begin - h.slots.begin, late = nth - ith_range_size(h.early),
            most = ith_range_size(slots);
    ith_range all = late < 0 ? (ith_range){h.early.begin + nth, h.early.end}
                             : (ith_range){h.late.begin + late, h.late.end};
    return (ith_range){all.begin, ith_range_size(all) < most ? all.end : all.begin + most};
}

int64_t ith_mesh_slot(const ith_mesh *mesh, int64_t n, int64_t token)
{
    if (mesh->context == 1)
        return token;
    int64_t before = token, after = n - 1 - token;
    if (before < n / 2) {
        hand h = hand_of(mesh, n, 2 * before + 1);
        return h.slots.begin + token - h.early.begin;
    }
    hand h = hand_of(mesh, n, 2 * after);
    return h.slots.begin + ith_range_size(h.early) + token - h.late.begin;
}

ith_range ith_mesh_rows(const ith_mesh *mesh, int64_t n_rows, int r)
{
    return share_of(mesh, n_rows, ROW_UNIT, r);
}
