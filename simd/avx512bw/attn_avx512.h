/* attn_avx512.h - what the AVX-512 attention kernels share: four query rows at a time against a
 * block of 64 keys.
 *
 * A segment is read block by block, and up to 16 rows use each block while it is in the first-level
 * cache. The scalars of four rows (maximum, scales, factors) share a register: those of row r are
 * in its 128-bit lane r.
 */
#ifndef ITH_SIMD_AVX512_ATTN_H
#define ITH_SIMD_AVX512_ATTN_H

#include "simd/avx512bw/vec_avx512.h"
#include "simd/kernels.h"

enum {
    QUAD = 4,      /* rows in one register tile */
    MAX_ROWS = 16, /* rows that share one pass over a segment */
    KEY_VECS = ITH_KV_BLOCK / 16
};

#define EACH_KEYS _Pragma("GCC unroll 4") for (int k = 0; k < KEY_VECS; k++)

/* Four rows of the outputs, of which 1 to 4 are in use. */
typedef struct quad_state {
    __m512 m;                       /* running maximum; lane r: row r */
    _Alignas(64) float q_scale[16]; /* q8 only; that of row r at 4r */
    __m512 lane[QUAD];              /* L */
    __m512i start[QUAD];            /* q8 only: what products with keys start from */
    __m512i tail_start[QUAD];       /* latents in q8 only: the same of their tails */
    const void *q[QUAD];
    float *o[QUAD];
    _Alignas(64) float by[16];                  /* q8 only, with a soft cap: of row r at 4r */
    float latent_scale[QUAD], tail_scale[QUAD]; /* latents in q8 only */
    int64_t visible[QUAD];                      /* the row sees keys from[] to visible[] - 1 */
    int64_t from[QUAD];                         /* of them the first */
    int64_t visible_max, visible_least;         /* least: 0 if not all rows are in use */
    int64_t from_max, from_least;
    int rows;
} quad_state;

typedef __m512 scores_t[QUAD][KEY_VECS];
typedef __mmask16 seen_t[QUAD][KEY_VECS];

ITH_INLINE __m512 spread_row(__m512 of_rows, const int r)
{
    switch (r) {
    case 0:
        return _mm512_shuffle_f32x4(of_rows, of_rows, 0x00);
    case 1:
        return _mm512_shuffle_f32x4(of_rows, of_rows, 0x55);
    case 2:
        return _mm512_shuffle_f32x4(of_rows, of_rows, 0xaa);
    default:
        return _mm512_shuffle_f32x4(of_rows, of_rows, 0xff);
    }
}

/* A register whose 128-bit lane r holds the maximum of v[r]. */
ITH_INLINE __m512 max_of_rows(const __m512 v[QUAD])
{
    const __m512 ab = _mm512_max_ps(_mm512_shuffle_f32x4(v[0], v[1], 0x44),
                                    _mm512_shuffle_f32x4(v[0], v[1], 0xee));
    const __m512 cd = _mm512_max_ps(_mm512_shuffle_f32x4(v[2], v[3], 0x44),
                                    _mm512_shuffle_f32x4(v[2], v[3], 0xee));
    __m512 m =
        _mm512_max_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    m = _mm512_max_ps(m, _mm512_permute_ps(m, 0x4e));
    return _mm512_max_ps(m, _mm512_permute_ps(m, 0xb1));
}

/* Of the sixteen keys from `key` of the segment on, those that row r sees. */
ITH_INLINE __mmask16 lanes_seen(const quad_state *s, const int r, int64_t key)
{
    return first_lanes(s->visible[r] - key) & (__mmask16)~first_lanes(s->from[r] - key);
}

/* Does any row see a key of the block at `first`; does every row see all? */
ITH_INLINE bool sees_some(const quad_state *s, int64_t first)
{
    return s->visible_max > first && s->from_least < first + ITH_KV_BLOCK;
}
ITH_INLINE bool sees_all(const quad_state *s, int64_t first)
{
    return s->visible_least >= first + ITH_KV_BLOCK && s->from_max <= first;
}

/* The lanes of the rows that see at least one key of the block at `first`. */
ITH_INLINE __mmask16 rows_alive(const quad_state *s, const int rows, int64_t first)
{
    unsigned alive = 0;
    EACH_ROW if (s->visible[r] > first && s->from[r] < first + ITH_KV_BLOCK) alive |= 0xfu
                                                                                      << (4 * r);
    return (__mmask16)alive;
}

/* Raises s->m to the maxima of the block in the rows of `alive`. Returns alpha, which is 1 for the
 * other rows; they must stay as they are. */
ITH_INLINE __m512 raise_max(quad_state *s, __mmask16 alive, __m512 block_max)
{
    const __m512 old = s->m,
                 higher = _mm512_add_ps(_mm512_max_ps(old, block_max), _mm512_setzero_ps());
    s->m = _mm512_mask_mov_ps(old, alive, higher);
    return exp2_lanes(0xffff, _mm512_sub_ps(old, s->m));
}

ITH_INLINE void add_to_lanes(quad_state *s, const int r, __m512 alpha, const __m512 p[KEY_VECS])
{
    const __m512 sum = _mm512_add_ps(_mm512_add_ps(p[0], p[1]), _mm512_add_ps(p[2], p[3]));
    s->lane[r] = _mm512_fmadd_ps(s->lane[r], alpha, sum);
}

/* Prepares up to four rows of the call, from first_row on, and clears their outputs. */
ITH_INLINE void open_quad(quad_state *s, const ith_attn *a, int64_t first_row, size_t q_size)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads - first_row;
    s->rows = (int)(n_rows < QUAD ? n_rows : QUAD);
    s->m = _mm512_set1_ps(-INFINITY);
    s->visible_max = 0;
    s->visible_least = s->rows == QUAD ? ITH_KV_SEGMENT : 0;
    s->from_max = 0;
    s->from_least = ITH_KV_SEGMENT;
    for (int r = 0; r < s->rows; r++) {
        const int64_t t = (first_row + r) / a->n_heads, h = (first_row + r) % a->n_heads;
        const int64_t n = a->first_visible + t, from = a->window > 0 ? n - a->window : 0;
        s->visible[r] = n < 0 ? 0 : n > ITH_KV_SEGMENT ? ITH_KV_SEGMENT : n;
        s->from[r] = from < 0 ? 0 : from > ITH_KV_SEGMENT ? ITH_KV_SEGMENT : from;
        s->from_max = s->from[r] > s->from_max ? s->from[r] : s->from_max;
        s->from_least = s->from[r] < s->from_least ? s->from[r] : s->from_least;
        s->visible_max = s->visible[r] > s->visible_max ? s->visible[r] : s->visible_max;
        s->visible_least = s->visible[r] < s->visible_least ? s->visible[r] : s->visible_least;
        s->q[r] =
            (const uint8_t *)a->q + (size_t)(t * a->q_token_stride + h * a->q_head_stride) * q_size;
        s->o[r] = a->o + (first_row + r) * ith_attn_value_dim(a);
        s->lane[r] = _mm512_setzero_ps();
        memset(s->o[r], 0, (size_t)ith_attn_value_dim(a) * sizeof(float));
    }
}

ITH_INLINE void close_quad(const quad_state *s, const ith_attn *a, int64_t first_row)
{
    float m[16];
    _mm512_storeu_ps(m, s->m);
    for (int r = 0; r < s->rows; r++) {
        a->m[first_row + r] = m[4 * r];
        a->l[first_row + r] = lanes16_sum(s->lane[r]);
    }
}

#endif
