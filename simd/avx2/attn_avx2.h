/* attn_avx2.h - what the AVX2 attention kernels share: up to four query rows at a time against a
 * block of 64 keys.
 *
 * The scores and probabilities of the rows are in small arrays on the stack. Products use register
 * tiles of 4 rows x 16 keys, or of a few rows x 16 channels. Up to 16 rows use a block while it is
 * in the first-level cache.
 */
#ifndef ITH_SIMD_AVX2_ATTN_H
#define ITH_SIMD_AVX2_ATTN_H

#include "simd/avx2/vec_avx2.h"
#include "simd/kernels.h"

enum {
    QUAD = 4,
    MAX_ROWS = 16,
    KEY_VECS = ITH_KV_BLOCK / 8,

    /* Prefetch distance in bytes. Near the end of a segment it reaches past it, into what is likely
     * the next one. */
    AHEAD = 8192
};

/* Prefetches the line AHEAD of p: the hardware's streams stop while the softmax runs. */
ITH_INLINE void fetch_ahead(const void *p)
{
    ith_fetch_l1((const char *)p + AHEAD);
}

#define EACH_KEYS _Pragma("GCC unroll 8") for (int k = 0; k < KEY_VECS; k++)

typedef struct row_state {
    __m256 lane[2]; /* L */
    float m;
    float q_scale;     /* q8 only */
    float cap_by;      /* q8 only, with a soft cap: what it multiplies t by; -1: none */
    int32_t q_zero;    /* q8 only: -128 * sum of q, with which products of biased keys start; of */
    int32_t tail_zero; /* latents, the same of the first channels and of their tail */
    float latent_scale, tail_scale; /* latents in q8 only */
    const void *q;
    float *o;
    int64_t from, visible; /* the row sees keys [from, visible) of the segment */
} row_state;

typedef float scores_t[QUAD][ITH_KV_BLOCK];

/* Sets the scores of the first n keys to -infinity: they are before the window. */
static __attribute__((noinline)) void hide_first(float x[ITH_KV_BLOCK], int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        x[j] = -INFINITY;
}

/* Sets the scores of unseen keys to -infinity. Returns the largest of the others. */
ITH_INLINE float hide_unseen(float x[ITH_KV_BLOCK], int64_t seen)
{
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 largest = lowest;
    EACH_KEYS
    {
        const __m256 keep = _mm256_castsi256_ps(first_lanes(seen - 8 * k));
        const __m256 v = _mm256_blendv_ps(lowest, _mm256_load_ps(x + 8 * k), keep);
        _mm256_store_ps(x + 8 * k, v);
        largest = _mm256_max_ps(largest, v);
    }
    return max_of_lanes(largest);
}

/* Raises the row's maximum. Returns alpha, by which the sums so far must be multiplied. */
ITH_INLINE float raise_max(row_state *s, float block_max)
{
    const float old = s->m;
    s->m = (block_max > old ? block_max : old) + 0.0f;
    return ith_exp2_inline(old - s->m);
}

ITH_INLINE void add_to_lanes(row_state *s, float alpha, const float p[ITH_KV_BLOCK])
{
    for (int i = 0; i < 2; i++) {
        const float *v = p + 8 * i;
        const __m256 first = _mm256_add_ps(_mm256_load_ps(v), _mm256_load_ps(v + 16));
        const __m256 second = _mm256_add_ps(_mm256_load_ps(v + 32), _mm256_load_ps(v + 48));
        s->lane[i] =
            _mm256_fmadd_ps(s->lane[i], _mm256_set1_ps(alpha), _mm256_add_ps(first, second));
    }
}

/* Prepares row `row` of the call and clears its output. */
ITH_INLINE void open_row(row_state *s, const ith_attn *a, int64_t row, size_t q_size)
{
    const int64_t t = row / a->n_heads, h = row % a->n_heads, n = a->first_visible + t;
    s->lane[0] = s->lane[1] = _mm256_setzero_ps();
    s->m = -INFINITY;
    const int64_t from = a->window > 0 ? n - a->window : 0;
    s->visible = n < 0 ? 0 : n > ITH_KV_SEGMENT ? ITH_KV_SEGMENT : n;
    s->from = from < 0 ? 0 : from > ITH_KV_SEGMENT ? ITH_KV_SEGMENT : from;
    s->q = (const uint8_t *)a->q + (size_t)(t * a->q_token_stride + h * a->q_head_stride) * q_size;
    s->o = a->o + row * ith_attn_value_dim(a);
    memset(s->o, 0, (size_t)ith_attn_value_dim(a) * sizeof(float));
}

/* Walks through the blocks of the segment. attend() is called with one to four rows that each see
 * some key of the block at `first`. No row begins or ends to see after the next one, so the rows
 * that no longer see any come first, and those that do not yet come last. */
ITH_INLINE void walk_blocks(row_state *s, int n_rows, const ith_attn *a,
                            void (*attend)(row_state *s, int rows, const ith_attn *a,
                                           int64_t first))
{
    for (int64_t first = 0; first < ITH_KV_SEGMENT; first += ITH_KV_BLOCK) {
        int i = 0, end = n_rows;
        while (i < n_rows && s[i].visible <= first)
            i++;
        while (end > i && s[end - 1].from >= first + ITH_KV_BLOCK)
            end--;
        for (; i < end; i += QUAD)
            attend(s + i, end - i < QUAD ? end - i : QUAD, a, first);
    }
}

ITH_INLINE void close_row(const row_state *s, const ith_attn *a, int64_t row)
{
    a->m[row] = s->m;
    a->l[row] = lanes16_sum(s->lane[0], s->lane[1]);
}

#endif
