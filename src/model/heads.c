/* heads.c - from projections to attention's operands: norm, RoPE and quantization of every head, its record on the way to
 * the rank that owns the head, its place in the cache. */
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

/* ---- Records ---- */

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

static void record_query(const ith_pass *p, uint8_t *record, int64_t head, float *q)
{
    const ith_kernels *kernels = p->model->kernels;
    int64_t d = p->model->hp.head_dim;
    uint8_t *at = record + p->record.q + head * p->record.q_stride;

    if (ith_kv_get_layout(p->kv) == ITH_KVL_Q8) {
        float scale = kernels->quantize_head((int)d, q, NULL, (int8_t *)at) * p->q_factor;
        memcpy(record + p->record.q_scale + head * (int64_t)sizeof scale, &scale, sizeof scale);
    } else {
        kernels->scale(d, q, p->q_factor);
        memcpy(at, q, (size_t)d * sizeof *q);
    }
}

static void record_key_value(const ith_pass *p, uint8_t *record, int64_t head, const float *bias, const float *k,
                             const float *v)
{
    const ith_kernels *kernels = p->model->kernels;
    ith_kv_layout layout = ith_kv_get_layout(p->kv);
    int64_t d = p->model->hp.head_dim;
    uint8_t *k_at = record + p->record.k + head * p->record.kv_stride,
            *v_at = record + p->record.v + head * p->record.kv_stride;

    if (layout == ITH_KVL_Q8) {
        uint16_t ks = kernels->quantize_head_bf16((int)d, k, bias, (int8_t *)k_at);
        uint16_t vs = kernels->quantize_head_bf16((int)d, v, NULL, (int8_t *)v_at);
        memcpy(record + p->record.k_scale + 2 * head, &ks, 2);
        memcpy(record + p->record.v_scale + 2 * head, &vs, 2);
    } else {
        put_floats(layout, d, k, k_at);
        put_floats(layout, d, v, v_at);
    }
}

/* KV head `head` of those projected here and its query heads, of my token t. */
static void make_record(ith_pass *p, int layer, int64_t head, int64_t t)
{
    const ith_layer *w = &p->model->layers[layer];
    int64_t d = p->model->hp.head_dim, per_rank = ith_range_size(p->heads);
    ith_range kv = p->way->kv_heads(p), kv_rows = {kv.begin * d, kv.end * d};
    ith_range q_rows = {kv_rows.begin * p->group, kv_rows.end * p->group};
    int64_t all = kv.begin + head, slot = all % per_rank;
    uint8_t *record = p->way->record_at(p, t, (int)(all / per_rank));
    const float *bias =
        p->model->key_bias == NULL ? NULL : p->model->key_bias + (layer * p->model->hp.n_kv_heads + all) * d;
    float *k = head_of(p->ws->k, p->ws->ld_kv, kv_rows, t, head, d);

    for (int64_t g = 0; g < p->group; g++) {
        float *q = head_of(p->ws->q, p->ws->ld_q, q_rows, t, head * p->group + g, d);
        rotate(p, w->q_norm, t, q);
        record_query(p, record, slot * p->group + g, q);
    }
    rotate(p, w->k_norm, t, k);
    record_key_value(p, record, slot, bias, k, head_of(p->ws->v, p->ws->ld_kv, kv_rows, t, head, d));
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

static void put_in_cache(const ith_pass *p, int layer, int64_t head, int64_t t)
{
    const uint8_t *record = p->ws->records + t * p->record.bytes;
    const uint8_t *k = record + p->record.k + head * p->record.kv_stride,
                  *v = record + p->record.v + head * p->record.kv_stride;
    int64_t pos = p->pos + t;
    uint16_t ks, vs;

    if (ith_kv_get_layout(p->kv) != ITH_KVL_Q8) {
        ith_kv_put_float(p->kv, layer, (int)head, pos, k, v);
        return;
    }
    memcpy(&ks, record + p->record.k_scale + 2 * head, 2);
    memcpy(&vs, record + p->record.v_scale + 2 * head, 2);
    p->model->kernels->kv_put_q8(ith_kv_block(p->kv, layer, (int)head, pos), (int)p->model->hp.head_dim,
                                 (int)(pos % ITH_KV_BLOCK), (const int8_t *)k, (const int8_t *)v, ks, vs);
}

/* Heads times the cache's blocks that the pass touches: a block of 64 tokens belongs to one thread. */
typedef struct cache_units {
    int64_t first_block, n_blocks, n;
} cache_units;

static cache_units units_of(const ith_pass *p)
{
    int64_t first = p->pos / ITH_KV_BLOCK, n = (p->pos + p->n - 1) / ITH_KV_BLOCK - first + 1;
    return (cache_units){first, n, n * ith_range_size(p->heads)};
}

/* The pass's tokens in unit i. */
static ith_range unit_tokens(const ith_pass *p, cache_units u, int64_t i)
{
    int64_t begin = (u.first_block + i % u.n_blocks) * ITH_KV_BLOCK - p->pos, end = begin + ITH_KV_BLOCK;
    return (ith_range){begin < 0 ? 0 : begin, end < p->n ? end : p->n};
}

/* Records of all tokens and my heads are made here: each goes to the cache at once. */
static void make_and_append(ith_pass *p, int layer, ith_member *me)
{
    cache_units all = units_of(p);
    ith_range units = ith_my_share(me, all.n, 1);

    for (int64_t i = units.begin; i < units.end; i++) {
        ith_range tokens = unit_tokens(p, all, i);
        for (int64_t t = tokens.begin; t < tokens.end; t++) {
            make_record(p, layer, i / all.n_blocks, t);
            put_in_cache(p, layer, i / all.n_blocks, t);
        }
    }
}

static void append(ith_pass *p, int layer, ith_member *me)
{
    cache_units all = units_of(p);
    ith_range units = ith_my_share(me, all.n, 1);

    for (int64_t i = units.begin; i < units.end; i++) {
        ith_range tokens = unit_tokens(p, all, i);
        for (int64_t t = tokens.begin; t < tokens.end; t++)
            put_in_cache(p, layer, i / all.n_blocks, t);
    }
}

static void make_records(ith_pass *p, int layer, ith_member *me)
{
    int64_t n_kv = ith_range_size(p->way->kv_heads(p));
    ith_range units = ith_my_share(me, ith_range_size(p->mine) * n_kv, 1);

    for (int64_t i = units.begin; i < units.end; i++)
        make_record(p, layer, i % n_kv, i / n_kv);
}

void ith_heads_to_cache(ith_pass *p, int layer, ith_member *me)
{
    if (me->tid == 0)
        ith_counter_reset(me); /* attention's; nobody counts until the barrier below */
    if (p->comm->size == 1 || p->way->to_heads == NULL) {
        make_and_append(p, layer, me);
    } else {
        make_records(p, layer, me);
        ith_barrier(me);
        if (me->tid == 0)
            p->way->to_heads(p);
        ith_barrier(me);
        append(p, layer, me);
    }
    ith_barrier(me);
    if (p->probe != NULL)
        show_keys(p, layer, me);
}
