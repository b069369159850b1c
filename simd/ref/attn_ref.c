/* attn_ref.c - attention to a segment, one query row and one block of 64 keys at a time. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

typedef struct row_state {
    float m, lane[16];
    float *o; /* [head_dim]: the output, which holds the running sum */
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

/* Keys [from, seen) of the block. */
static void attn_q8_block(int head_dim, const void *block, const int8_t *q, float q_scale,
                          float cap, int from, int seen, row_state *s)
{
    const int dp = (head_dim + 15) / 16 * 16;
    const uint8_t *keys = block;
    const int8_t *values = (const int8_t *)keys + ITH_KV_BLOCK * dp;
    const uint16_t *key_scales = (const uint16_t *)(const void *)(values + ITH_KV_BLOCK * dp);
    const uint16_t *value_scales = key_scales + ITH_KV_BLOCK;
    float t[ITH_KV_BLOCK], p[ITH_KV_BLOCK] = {0}, largest = -INFINITY;
    uint8_t u[ITH_KV_BLOCK];
    const float by = cap > 0 ? q_scale * (ITH_2LOG2E / cap) : 0;

    for (int j = from; j < seen; j++) {
        int32_t dot = 0;
        for (int c = 0; c < dp; c++)
            dot += q[c] * (keys[(c / 4 * ITH_KV_BLOCK + j) * 4 + c % 4] - 128);
        t[j] = (float)dot * ith_bf16_to_f32(key_scales[j]);
        if (cap > 0)
            t[j] = ith_tanh_of(t[j] * by);
        largest = t[j] > largest ? t[j] : largest;
    }
    if (cap > 0)
        q_scale = cap;
    float alpha = raise_max(s, ceilf(largest * q_scale));
    for (int j = from; j < seen; j++)
        p[j] = ith_exp2_score(t[j], q_scale, ITH_ROUNDER - s->m);
    add_to_lanes(s, alpha, p);
    float unit = pack_weights(p, value_scales, from, seen, u) * (1.0f / 255.0f);
    for (int c = 0; c < head_dim; c++) {
        int32_t sum = 0;
        for (int j = from; j < seen; j++)
            sum += u[j] * values[(j % 16 * dp + c) * 4 + j / 16];
        s->o[c] = fmaf((float)sum, unit, s->o[c] * alpha);
    }
}

static float element(const void *array, int64_t i, ith_kv_layout layout)
{
    return layout == ITH_KVL_F32 ? ((const float *)array)[i]
                                 : ith_bf16_to_f32(((const uint16_t *)array)[i]);
}

static void attn_float_block(int head_dim, const uint8_t *block, ith_kv_layout layout,
                             const float *q, float cap, int from, int seen, row_state *s)
{
    const int dp = (head_dim + 15) / 16 * 16;
    const void *keys = block, *values = block + ith_kv_block_bytes(layout, head_dim) / 2;
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
    for (int c = 0; c < head_dim; c++) {
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
    row_state s = {.m = -INFINITY, .o = a->o + row * a->head_dim};

    for (int c = 0; c < a->head_dim; c++)
        s.o[c] = 0.0f;
    for (int64_t first = begin / ITH_KV_BLOCK * ITH_KV_BLOCK; first < n; first += ITH_KV_BLOCK) {
        int from = (int)(begin > first ? begin - first : 0);
        int seen = (int)(n - first < ITH_KV_BLOCK ? n - first : ITH_KV_BLOCK);
        const uint8_t *block =
            (const uint8_t *)a->segment +
            (size_t)(first / ITH_KV_BLOCK) * ith_kv_block_bytes(layout, a->head_dim);
        if (layout == ITH_KVL_Q8)
            attn_q8_block(a->head_dim, block, (const int8_t *)a->q + q_at,
                          a->q_scale[token * a->q_scale_stride + head], a->cap, from, seen, &s);
        else
            attn_float_block(a->head_dim, block, layout, (const float *)a->q + q_at, a->cap, from,
                             seen, &s);
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
