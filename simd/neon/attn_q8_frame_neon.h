/* attn_q8_frame_neon.h - attention over the int8 cache for all NEON levels.
 *
 * The including file includes the dots_*.h of its level first. Lanes are keys in QK and channels in
 * PV; each register of keys or values is loaded once for four rows.
 */
#ifndef ITH_SIMD_NEON_ATTN_Q8_FRAME_H
#define ITH_SIMD_NEON_ATTN_Q8_FRAME_H

#include "simd/neon/attn_neon.h"
#include "simd/variants.h"

typedef struct block_q8 {
    const uint8_t *keys, *values; /* values: int8 */
    const uint16_t *key_scales, *value_scales, *tail_scales;
    int dp, values_dp;
    int latent; /* channels of a latent; 0: none */
} block_q8;

/* The weights of a row. */
typedef struct weights_q8 {
    uint8_t u[ITH_KV_BLOCK];
    float unit;   /* the weight that a step of u stands for */
    int32_t zero; /* -128 * sum of u */
} weights_q8;

static block_q8 block_at(const ith_attn *a, int64_t first_key)
{
    const bool latent = a->values != NULL;
    const int dp = (a->head_dim + 15) / 16 * 16;
    const uint8_t *start = (const uint8_t *)a->segment +
                           (size_t)(first_key / ITH_KV_BLOCK) * ith_attn_block_bytes(a, ITH_KVL_Q8);
    const uint16_t *scales =
        (const uint16_t *)(const void *)(start + (latent ? 1 : 2) * ITH_KV_BLOCK * dp);
    return (block_q8){.keys = start,
                      .values = ith_attn_values(a, ITH_KVL_Q8, first_key / ITH_KV_BLOCK),
                      .key_scales = scales,
                      .value_scales = latent ? scales : scales + ITH_KV_BLOCK,
                      .tail_scales = scales + ITH_KV_BLOCK,
                      .dp = dp,
                      .values_dp = latent ? a->value_dim : dp,
                      .latent = latent ? a->value_dim : 0};
}

/* t[r][..]: scaled products of the rows with the 16 keys from `key` on. */
ITH_INLINE void score_keys(const int rows, const row_state *s, const block_q8 *b, int key,
                           scores_t t)
{
    const int8_t *q[QUAD];
    int32_t zero[QUAD];
    int32x4_t dots[QUAD][4];
    EACH_ROW
    {
        q[r] = s[r].q;
        zero[r] = s[r].q_zero;
    }
    dot_biased(rows, 4, b->keys + key * 4, ITH_KV_BLOCK * 4, b->dp, q, zero, dots);
    EACH_VEC
    {
        const float32x4_t scale = load_bf16(b->key_scales + key + 4 * v);
        EACH_ROW vst1q_f32(t[r] + key + 4 * v, vmulq_f32(vcvtq_f32_s32(dots[r][v]), scale));
    }
}

/* The same of latents, whose first channels have other scales than the rest. */
ITH_INLINE void score_latents(const int rows, const row_state *s, const block_q8 *b, int key,
                              scores_t t)
{
    const int8_t *q[QUAD], *tail[QUAD];
    int32_t zero[QUAD], tail_zero[QUAD];
    int32x4_t dots[QUAD][4], rest[QUAD][4];
    EACH_ROW
    {
        q[r] = s[r].q;
        tail[r] = q[r] + b->latent;
        zero[r] = s[r].q_zero;
        tail_zero[r] = s[r].tail_zero;
    }
    dot_biased(rows, 4, b->keys + key * 4, ITH_KV_BLOCK * 4, b->latent, q, zero, dots);
    dot_biased(rows, 4, b->keys + b->latent * ITH_KV_BLOCK + key * 4, ITH_KV_BLOCK * 4,
               b->dp - b->latent, tail, tail_zero, rest);
    EACH_VEC
    {
        const float32x4_t scale = load_bf16(b->key_scales + key + 4 * v),
                          tail_scale = load_bf16(b->tail_scales + key + 4 * v);
        EACH_ROW
        {
            const float32x4_t first =
                vmulq_n_f32(vmulq_f32(vcvtq_f32_s32(dots[r][v]), scale), s[r].latent_scale);
            vst1q_f32(t[r] + key + 4 * v,
                      vfmaq_n_f32(first, vmulq_f32(vcvtq_f32_s32(rest[r][v]), tail_scale),
                                  s[r].tail_scale));
        }
    }
}

