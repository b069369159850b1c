/* vec_avx2.h - what the AVX2 kernels share: masks for tails, the trees of lanes16, the exponential
 * on eight lanes. */
#ifndef ITH_SIMD_AVX2_VEC_H
#define ITH_SIMD_AVX2_VEC_H

#include "simd/prefetch.h"
#include "simd/ref/exp2.h"

#include <immintrin.h>

#define ITH_INLINE static inline __attribute__((always_inline))

/* Loops over the rows or tokens of a register tile; `rows` and `tokens` are constants. */
#define EACH_ROW   _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
#define EACH_TOKEN _Pragma("GCC unroll 6") for (int t = 0; t < tokens; t++)

/* Four bytes at any address, for broadcast_quad. */
typedef int32_t ith_loose_i32 __attribute__((aligned(1), may_alias));

ITH_INLINE __m256i broadcast_quad(const void *p)
{
    return _mm256_set1_epi32(*(const ith_loose_i32 *)p);
}

/* All bits in the first n of eight lanes; n may be negative or above 8. */
ITH_INLINE __m256i first_lanes(int64_t n)
{
    const int count = n > 8 ? 8 : n < 0 ? 0 : (int)n;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n lanes at p; zeros in the others, which are not read. */
ITH_INLINE __m256 load_first(const float *p, int64_t n)
{
    return n >= 8  ? _mm256_loadu_ps(p)
           : n > 0 ? _mm256_maskload_ps(p, first_lanes(n))
                   : _mm256_setzero_ps();
}

ITH_INLINE void store_first(float *p, int64_t n, __m256 v)
{
    if (n >= 8)
        _mm256_storeu_ps(p, v);
    else if (n > 0)
        _mm256_maskstore_ps(p, first_lanes(n), v);
}

ITH_INLINE __m256 keep_lanes(__m256i keep, __m256 v)
{
    return _mm256_and_ps(v, _mm256_castsi256_ps(keep));
}

ITH_INLINE __m256 load_bf16(const uint16_t *p)
{
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

ITH_INLINE __m256 load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* 2^f */
ITH_INLINE __m256 exp2_poly(__m256 f)
{
    __m256 p = _mm256_set1_ps(ITH_EXP2_C5);
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(ITH_EXP2_C4));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(ITH_EXP2_C3));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(ITH_EXP2_C2));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(ITH_EXP2_C1));
    return _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0f));
}

/* 2^f * 2^n for shifted = n + ITH_ROUNDER. */
ITH_INLINE __m256 exp2_of(__m256 f, __m256 shifted)
{
    const __m256i power = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(exp2_poly(f)), power));
}

/* ith_exp2 for x in [-126, 127]. */
ITH_INLINE __m256 exp2_normal(__m256 x)
{
    const __m256 rounder = _mm256_set1_ps(ITH_ROUNDER);
    const __m256 shifted = _mm256_add_ps(x, rounder);
    return exp2_of(_mm256_sub_ps(x, _mm256_sub_ps(shifted, rounder)), shifted);
}

/* x limited to [least, most]. NaN stays: max and min give their second operand for it. */
ITH_INLINE __m256 clamped(__m256 x, __m256 least, __m256 most)
{
    return _mm256_min_ps(most, _mm256_max_ps(least, x));
}

/* ith_exp2_clamped on all lanes. */
ITH_INLINE __m256 exp2_clamped(__m256 x)
{
    const __m256 rounder = _mm256_set1_ps(ITH_ROUNDER),
                 y = clamped(x, _mm256_set1_ps(-126.0f), _mm256_set1_ps(126.0f)),
                 shifted = _mm256_add_ps(y, rounder);
    const __m256i power = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23),
                  one = _mm256_set1_epi32((int)ITH_ONE_BITS);
    return _mm256_mul_ps(exp2_poly(_mm256_sub_ps(y, _mm256_sub_ps(shifted, rounder))),
                         _mm256_castsi256_ps(_mm256_add_epi32(power, one)));
}

/* ith_tanh_of on all lanes. */
ITH_INLINE __m256 tanh_of(__m256 y)
{
    const __m256 one = _mm256_set1_ps(1.0f), below = _mm256_add_ps(one, exp2_clamped(y));
    return _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), below));
}

/* ith_exp2; 0 for NaN. */
ITH_INLINE __m256 exp2_lanes(__m256 x)
{
    return _mm256_and_ps(exp2_normal(x), _mm256_cmp_ps(x, _mm256_set1_ps(-126.0f), _CMP_GE_OQ));
}

/* The tree of lanes16, with lanes 0..7 in `low` and 8..15 in `high`. */
ITH_INLINE float lanes16_sum(__m256 low, __m256 high)
{
    const __m256 a = _mm256_add_ps(low, high);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

ITH_INLINE float max_of_lanes(__m256 v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

ITH_INLINE int32_t sum_of_lanes(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

#endif
