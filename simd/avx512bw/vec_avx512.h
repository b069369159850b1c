/* vec_avx512.h - what the AVX-512 kernels share: masks for tails, the tree of lanes16, the
 * exponential on sixteen lanes. */
#ifndef ITH_SIMD_AVX512_VEC_H
#define ITH_SIMD_AVX512_VEC_H

#include "simd/prefetch.h"
#include "simd/ref/exp2.h"

#include <immintrin.h>
#include <stdbool.h>

#define ITH_INLINE static inline __attribute__((always_inline))

enum { MAX_TILES = 2 }; /* tiles of weights side by side in a register tile */

/* Loops over the tiles, tokens, rows or vectors of a register tile; the counts are constants. */
#define EACH_TILE  _Pragma("GCC unroll 4") for (int i = 0; i < tiles; i++)
#define EACH_TOKEN _Pragma("GCC unroll 8") for (int t = 0; t < tokens; t++)
#define EACH_ROW   _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
#define EACH_VEC   _Pragma("GCC unroll 4") for (int v = 0; v < vecs; v++)

/* Four bytes at any address, for broadcast_quad. */
typedef int32_t ith_loose_i32 __attribute__((aligned(1), may_alias));

/* A register of its own to start a sum with. If several sums start as the same value, gcc 12 copies
 * them in every iteration. */
ITH_INLINE __m512i begin_sum(__m512i value)
{
    __asm__ volatile("" : "+v"(value));
    return value;
}

/* Prefetches 256 bytes from p on, if `fetch`. */
ITH_INLINE void fetch_lines(const bool fetch, const uint8_t *p)
{
#pragma GCC unroll 4
    for (int i = 0; fetch && i < 4; i++)
        ith_fetch_l1(p + 64 * i);
}

ITH_INLINE __m512i broadcast_quad(const void *p)
{
    return _mm512_set1_epi32(*(const ith_loose_i32 *)p);
}

/* The first n of sixteen lanes, n clamped to [0, 16]. */
ITH_INLINE __mmask16 first_lanes(int64_t n)
{
    return n >= 16 ? (__mmask16)0xffff : n <= 0 ? (__mmask16)0 : (__mmask16)((1u << n) - 1u);
}

ITH_INLINE __m512 load_bf16(const uint16_t *p)
{
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16));
}

ITH_INLINE __m512 load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}

/* 2^f */
ITH_INLINE __m512 exp2_poly(__m512 f)
{
    __m512 p = _mm512_set1_ps(ITH_EXP2_C5);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(ITH_EXP2_C4));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(ITH_EXP2_C3));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(ITH_EXP2_C2));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(ITH_EXP2_C1));
    return _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
}

/* 2^f * 2^n for shifted = n + ITH_ROUNDER on the lanes of `keep`, 0 elsewhere. */
ITH_INLINE __m512 exp2_of(__mmask16 keep, __m512 f, __m512 shifted)
{
    __m512i power = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(
        _mm512_maskz_add_epi32(keep, _mm512_castps_si512(exp2_poly(f)), power));
}

/* ith_exp2 for x in [-126, 127] on the lanes of `keep`, 0 elsewhere. */
ITH_INLINE __m512 exp2_kept(__mmask16 keep, __m512 x)
{
    const __m512 rounder = _mm512_set1_ps(ITH_ROUNDER);
    __m512 shifted = _mm512_add_ps(x, rounder);
    return exp2_of(keep, _mm512_sub_ps(x, _mm512_sub_ps(shifted, rounder)), shifted);
}

/* x limited to [least, most]. NaN stays: max and min give their second operand for it. */
ITH_INLINE __m512 clamped(__m512 x, __m512 least, __m512 most)
{
    return _mm512_min_ps(most, _mm512_max_ps(least, x));
}

/* ith_exp2_clamped on all lanes. */
ITH_INLINE __m512 exp2_clamped(__m512 x)
{
    const __m512 rounder = _mm512_set1_ps(ITH_ROUNDER),
                 y = clamped(x, _mm512_set1_ps(-126.0f), _mm512_set1_ps(126.0f)),
                 shifted = _mm512_add_ps(y, rounder);
    const __m512i power = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23),
                  one = _mm512_set1_epi32((int)ITH_ONE_BITS);
    return _mm512_mul_ps(exp2_poly(_mm512_sub_ps(y, _mm512_sub_ps(shifted, rounder))),
                         _mm512_castsi512_ps(_mm512_add_epi32(power, one)));
}

/* ith_tanh_of on all lanes. */
ITH_INLINE __m512 tanh_of(__m512 y)
{
    const __m512 one = _mm512_set1_ps(1.0f), below = _mm512_add_ps(one, exp2_clamped(y));
    return _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), below));
}

/* ith_exp2 on the lanes of `keep`, 0 elsewhere and for NaN. */
ITH_INLINE __m512 exp2_lanes(__mmask16 keep, __m512 x)
{
    return exp2_kept(_mm512_mask_cmp_ps_mask(keep, x, _mm512_set1_ps(-126.0f), _CMP_GE_OQ), x);
}

/* The tree of lanes16. */
ITH_INLINE float lanes16_sum(__m512 lanes)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

#endif
