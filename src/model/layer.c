/* layer.c - one decoder layer, top to bottom. */
#include "model/pass.h"
#include "simd/half.h"

#include <string.h>

static int64_t n_mine(const ith_pass *p)
{
    return ith_range_size(p->mine);
}

ith_input ith_pass_input(const ith_pass *pass, int64_t cols)
{
    ith_input in = {.x = pass->ws->h, .ld = pass->ws->ld, .acts = pass->ws->acts};
    in.acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    return in;
}

void ith_quantize_h(ith_pass *p, ith_member *me, int64_t cols)
{
    ith_range mine = ith_my_share(me, n_mine(p), 1);
    ith_input in = ith_pass_input(p, cols);

    if (p->model->quantized)
        for (int64_t t = mine.begin; t < mine.end; t++)
            p->model->kernels->quantize(cols, p->ws->h + t * p->ws->ld, &in.acts, t, 0);
    ith_barrier(me);
}

void ith_normalize(ith_pass *p, ith_member *me, const float *weight)
{
    const ith_hparams *hp = &p->model->hp;
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        p->model->kernels->rmsnorm(hp->hidden, p->ws->x + t * hp->hidden, weight, (float)hp->rms_eps,
                                   p->ws->h + t * p->ws->ld);
    /* The same thread quantizes the same tokens: no barrier between. */
    ith_quantize_h(p, me, hp->hidden);
}

static void linear(ith_pass *p, ith_member *me, const ith_matrix *w, ith_range rows, float *out, int64_t ld)
{
    ith_input in = ith_pass_input(p, w->cols);
    ith_linear(me, p->model->kernels, w, rows, &in, n_mine(p), out, ld);
}

/* ---- Queries, keys, values ---- */

static void project_qkv(ith_pass *p, const ith_layer *w, ith_member *me)
{
    int64_t d = p->model->hp.head_dim;
    ith_range kv = p->way->kv_heads(p), kv_rows = {kv.begin * d, kv.end * d};
    ith_range q_rows = {kv_rows.begin * p->group, kv_rows.end * p->group};

    linear(p, me, w->q, q_rows, p->ws->q, p->ws->ld_q);
    linear(p, me, w->k, kv_rows, p->ws->k, p->ws->ld_kv);
    linear(p, me, w->v, kv_rows, p->ws->v, p->ws->ld_kv);
    ith_barrier(me);
}

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

/* Norm, RoPE and quantization of every head of my tokens, each written to the record of the rank that owns the head. */
static void make_records(ith_pass *p, int layer, ith_member *me)
{
    const ith_layer *w = &p->model->layers[layer];
    int64_t d = p->model->hp.head_dim, per_rank = ith_range_size(p->heads);
    ith_range kv = p->way->kv_heads(p), kv_rows = {kv.begin * d, kv.end * d};
    ith_range q_rows = {kv_rows.begin * p->group, kv_rows.end * p->group};
    int64_t n_kv = ith_range_size(kv);
    ith_range units = ith_my_share(me, n_mine(p) * n_kv, 1);

    for (int64_t i = units.begin; i < units.end; i++) {
        int64_t t = i / n_kv, head = i % n_kv, all = kv.begin + head, slot = all % per_rank;
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
    ith_barrier(me);
}

/* Measuring the keys' mean: sums over the pass's tokens in ascending order; the pass runs by rows, so all are here. */
static void add_key_sums(ith_pass *p, int layer, ith_member *me)
{
    int64_t d = p->model->hp.head_dim, n_heads = ith_range_size(p->heads);
    ith_range heads = ith_my_share(me, n_heads, 1), rows = {p->heads.begin * d, p->heads.end * d};

    for (int64_t head = heads.begin; head < heads.end; head++)
        for (int64_t t = 0; t < n_mine(p); t++)
            p->model->kernels->add(d, p->key_sums + (layer * n_heads + head) * d,
                                   head_of(p->ws->k, p->ws->ld_kv, rows, t, head, d));
}

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

/* Keys and values of all the pass's tokens, for my heads; a block of 64 tokens belongs to one thread. */
static void append_to_cache(ith_pass *p, int layer, ith_member *me)
{
    int64_t first = p->pos / ITH_KV_BLOCK, n_blocks = (p->pos + p->n - 1) / ITH_KV_BLOCK - first + 1;
    ith_range units = ith_my_share(me, ith_range_size(p->heads) * n_blocks, 1);

    for (int64_t i = units.begin; i < units.end; i++) {
        int64_t head = i / n_blocks, begin = (first + i % n_blocks) * ITH_KV_BLOCK - p->pos, end = begin + ITH_KV_BLOCK;
        for (int64_t t = begin < 0 ? 0 : begin; t < end && t < p->n; t++)
            put_in_cache(p, layer, head, t);
    }
    ith_barrier(me);
}

/* ---- Matrices back into the residual stream ---- */

static void add_residual(ith_pass *p, ith_member *me, const float *y)
{
    int64_t hidden = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        p->model->kernels->add(hidden, p->ws->x + t * hidden, y + t * p->ws->ld);
    /* The thread that added to a token normalizes it next: no barrier. */
}

/* x += W h */
static void linear_add(ith_pass *p, ith_member *me, const ith_matrix *w)
{
    linear(p, me, w, p->way->rows(p, w->rows), p->ws->y, p->ws->ld);
    ith_barrier(me);
    p->way->gather(p, me, p->ws->y, w->rows);
    add_residual(p, me, p->ws->y);
}

static void feed_forward(ith_pass *p, const ith_layer *w, ith_member *me)
{
    ith_range rows = p->way->rows(p, w->gate->rows), mine = ith_my_share(me, n_mine(p), 1);
    ith_workspace *ws = p->ws;

    ith_normalize(p, me, w->ffn_norm);
    linear(p, me, w->gate, rows, ws->y, ws->ld);
    linear(p, me, w->up, rows, ws->up, ws->ld);
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        p->model->kernels->silu_mul(ith_range_size(rows), ws->y + t * ws->ld, ws->up + t * ws->ld, ws->h + t * ws->ld);
    p->way->gather(p, me, ws->h, w->gate->rows);
    ith_quantize_h(p, me, w->down->cols);
    linear_add(p, me, w->down);
}

void ith_layer_forward(ith_pass *p, int layer, ith_member *me)
{
    const ith_layer *w = &p->model->layers[layer];

    ith_normalize(p, me, w->attn_norm);
    project_qkv(p, w, me);
    make_records(p, layer, me);
    if (p->key_sums != NULL)
        add_key_sums(p, layer, me);
    if (me->tid == 0)
        p->way->to_heads(p);
    ith_barrier(me);
    append_to_cache(p, layer, me);
    ith_attention(p, layer, me);
    p->way->to_tokens(p, w->o, me);
    linear_add(p, me, w->o);
    feed_forward(p, w, me);
}
