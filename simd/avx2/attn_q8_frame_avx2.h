/* attn_q8_frame_avx2.h - attention over the int8 cache for the levels with 256-bit registers.
 *
 * The including file defines first:
 *
 *   KEYS_BIASED    1 if dot_keys() multiplies the keys as they are stored, else 0
 *   VALUE_ROWS     rows of a register tile of PV, 2 or 4
 *   dot_keys()     adds the products of 1 to 4 rows with 16 keys to dot[]
 *   dot_weights()  sum[r] = byte weights of row r (1 to VALUE_ROWS rows) times 16 channels of 64
 *                  values
 */
#ifndef ITH_SIMD_AVX2_ATTN_Q8_FRAME_H
#define ITH_SIMD_AVX2_ATTN_Q8_FRAME_H

#include "simd/avx2/attn_avx2.h"
#include "simd/variants.h"

typedef struct block_q8 {
    const uint8_t *keys;
    const int8_t *values;
    const uint16_t *key_scales, *value_scales, *tail_scales;
    int dp, values_dp;
    int latent; /* channels of a latent; 0: none */
} block_q8;

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
    __m256i dot[QUAD][2];
    EACH_ROW
    {
        q[r] = s[r].q;
        dot[r][0] = dot[r][1] =
            KEYS_BIASED ? _mm256_set1_epi32(s[r].q_zero) : _mm256_setzero_si256();
    }
    dot_keys(rows, b->keys + key * 4, b->dp, q, dot);
    for (int i = 0; i < 2; i++) {
        const __m256 scale = load_bf16(b->key_scales + key + 8 * i);
        EACH_ROW _mm256_store_ps(t[r] + key + 8 * i,
                                 _mm256_mul_ps(_mm256_cvtepi32_ps(dot[r][i]), scale));
    }
}

/* The same of latents, whose first channels have other scales than the rest. */
ITH_INLINE void score_latents(const int rows, const row_state *s, const block_q8 *b, int key,
                              scores_t t)
{
    const int8_t *q[QUAD], *tail[QUAD];
    __m256i dot[QUAD][2], rest[QUAD][2];
    EACH_ROW
    {
        q[r] = s[r].q;
        tail[r] = q[r] + b->latent;
        dot[r][0] = dot[r][1] =
            KEYS_BIASED ? _mm256_set1_epi32(s[r].q_zero) : _mm256_setzero_si256();
        rest[r][0] = rest[r][1] =
            KEYS_BIASED ? _mm256_set1_epi32(s[r].tail_zero) : _mm256_setzero_si256();
    }
    dot_keys(rows, b->keys + key * 4, b->latent, q, dot);
    dot_keys(rows, b->keys + b->latent * ITH_KV_BLOCK + key * 4, b->dp - b->latent, tail, rest);
    for (int i = 0; i < 2; i++) {
        const __m256 scale = load_bf16(b->key_scales + key + 8 * i),
                     tail_scale = load_bf16(b->tail_scales + key + 8 * i);
        EACH_ROW
        {
            const __m256 first = _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(dot[r][i]), scale),
                                               _mm256_set1_ps(s[r].latent_scale));
            _mm256_store_ps(
                t[r] + key + 8 * i,
                _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(rest[r][i]), tail_scale),
                                _mm256_set1_ps(s[r].tail_scale), first));
        }
    }
}

ITH_INLINE float up(float x)
{
    return _mm_cvtss_f32(_mm_ceil_ps(_mm_set1_ps(x)));
}

/* ith_exp2_score on all lanes, with base = ITH_ROUNDER - M; 0 for NaN. */
ITH_INLINE __m256 exp2_score(__m256 t, __m256 q_scale, __m256 base)
{
    const __m256 shifted = _mm256_fmadd_ps(t, q_scale, base);
    const __m256 f = _mm256_fmadd_ps(t, q_scale, _mm256_sub_ps(base, shifted));
    return _mm256_and_ps(exp2_of(f, shifted),
                         _mm256_cmp_ps(shifted, _mm256_set1_ps(ITH_SHIFTED_LEAST), _CMP_GE_OQ));
}

/* Packs weights into bytes: byte b of quad i is that of key 16b + i. */
ITH_INLINE void pack_weights(const __m256 w[KEY_VECS], __m256 inv, uint8_t u[ITH_KV_BLOCK])
{
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        __m256i bytes = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (int b = 0; b < 4; b++) {
            const __m256 q = _mm256_fmadd_ps(w[2 * b + half], inv, _mm256_set1_ps(ITH_ROUNDER));
            /* removes the bits of ITH_ROUNDER */
            const __m256i low =
                _mm256_xor_si256(_mm256_castps_si256(q), _mm256_set1_epi32(0x4b400000));
            bytes = _mm256_or_si256(bytes, _mm256_slli_epi32(low, 8 * b));
        }
        _mm256_store_si256((__m256i *)(void *)(u + 32 * half), bytes);
    }
}

/* t = T(t * by), the soft cap. */
static __attribute__((noinline)) void cap_scores(float t[ITH_KV_BLOCK], float by)
{
    EACH_KEYS _mm256_store_ps(
        t + 8 * k, tanh_of(_mm256_mul_ps(_mm256_load_ps(t + 8 * k), _mm256_set1_ps(by))));
}

