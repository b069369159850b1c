/* heads.c - from projections to attention's operands: norm, RoPE and quantization of every head, its record on the way to
 * the rank that owns the head, its place in the cache. */
#include "model/blocking.h"
#include "model/pass.h"
#include "simd/half.h"

#include <string.h>

/* A projected head of my token t: `head` counts from the first one projected. */
static float *head_of(float *buffer, int64_t ld, ith_range rows, int64_t t, int64_t head, int64_t d)
{
    return buffer + t * ld + rows.begin % ITH_TILE_ROWS + head * d;
}

static void rotate(const ith_pass *p, const float *norm, int64_t t, float *x)
{
    const ith_hparams *hp = &p->model->hp;
    if (norm != NULL)
        p->model->kernels->rmsnorm(hp->head_dim, x, norm, (float)hp->rms_eps, x);
    p->model->kernels->rope((int)hp->head_dim, x, p->ws->cos + t * (hp->head_dim / 2),
                            p->ws->sin + t * (hp->head_dim / 2));
}

/* ---- Records and pieces ---- */

static void put_floats(ith_kv_layout layout, int64_t d, const float *x, uint8_t *out)
{
    if (layout == ITH_KVL_F32) {
        memcpy(out, x, (size_t)d * sizeof *x);
        return;
    }
    for (int64_t c = 0; c < d; c++) {
        uint16_t h = ith_f32_to_bf16(x[c]);
        memcpy(out + 2 * c, &h, 2);
    }
}

static ith_range rows_of_heads(ith_range heads, int64_t d)
{
    return (ith_range){heads.begin * d, heads.end * d};
}

/* Query head `head` of my token t, into its group's record. */
static void make_query(ith_pass *p, int layer, const ith_heads_part *part, int64_t head, int64_t t)
{
    const ith_kernels *kernels = p->model->kernels;
    int64_t d = p->model->hp.head_dim, in_group = ith_range_size(p->heads) * p->group,
            slot = head % in_group - part->heads.begin * p->group;
    ith_range mine = p->way->q_heads(p);
    float *q = head_of(p->ws->q, p->ws->ld_q, rows_of_heads(mine, d), t, head - mine.begin, d);
    uint8_t *record = p->way->record_at(p, part, t, (int)(head / in_group)), *at = record + slot * part->record.stride;

    rotate(p, p->model->layers[layer].q_norm, t, q);
    if (ith_kv_get_layout(p->kv) == ITH_KVL_Q8) {
        float scale = kernels->quantize_head((int)d, q, NULL, (int8_t *)at) * p->q_factor;
        memcpy(record + part->record.scales + slot * (int64_t)sizeof scale, &scale, sizeof scale);
    } else {
        kernels->scale(d, q, p->q_factor);
        memcpy(at, q, (size_t)d * sizeof *q);
    }
}

/* KV head `head` of my token t. */
static void make_piece(ith_pass *p, int layer, int64_t head, int64_t t, uint8_t *piece)
{
    const ith_kernels *kernels = p->model->kernels;
    ith_kv_layout layout = ith_kv_get_layout(p->kv);
    int64_t d = p->model->hp.head_dim;
    ith_range mine = p->way->kv_heads(p), rows = rows_of_heads(mine, d);
    float *k = head_of(p->ws->k, p->ws->ld_kv, rows, t, head - mine.begin, d),
          *v = head_of(p->ws->v, p->ws->ld_kv, rows, t, head - mine.begin, d);
    const float *bias =
        p->model->key_bias == NULL ? NULL : p->model->key_bias + (layer * p->model->hp.n_kv_heads + head) * d;

    rotate(p, p->model->layers[layer].k_norm, t, k);
    if (layout == ITH_KVL_Q8) {
        uint16_t scales[2] = {kernels->quantize_head_bf16((int)d, k, bias, (int8_t *)piece),
                              kernels->quantize_head_bf16((int)d, v, NULL, (int8_t *)piece + p->piece.value)};
        memcpy(piece + p->piece.scales, scales, sizeof scales);
    } else {
        put_floats(layout, d, k, piece);
        put_floats(layout, d, v, piece + p->piece.value);
    }
}

static void show_keys(ith_pass *p, int layer, ith_member *me)
{
    int64_t d = p->model->hp.head_dim;
    ith_range kv = p->way->kv_heads(p);
    ith_seen seen = {.tokens = ith_range_size(p->mine),
                     .cols = ith_range_size(kv) * d,
                     .x = head_of(p->ws->k, p->ws->ld_kv, (ith_range){kv.begin * d, kv.end * d}, 0, 0, d),
                     .ld = p->ws->ld_kv};
    p->probe->see(p->probe->user, ITH_PROBE_KEYS, layer, &seen, me);
}

/* ---- Cache ---- */

/* `head` counts from the group's first. */
static void put_in_cache(const ith_pass *p, int layer, int64_t head, int64_t t, const uint8_t *piece)
{
    int64_t pos = p->pos + t;
    const uint8_t *value = piece + p->piece.value;
    uint16_t scales[2];

    if (ith_kv_get_layout(p->kv) != ITH_KVL_Q8) {
        ith_kv_put_float(p->kv, layer, (int)head, pos, piece, value);
        return;
    }
    memcpy(scales, piece + p->piece.scales, sizeof scales);
    p->model->kernels->kv_put_q8(ith_kv_block(p->kv, layer, (int)head, pos), (int)p->model->hp.head_dim,
                                 (int)(pos % ITH_KV_BLOCK), (const int8_t *)piece, (const int8_t *)value, scales[0],
                                 scales[1]);
}

