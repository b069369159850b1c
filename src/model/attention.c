/* attention.c - softmax(q k^T / sqrt(d)) v of the pass's tokens over the cache, for this rank's heads.
 *
 * The unit of arithmetic is one segment of 1,024 keys (simd/kernels.h); a row's segments are folded in ascending order, whoever
 * computed them, so the two ways below give the same bits:
 *   tiles     prefill: a member takes a tile of tokens of one KV head through all segments.
 *   segments  decode: members take (head, segment) pairs; the partials are folded afterwards (flash-decoding). All query
 *             heads of a KV head share the pass over its keys and values.
 */
#include "model/pass.h"

#include <math.h>
#include <string.h>

enum { TILE_ROWS = 64, DECODE_TOKENS = 4 };

static int64_t head_dim(const ith_model *m)
{
    return m->hp.head_dim;
}
static int64_t group_of(const ith_model *m)
{
    return m->hp.n_heads / m->hp.n_kv_heads;
}

static int64_t tile_tokens(const ith_model *m)
{
    int64_t n = TILE_ROWS / group_of(m);
    return n < 1 ? 1 : n;
}

/* m, l, o of `rows` rows, one after another in memory. */
typedef struct state {
    float *m, *l, *o;
} state;

static int64_t state_floats(const ith_model *model, int64_t rows)
{
    return ith_round_up(rows * (head_dim(model) + 2), 16);
}

static state state_at(float *memory, int64_t rows)
{
    return (state){memory, memory + rows, memory + 2 * rows};
}

float ith_attention_q_factor(int64_t d)
{
    return (float)(1.4426950408889634 / sqrt((double)d));
}

int64_t ith_attention_scratch(const ith_model *model)
{
    return 2 * state_floats(model, tile_tokens(model) * group_of(model));
}

int64_t ith_attention_partials(const ith_model *model, int64_t kv_heads, int64_t segments)
{
    return kv_heads * segments * state_floats(model, DECODE_TOKENS * group_of(model));
}

static void clear(const ith_model *model, state s, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        s.m[i] = -INFINITY;
        s.l[i] = 0;
    }
    memset(s.o, 0, (size_t)(rows * head_dim(model)) * sizeof *s.o);
}

/* Partial of tokens [t, t + n) of the pass over segment `s` of head `head`. */
static void attend(const ith_pass *p, int layer, int64_t head, int64_t t, int64_t n, int64_t s, state out)
{
    const uint8_t *records = p->ws->records + t * p->record.bytes;
    ith_kv_layout layout = ith_kv_get_layout(p->kv);
    int64_t q_element = layout == ITH_KVL_Q8 ? 1 : 4;
    ith_attn a = {
        .segment = ith_kv_segment(p->kv, layer, (int)head, s),
        .head_dim = (int)head_dim(p->model),
        .n_tokens = (int)n,
        .n_heads = (int)p->group,
        .first_visible = p->pos + t + 1 - s * ITH_KV_SEGMENT,
        .q = records + p->record.q + head * p->group * p->record.q_stride,
        .q_token_stride = p->record.bytes / q_element,
        .q_head_stride = p->record.q_stride / q_element,
        .q_scale = (const float *)(const void *)(records + p->record.q_scale) + head * p->group,
        .q_scale_stride = p->record.bytes / (int64_t)sizeof(float),
        .m = out.m,
        .l = out.l,
        .o = out.o,
    };
    if (layout == ITH_KVL_Q8)
        p->model->kernels->attn_q8(&a);
    else if (layout == ITH_KVL_BF16)
        p->model->kernels->attn_bf16(&a);
    else
        p->model->kernels->attn_f32(&a);
}

static int64_t segments_until(int64_t n_keys)
{
    return (n_keys + ITH_KV_SEGMENT - 1) / ITH_KV_SEGMENT;
}

