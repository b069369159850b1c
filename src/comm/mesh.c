/* mesh.c - see mesh.h. Until R > 1 runs, works() is the one place that says so. */
#include "comm/mesh.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_UNIT = 32 };

static int gcd(int a, int b)
{
    while (b != 0) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool works(int ulysses, int context, int n_kv_heads)
{
    return n_kv_heads % ulysses == 0 && context == 1;
}

/* Rank counts that work: "1, 2, 4 or 8". `text` is cut short where it is full. */
static void list_rank_counts(int n_kv_heads, char *text, size_t size)
{
    size_t used = 0;
    int last = n_kv_heads;
    text[0] = '\0';
    for (int u = 1; u <= last && used < size; u++) {
        if (!works(u, 1, n_kv_heads))
            continue;
        const char *before = used == 0 ? "" : u == last ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%d", before, u);
    }
}

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

static ith_status refuse_spec(const char *spec, int ranks, int n_kv_heads, const char *why, ith_error *err)
{
    char counts[200];
    if (works(ranks, 1, n_kv_heads))
        return ith_fail(err, ITH_E_ARGUMENT, "mesh '%s' %s: %dx1 would work", spec, why, ranks);
    list_rank_counts(n_kv_heads, counts, sizeof counts);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "mesh '%s' %s: no mesh of %d ranks works for this model; rank counts that do: %s", spec, why, ranks,
                    counts);
}

static ith_status check_spec(const char *spec, int ranks, int ulysses, int context, int n_kv_heads, ith_error *err)
{
    char why[100];
    if ((int64_t)ulysses * context != ranks) {
        snprintf(why, sizeof why, "is a mesh of %lld ranks, but %d run", (long long)ulysses * context, ranks);
        return refuse_spec(spec, ranks, n_kv_heads, why, err);
    }
    if (n_kv_heads % ulysses != 0) {
        snprintf(why, sizeof why, "cannot share %d KV heads evenly among %d ranks", n_kv_heads, ulysses);
        return refuse_spec(spec, ranks, n_kv_heads, why, err);
    }
    return ITH_OK;
}

static ith_status refuse_context(int ranks, int ulysses, int context, int n_kv_heads, ith_error *err)
{
    char counts[200];
    list_rank_counts(n_kv_heads, counts, sizeof counts);
    return ith_fail(
        err, ITH_E_UNSUPPORTED,
        "%d ranks with %d KV heads make a mesh of %dx%d, and context parallelism (%d > 1) is not supported; "
        "rank counts that work: %s",
        ranks, n_kv_heads, ulysses, context, context, counts);
}

ith_status ith_mesh_make(const char *spec, int ranks, int rank, int n_kv_heads, ith_mesh *mesh, ith_error *err)
{
    if (ranks < 1 || rank < 0 || rank >= ranks || n_kv_heads < 1)
        return ith_fail(err, ITH_E_ARGUMENT, "no mesh for rank %d of %d ranks and %d KV heads", rank, ranks,
                        n_kv_heads);
    int ulysses = gcd(ranks, n_kv_heads), context = ranks / ulysses;
    if (spec) {
        ITH_TRY(parse_spec(spec, &ulysses, &context, err));
        ITH_TRY(check_spec(spec, ranks, ulysses, context, n_kv_heads, err));
    }
    if (!works(ulysses, context, n_kv_heads))
        return refuse_context(ranks, ulysses, context, n_kv_heads, err);
    *mesh = (ith_mesh){
        .ranks = ranks, .rank = rank, .ulysses = ulysses, .context = context, .u = rank % ulysses, .c = rank / ulysses};
    return ITH_OK;
}

ith_range ith_mesh_kv_heads(const ith_mesh *mesh, int n_kv_heads, int u)
{
    return ith_split(n_kv_heads, 1, mesh->ulysses, u);
}

ith_range ith_mesh_tokens(const ith_mesh *mesh, int64_t n, int r)
{
    return ith_split(n, 1, mesh->ranks, r);
}

ith_range ith_mesh_rows(const ith_mesh *mesh, int64_t n_rows, int r)
{
    return ith_split(n_rows, ROW_UNIT, mesh->ranks, r);
}