/* Turns scores into byte weights u[64] and adds the probabilities to L. *unit: the weight that a
 * step of u stands for. Returns alpha. */
static float softmax(row_state *s, const block_q8 *b, int64_t first, float t[ITH_KV_BLOCK],
                     uint8_t u[ITH_KV_BLOCK], float *unit)
{
    const int64_t seen = s->visible - first;
    if (s->cap_by >= 0)
        cap_scores(t, s->cap_by);
    if (s->from > first)
        hide_first(t, s->from - first);
    const float alpha = raise_max(s, up(hide_unseen(t, seen) * s->q_scale));
    const __m256 q_scale = _mm256_set1_ps(s->q_scale), base = _mm256_set1_ps(ITH_ROUNDER - s->m);
    __m256 w[KEY_VECS], largest = _mm256_setzero_ps();
    EACH_KEYS
    {
        /* unseen keys have -infinity, which gives 0 */
        const __m256 p = exp2_score(_mm256_load_ps(t + 8 * k), q_scale, base);
        _mm256_store_ps(t + 8 * k, p);
        w[k] = keep_lanes(first_lanes(seen - 8 * k),
                          _mm256_mul_ps(p, load_bf16(b->value_scales + 8 * k)));
        largest = _mm256_max_ps(largest, w[k]);
    }
    add_to_lanes(s, alpha, t);
    const float top = max_of_lanes(largest);
    pack_weights(w, _mm256_set1_ps(ith_inverse(255.0f, top)), u);
    *unit = top * (1.0f / 255.0f);
    return alpha;
}

ITH_INLINE void add_values(const int rows, const row_state *s, const block_q8 *b, int head_dim,
                           uint8_t u[][ITH_KV_BLOCK], const float *unit, const float *alpha)
{
    for (int c = 0; c < head_dim; c += 16) {
        __m256i sum[VALUE_ROWS][2];
        dot_weights(rows, b->values + c * 4, b->values_dp * 4, u, sum);
        EACH_ROW
        for (int v = 0; v < 2; v++) {
            float *o = s[r].o + c + 8 * v;
            const int left = head_dim - c - 8 * v;
            const __m256 old = _mm256_mul_ps(load_first(o, left), _mm256_set1_ps(alpha[r]));
            store_first(
                o, left,
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][v]), _mm256_set1_ps(unit[r]), old));
        }
    }
}

/* add_values for a number of rows known at run time; rows beyond VALUE_ROWS are ignored. */
ITH_INLINE void add_values_of(int rows, const row_state *s, const block_q8 *b, int head_dim,
                              uint8_t u[][ITH_KV_BLOCK], const float *unit, const float *alpha)
{
    if (rows >= VALUE_ROWS)
        add_values(VALUE_ROWS, s, b, head_dim, u, unit, alpha);
    else if (VALUE_ROWS == 4 && rows == 3)
        add_values(VALUE_ROWS - 1, s, b, head_dim, u, unit, alpha);
    else if (VALUE_ROWS == 4 && rows == 2)
        add_values(VALUE_ROWS / 2, s, b, head_dim, u, unit, alpha);
    else
        add_values(1, s, b, head_dim, u, unit, alpha);
}

ITH_INLINE void score_block(const int rows, const row_state *s, const block_q8 *b, scores_t t)
{
    if (b->latent > 0)
        for (int key = 0; key < ITH_KV_BLOCK; key += 16)
            score_latents(rows, s, b, key, t);
    else
        for (int key = 0; key < ITH_KV_BLOCK; key += 16)
            score_keys(rows, s, b, key, t);
}

static void attend(row_state *s, int rows, const ith_attn *a, int64_t first)
{
    const block_q8 b = block_at(a, first);
    _Alignas(32) uint8_t u[QUAD][ITH_KV_BLOCK];
    _Alignas(32) scores_t t;
    float alpha[QUAD], unit[QUAD];

    if (rows == 4)
        score_block(4, s, &b, t);
    else if (rows == 3)
        score_block(3, s, &b, t);
    else if (rows == 2)
        score_block(2, s, &b, t);
    else
        score_block(1, s, &b, t);
    EACH_ROW alpha[r] = softmax(s + r, &b, first, t[r], u[r], &unit[r]);
    for (int r = 0; r < rows; r += VALUE_ROWS)
        add_values_of(rows - r, s + r, &b, ith_attn_value_dim(a), u + r, unit + r, alpha + r);
}

static int32_t sum_of(const int8_t *q, int begin, int end)
{
    int32_t sum = 0;
    for (int c = begin; c < end; c++)
        sum += q[c];
    return sum;
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
    s->q_zero = -128 * sum_of(s->q, 0, v);
    s->tail_zero = -128 * sum_of(s->q, v, dp);
}

static void open_row_q8(row_state *s, const ith_attn *a, int64_t row)
{
    const int dp = (a->head_dim + 15) / 16 * 16;
    open_row(s, a, row, 1);
    const float scale = a->q_scale[row / a->n_heads * a->q_scale_stride + row % a->n_heads];
    s->q_scale = a->cap > 0 ? a->cap : scale;
    s->cap_by = a->cap > 0 ? scale * (ITH_2LOG2E / a->cap) : -1;
    s->q_zero = -128 * sum_of(s->q, 0, dp);
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