/* Packs w[64] into bytes, the largest as 255: byte b of quad i is that of key 16b + i. */
ITH_INLINE void pack_weights(const float32x4_t w[KEY_VECS], float largest, weights_q8 *out)
{
    const float inv = ith_inverse(255.0f, largest);
    uint16x8_t total = vdupq_n_u16(0);
    uint8x16x4_t u;
#pragma GCC unroll 4
    for (int b = 0; b < 4; b++) {
        uint16x4_t q[4]; /* the low half of a sum with ITH_ROUNDER is the integer */
        EACH_VEC q[v] = vmovn_u32(
            vreinterpretq_u32_f32(vfmaq_n_f32(vdupq_n_f32(ITH_ROUNDER), w[4 * b + v], inv)));
        u.val[b] =
            vcombine_u8(vmovn_u16(vcombine_u16(q[0], q[1])), vmovn_u16(vcombine_u16(q[2], q[3])));
        total = vpadalq_u8(total, u.val[b]);
    }
    vst4q_u8(out->u, u);
    out->unit = largest * (1.0f / 255.0f);
    out->zero = -128 * (int32_t)vaddlvq_u16(total);
}

/* ith_exp2_score on all lanes, with base = ITH_ROUNDER - M; 0 for NaN. */
ITH_INLINE float32x4_t exp2_score(float32x4_t t, float q_scale, float base)
{
    const float32x4_t start = vdupq_n_f32(base), shifted = vfmaq_n_f32(start, t, q_scale);
    const float32x4_t f = vfmaq_n_f32(vsubq_f32(start, shifted), t, q_scale);
    return keep_lanes(vcgeq_f32(shifted, vdupq_n_f32(ITH_SHIFTED_LEAST)), exp2_of(f, shifted));
}

/* t = T(t * by), the soft cap. */
static __attribute__((noinline)) void cap_scores(float t[ITH_KV_BLOCK], float by)
{
    EACH_KEYS vst1q_f32(t + 4 * k, tanh_of(vmulq_n_f32(vld1q_f32(t + 4 * k), by)));
}

/* Turns scores into byte weights and adds the probabilities to L. Returns alpha. */
static float softmax(row_state *s, const block_q8 *b, int64_t first, float t[ITH_KV_BLOCK],
                     weights_q8 *out)
{
    const int64_t seen = s->visible - first;
    if (s->cap_by >= 0)
        cap_scores(t, s->cap_by);
    if (s->from > first)
        hide_first(t, s->from - first);
    const float alpha = raise_max(s, ceilf(hide_unseen(t, seen) * s->q_scale)),
                base = ITH_ROUNDER - s->m;
    float32x4_t w[KEY_VECS], largest = vdupq_n_f32(0.0f);
    EACH_KEYS
    {
        /* unseen keys have -infinity, which gives 0 */
        const float32x4_t p = exp2_score(vld1q_f32(t + 4 * k), s->q_scale, base);
        vst1q_f32(t + 4 * k, p);
        w[k] =
            keep_lanes(first_lanes(seen - 4 * k), vmulq_f32(p, load_bf16(b->value_scales + 4 * k)));
        largest = vmaxq_f32(largest, w[k]);
    }
    add_to_lanes(s, alpha, t);
    pack_weights(w, vmaxvq_f32(largest), out);
    return alpha;
}

