/* attn_ref.c - attention to a segment, one query row and one block of 64 keys at a time. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

typedef struct row_state {
    float m, lane[16];
    float *o; /* [channels of a value]: the output, which holds the running sum */
} row_state;

static int64_t visible_keys(const ith_attn *a, int64_t token)
{
    int64_t n = a->first_visible + token;
    return n < 0 ? 0 : n > ITH_KV_SEGMENT ? ITH_KV_SEGMENT : n;
}

/* The first of them. */
static int64_t first_key(const ith_attn *a, int64_t token)
{
    int64_t n = a->window > 0 ? a->first_visible + token - a->window : 0;
    return n < 0 ? 0 : n > ITH_KV_SEGMENT ? ITH_KV_SEGMENT : n;
}

/* Raises the row's maximum to max(m, block_max). Returns alpha, by which the sums so far must be
 * multiplied. */
static float raise_max(row_state *s, float block_max)
{
    float old = s->m;
    s->m = (block_max > old ? block_max : old) + 0.0f; /* never -0 */
    return ith_exp2_inline(old - s->m);
}

static void add_to_lanes(row_state *s, float alpha, const float p[ITH_KV_BLOCK])
{
    for (int i = 0; i < 16; i++)
        s->lane[i] = fmaf(s->lane[i], alpha, (p[i] + p[i + 16]) + (p[i + 32] + p[i + 48]));
}

/* Turns the probabilities, multiplied by the scales of their values, into bytes. Returns W, the
 * weight that 255 stands for. */
static float pack_weights(const float p[ITH_KV_BLOCK], const uint16_t *value_scales, int from,
                          int seen, uint8_t u[ITH_KV_BLOCK])
{
    float w[ITH_KV_BLOCK] = {0}, largest = 0.0f;
    for (int j = from; j < seen; j++) {
        w[j] = p[j] * ith_bf16_to_f32(value_scales[j]);
        largest = w[j] > largest ? w[j] : largest;
    }
    float inv = ith_inverse(255.0f, largest);
    for (int j = 0; j < ITH_KV_BLOCK; j++)
        u[j] = (uint8_t)ith_f32_bits(fmaf(w[j], inv, ITH_ROUNDER));
    return largest;
}

/* Channels [begin, end) of a query times those of key j of a block. */
static float dot_q8(const uint8_t *keys, const int8_t *q, int begin, int end, int j)
{
    int32_t dot = 0;
    for (int c = begin; c < end; c++)
        dot += q[c] * (keys[(c / 4 * ITH_KV_BLOCK + j) * 4 + c % 4] - 128);
    return (float)dot;
}

/* A query row and a block, and the scales of both. */
typedef struct pair_q8 {
    const int8_t *q;
    float q_scale, tail_scale; /* the second of latents only */
    const uint8_t *keys;
    const int8_t *values;
    const uint16_t *key_scales, *value_scales, *tail_scales;
    int dp, values_dp;
} pair_q8;

static pair_q8 pair_of(const ith_attn *a, const void *block, const void *values, const int8_t *q,
                       const float *q_scales)
{
    const bool latent = a->values != NULL;
    const int dp = (a->head_dim + 15) / 16 * 16;
    const uint16_t *scales = (const uint16_t *)(const void *)((const uint8_t *)block +
                                                              (latent ? 1 : 2) * ITH_KV_BLOCK * dp);
    return (pair_q8){.q = q,
                     .q_scale = q_scales[0],
                     .tail_scale = latent ? q_scales[1] : 0,
                     .keys = block,
                     .values = values,
                     .key_scales = scales,
                     .value_scales = latent ? scales : scales + ITH_KV_BLOCK,
                     .tail_scales = scales + ITH_KV_BLOCK,
                     .dp = dp,
                     .values_dp = latent ? a->value_dim : dp};
}

/* Keys [from, seen) of the block. */
static void attn_q8_block(const ith_attn *a, const pair_q8 *b, int from, int seen, row_state *s)
{
    float t[ITH_KV_BLOCK], p[ITH_KV_BLOCK] = {0}, largest = -INFINITY, q_scale = b->q_scale;
    uint8_t u[ITH_KV_BLOCK];
    const float cap = a->cap, by = cap > 0 ? q_scale * (ITH_2LOG2E / cap) : 0;
    const bool latent = a->values != NULL;

    for (int j = from; j < seen; j++) {
        t[j] = dot_q8(b->keys, b->q, 0, latent ? a->value_dim : b->dp, j) *
               ith_bf16_to_f32(b->key_scales[j]);
        if (latent)
            t[j] = fmaf(dot_q8(b->keys, b->q, a->value_dim, b->dp, j) *
                            ith_bf16_to_f32(b->tail_scales[j]),
                        b->tail_scale, t[j] * q_scale);
        if (cap > 0)
            t[j] = ith_tanh_of(t[j] * by);
        largest = t[j] > largest ? t[j] : largest;
    }
    q_scale = latent ? 1 : cap > 0 ? cap : q_scale;
    float alpha = raise_max(s, ceilf(largest * q_scale));
    for (int j = from; j < seen; j++)
        p[j] = ith_exp2_score(t[j], q_scale, ITH_ROUNDER - s->m);
    add_to_lanes(s, alpha, p);
    float unit = pack_weights(p, b->value_scales, from, seen, u) * (1.0f / 255.0f);
    for (int c = 0; c < ith_attn_value_dim(a); c++) {
        int32_t sum = 0;
        for (int j = from; j < seen; j++)
            sum += u[j] * b->values[(j % 16 * b->values_dp + c) * 4 + j / 16];
        s->o[c] = fmaf((float)sum, unit, s->o[c] * alpha);
    }
}