/* A part's heads times the cache's blocks that the pass touches: a block of 64 tokens belongs to one thread. */
typedef struct cache_units {
    int64_t first_block, n_blocks, n;
} cache_units;

static cache_units units_of(const ith_pass *p, const ith_heads_part *part)
{
    int64_t first = p->pos / ITH_KV_BLOCK, n = (p->pos + p->n - 1) / ITH_KV_BLOCK - first + 1;
    return (cache_units){first, n, n * ith_range_size(part->heads)};
}

/* The pass's tokens in unit i. */
static ith_range unit_tokens(const ith_pass *p, cache_units u, int64_t i)
{
    int64_t begin = (u.first_block + i % u.n_blocks) * ITH_KV_BLOCK - p->pos, end = begin + ITH_KV_BLOCK;
    return (ith_range){begin < 0 ? 0 : begin, end < p->n ? end : p->n};
}

/* A lot of the pass's units of work. */
static ith_lot open_units(const ith_pass *p, ith_member *me)
{
    bool help = ith_help_with(p->n);
    return ith_lot_open(me, help ? ITH_PIECES : 1, help);
}

static void make_unit_and_append(ith_pass *p, int layer, const ith_heads_part *part, cache_units all, int64_t i,
                                 uint8_t *piece)
{
    int64_t head = i / all.n_blocks, kv_head = p->heads.begin + head;
    ith_range tokens = unit_tokens(p, all, i);

    for (int64_t t = tokens.begin; t < tokens.end; t++) {
        for (int64_t g = 0; g < p->group; g++)
            make_query(p, layer, part, kv_head * p->group + g, t);
        make_piece(p, layer, kv_head, t, piece);
        put_in_cache(p, layer, head, t, piece);
    }
}

/* All tokens and all of the group's heads are made here: each piece goes to the cache at once. */
static void make_and_append(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    cache_units all = units_of(p, part);
    ith_lot lot = open_units(p, me);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_part(me, &lot, all.n, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            make_unit_and_append(p, layer, part, all, i, (uint8_t *)p->ws->scratch[me->tid]);
    }
}

/* Head `at` of those of a run of the part, query heads before KV heads. */
static void make_head(ith_pass *p, int layer, const ith_heads_part *part, int run, int64_t at, int64_t n_q, int64_t t)
{
    if (at < n_q) {
        make_query(p, layer, part, ith_heads_run(p, part, p->way->q_heads(p), p->group, run).begin + at, t);
    } else {
        int64_t head = ith_heads_run(p, part, p->way->kv_heads(p), 1, run).begin + at - n_q;
        make_piece(p, layer, head, t, p->way->piece_at(p, part, t, head));
    }
}

/* Unit i: head i % n of token i / n, run by run. */
static void make(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    int64_t n_q = ith_range_size(ith_heads_run(p, part, p->way->q_heads(p), p->group, 0)),
            n_run = n_q + ith_range_size(ith_heads_run(p, part, p->way->kv_heads(p), 1, 0)),
            n = n_run * ith_heads_runs(p);
    ith_lot lot = open_units(p, me);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_part(me, &lot, ith_range_size(p->mine) * n, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            make_head(p, layer, part, (int)(i % n / n_run), i % n_run, n_q, i / n);
    }
}

static void append_unit(ith_pass *p, int layer, const ith_heads_part *part, cache_units all, int64_t i)
{
    int64_t head = part->heads.begin + i / all.n_blocks,
            segment = (all.first_block + i % all.n_blocks) * ITH_KV_BLOCK / ITH_KV_SEGMENT;
    ith_range tokens = unit_tokens(p, all, i);

    if (ith_kv_holds(p->kv, (int)head, segment))
        for (int64_t t = tokens.begin; t < tokens.end; t++)
            put_in_cache(p, layer, head, t, p->way->arrived(p, part, t, head));
}

static void append(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    cache_units all = units_of(p, part);
    ith_lot lot = open_units(p, me);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_part(me, &lot, all.n, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            append_unit(p, layer, part, all, i);
    }
}

/* Does this rank make all that it needs? */
static bool makes_all(const ith_pass *p)
{
    return p->comm->size == 1 || (p->way->all_tokens && p->mesh.context == 1);
}

void ith_heads_make(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    if (makes_all(p))
        return;
    make(p, layer, part, me);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_REST);
    if (me->tid == 0)
        p->way->send_heads(p, part);
    ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
}

void ith_heads_take(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    if (me->tid == 0)
        ith_counter_reset(me); /* attention's; nobody counts until the barrier below */
    if (makes_all(p)) {
        make_and_append(p, layer, part, me);
    } else {
        if (me->tid == 0)
            p->way->receive_heads(p, part);
        ith_barrier(me);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
        append(p, layer, part, me);
    }
    ith_barrier(me);
    if (p->probe != NULL && part->number == p->n_parts - 1)
        show_keys(p, layer, me);
}