ITH_INLINE void add_values(const int rows, const row_state *s, const block_q8 *b, int head_dim,
                           const weights_q8 *w, const float *alpha)
{
    const uint8_t *u[QUAD];
    int32_t zero[QUAD];
    EACH_ROW
    {
        u[r] = w[r].u;
        zero[r] = w[r].zero;
    }
    for (int c = 0; c < head_dim; c += 16) {
        int32x4_t sum[QUAD][4];
        dot_weights(rows, b->values + c * 4, b->values_dp * 4, u, zero, sum);
        EACH_ROW EACH_VEC
        {
            float *o = s[r].o + c + 4 * v;
            const int left = head_dim - c - 4 * v;
            const float32x4_t old = vmulq_n_f32(load_first(o, left), alpha[r]);
            store_first(o, left, vfmaq_n_f32(old, vcvtq_f32_s32(sum[r][v]), w[r].unit));
        }
    }
}

ITH_INLINE void attend_rows(const int rows, row_state *s, const ith_attn *a, int64_t first)
{
    const block_q8 b = block_at(a, first);
    scores_t t;
    weights_q8 w[QUAD];
    float alpha[QUAD];

    if (b.latent > 0)
        for (int key = 0; key < ITH_KV_BLOCK; key += 16)
            score_latents(rows, s, &b, key, t);
    else
        for (int key = 0; key < ITH_KV_BLOCK; key += 16)
            score_keys(rows, s, &b, key, t);
    EACH_ROW alpha[r] = softmax(s + r, &b, first, t[r], &w[r]);
    add_values(rows, s, &b, ith_attn_value_dim(a), w, alpha);
}

static void attend(row_state *s, int rows, const ith_attn *a, int64_t first)
{
    if (rows == 4)
        attend_rows(4, s, a, first);
    else if (rows == 3)
        attend_rows(3, s, a, first);
    else if (rows == 2)
        attend_rows(2, s, a, first);
    else
        attend_rows(1, s, a, first);
}

/* -128 * the sum of n bytes, a multiple of 16. */
static int32_t zero_of(const int8_t *q, int n)
{
    int32_t sum = 0;
    for (int c = 0; c < n; c += 16)
        sum += vaddlvq_s8(vld1q_s8(q + c));
    return -128 * sum;
}

static void open_latent_row(row_state *s, const ith_attn *a, int64_t row)
{
    const int dp = (a->head_dim + 15) / 16 * 16, v = a->value_dim;
    const float *scales =
        a->q_scale + row / a->n_heads * a->q_scale_stride + 2 * (row % a->n_heads);
    open_row(s, a, row, 1);
    s->q_scale = 1;
    s->cap_by = -1;
    s->latent_scale = scales[0];
    s->tail_scale = scales[1];
    s->q_zero = zero_of(s->q, v);
    s->tail_zero = zero_of((const int8_t *)s->q + v, dp - v);
}

static void open_row_q8(row_state *s, const ith_attn *a, int64_t row)
{
    const int dp = (a->head_dim + 15) / 16 * 16;
    open_row(s, a, row, 1);
    const float scale = a->q_scale[row / a->n_heads * a->q_scale_stride + row % a->n_heads];
    s->q_scale = a->cap > 0 ? a->cap : scale;
    s->cap_by = a->cap > 0 ? scale * (ITH_2LOG2E / a->cap) : -1;
    s->q_zero = zero_of(s->q, dp);
}

ITH_INLINE void attn_q8(const ith_attn *a)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    for (int64_t pass = 0; pass < n_rows; pass += MAX_ROWS) {
        row_state s[MAX_ROWS];
        const int rows = n_rows - pass < MAX_ROWS ? (int)(n_rows - pass) : MAX_ROWS;
        for (int r = 0; r < rows; r++)
            if (a->values != NULL)
                open_latent_row(&s[r], a, pass + r);
            else
                open_row_q8(&s[r], a, pass + r);
        walk_blocks(s, rows, a, attend);
        for (int r = 0; r < rows; r++)
            close_row(&s[r], a, pass + r);
    }
}

#endif