static float element(const void *array, int64_t i, ith_kv_layout layout)
{
    return layout == ITH_KVL_F32 ? ((const float *)array)[i]
                                 : ith_bf16_to_f32(((const uint16_t *)array)[i]);
}

static void attn_float_block(const ith_attn *a, const void *keys, const void *values,
                             ith_kv_layout layout, const float *q, int from, int seen, row_state *s)
{
    const int head_dim = a->head_dim, dp = (ith_attn_value_dim(a) + 15) / 16 * 16;
    const float cap = a->cap;
    float x[ITH_KV_BLOCK] = {0}, p[ITH_KV_BLOCK] = {0}, largest = -INFINITY;

    for (int j = from; j < seen; j++) {
        for (int c = 0; c < head_dim; c++)
            x[j] = fmaf(q[c], element(keys, c * ITH_KV_BLOCK + j, layout), x[j]);
        if (cap > 0)
            x[j] = cap * ith_tanh_of(x[j] * (ITH_2LOG2E / cap));
        largest = x[j] > largest ? x[j] : largest;
    }
    float alpha = raise_max(s, largest);
    for (int j = from; j < seen; j++)
        p[j] = ith_exp2_inline(x[j] - s->m);
    add_to_lanes(s, alpha, p);
    for (int c = 0; c < ith_attn_value_dim(a); c++) {
        float o = s->o[c] * alpha;
        for (int j = from; j < seen; j++)
            o = fmaf(p[j], element(values, j * dp + c, layout), o);
        s->o[c] = o;
    }
}

static void attn_row(const ith_attn *a, ith_kv_layout layout, int64_t token, int64_t head)
{
    const int64_t row = token * a->n_heads + head, n = visible_keys(a, token),
                  begin = first_key(a, token);
    const int64_t q_at = token * a->q_token_stride + head * a->q_head_stride;
    const int channels = ith_attn_value_dim(a);
    row_state s = {.m = -INFINITY, .o = a->o + row * channels};

    for (int c = 0; c < channels; c++)
        s.o[c] = 0.0f;
    for (int64_t first = begin / ITH_KV_BLOCK * ITH_KV_BLOCK; first < n; first += ITH_KV_BLOCK) {
        int from = (int)(begin > first ? begin - first : 0);
        int seen = (int)(n - first < ITH_KV_BLOCK ? n - first : ITH_KV_BLOCK);
        const uint8_t *block = (const uint8_t *)a->segment +
                               (size_t)(first / ITH_KV_BLOCK) * ith_attn_block_bytes(a, layout);
        const void *values = ith_attn_values(a, layout, first / ITH_KV_BLOCK);
        if (layout == ITH_KVL_Q8) {
            const pair_q8 pair = pair_of(a, block, values, (const int8_t *)a->q + q_at,
                                         a->q_scale + token * a->q_scale_stride +
                                             (a->values != NULL ? 2 : 1) * head);
            attn_q8_block(a, &pair, from, seen, &s);
        } else {
            attn_float_block(a, block, values, layout, (const float *)a->q + q_at, from, seen, &s);
        }
    }
    a->m[row] = s.m;
    a->l[row] = ith_lanes16_sum(s.lane);
}

static void attn(const ith_attn *a, ith_kv_layout layout)
{
    for (int64_t t = 0; t < a->n_tokens; t++)
        for (int64_t h = 0; h < a->n_heads; h++)
            attn_row(a, layout, t, h);
}

void ith_attn_q8__ref(const ith_attn *a)
{
    attn(a, ITH_KVL_Q8);
}

void ith_attn_bf16__ref(const ith_attn *a)
{
    attn(a, ITH_KVL_BF16);
}

void ith_attn_f32__ref(const ith_attn *a)
{
    attn(a, ITH_KVL_F32);
}

void ith_attn_merge__ref(int64_t rows, int head_dim, float *m, float *l, float *o, const float *pm,
                         const float *pl, const float *po)
{
    for (int64_t r = 0; r < rows; r++) {
        if (pl[r] == 0.0f)
            continue;
        float largest = m[r] > pm[r] ? m[r] : pm[r];
        float a = ith_exp2_inline(m[r] - largest), b = ith_exp2_inline(pm[r] - largest);
        l[r] = fmaf(pl[r], b, l[r] * a);
        for (int64_t c = r * head_dim; c < (r + 1) * head_dim; c++)
            o[c] = fmaf(po[c], b, o[c] * a);
        m[r] = largest;
    }
}