/* o / l of rows [first, first + n) of a tile that begins at token t, to where the output matrix's input is gathered. */
static void finish(const ith_pass *p, int layer, int64_t head, int64_t t, state s, int64_t first, int64_t n)
{
    const ith_kernels *kernels = p->model->kernels;
    ith_heads_out out = p->way->heads_out(p, p->model->layers[layer].o);
    int64_t d = head_dim(p->model);

    for (int64_t row = first; row < first + n; row++) {
        int64_t token = t + row / p->group, q_head = head * p->group + row % p->group;
        kernels->scale(d, s.o + row * d, 1.0f / s.l[row]);
        if (out.quantized)
            kernels->quantize(d, s.o + row * d, &out.acts, token, out.first_group + q_head * d / ITH_GROUP);
        else
            memcpy(out.x + token * out.ld + q_head * d, s.o + row * d, (size_t)d * sizeof *out.x);
    }
}

/* ---- Prefill: a tile of tokens through all segments ---- */

static void attend_tile(const ith_pass *p, int layer, int64_t head, int64_t t, int64_t n, float *scratch)
{
    int64_t rows = n * p->group, d = head_dim(p->model);
    state sum = state_at(scratch, rows), part = state_at(scratch + state_floats(p->model, rows), rows);

    clear(p->model, sum, rows);
    for (int64_t s = 0; s < segments_until(p->pos + t + n); s++) {
        attend(p, layer, head, t, n, s, part);
        p->model->kernels->attn_merge(rows, (int)d, sum.m, sum.l, sum.o, part.m, part.l, part.o);
    }
    finish(p, layer, head, t, sum, 0, rows);
}

/* Tiles are taken from a shared counter, last tokens first: they see the most keys. */
static void by_tiles(ith_pass *p, int layer, ith_member *me)
{
    int64_t tile = tile_tokens(p->model), heads = ith_range_size(p->heads), n_tiles = (p->n + tile - 1) / tile, i;

    while ((i = ith_counter_next(me)) < n_tiles * heads) {
        int64_t t = (n_tiles - 1 - i / heads) * tile, n = p->n - t < tile ? p->n - t : tile;
        attend_tile(p, layer, i % heads, t, n, p->ws->scratch[me->tid]);
    }
}

/* ---- Decode: segments side by side, then folded in order ---- */

static state partial_at(const ith_pass *p, int64_t head, int64_t s)
{
    int64_t rows = p->n * p->group, step = state_floats(p->model, DECODE_TOKENS * p->group);
    return state_at(p->ws->partials + (head * p->ws->partial_segments + s) * step, rows);
}

static void fold_row(const ith_pass *p, int layer, int64_t head, int64_t row, int64_t n_segments, float *scratch)
{
    int64_t d = head_dim(p->model);
    state sum = state_at(scratch, p->n * p->group);

    sum.m[row] = -INFINITY;
    sum.l[row] = 0;
    memset(sum.o + row * d, 0, (size_t)d * sizeof(float));
    for (int64_t s = 0; s < n_segments; s++) {
        state part = partial_at(p, head, s);
        p->model->kernels->attn_merge(1, (int)d, sum.m + row, sum.l + row, sum.o + row * d, part.m + row, part.l + row,
                                      part.o + row * d);
    }
    finish(p, layer, head, 0, sum, row, 1);
}

static void by_segments(ith_pass *p, int layer, ith_member *me)
{
    int64_t heads = ith_range_size(p->heads), n_segments = segments_until(p->pos + p->n), rows = p->n * p->group, i;
    ith_range share = ith_my_share(me, heads * rows, 1), all = ith_my_share(me, heads, 1);

    if (n_segments == 1) {
        for (i = all.begin; i < all.end; i++)
            attend_tile(p, layer, i, 0, p->n, p->ws->scratch[me->tid]);
        return;
    }
    while ((i = ith_counter_next(me)) < heads * n_segments)
        attend(p, layer, i / n_segments, 0, p->n, i % n_segments, partial_at(p, i / n_segments, i % n_segments));
    ith_barrier(me);
    for (i = share.begin; i < share.end; i++)
        fold_row(p, layer, i / rows, i % rows, n_segments, p->ws->scratch[me->tid]);
}

void ith_attention(ith_pass *p, int layer, ith_member *me)
{
    if (p->n <= DECODE_TOKENS)
        by_segments(p, layer, me);
    else
        by_tiles(p, layer, me);
    ith_barrier(me);
}
