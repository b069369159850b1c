/* peak_avx512bw.c - peaks of AVX-512 without VNNI. */
#include "simd/avx512bw/peak_avx512.h"
#include "simd/prefetch.h"

static uint32_t integer(int64_t rounds)
{
    volatile char one = 1;
    const __m512i b = _mm512_set1_epi8(one), ones = _mm512_set1_epi16(one);
    __m512i acc[ITH_PEAK_SUMS], a = b;

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < ITH_PEAK_SUMS; i++) {
            __asm__ volatile("" : "+v"(a)); /* so that the product is computed every time */
            acc[i] = _mm512_add_epi32(acc[i], _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
        }
    for (int i = 1; i < ITH_PEAK_SUMS; i++)
        acc[0] = _mm512_add_epi32(acc[0], acc[i]);
    return ith_sum_lanes32(acc[0]);
}

uint32_t ith_peak_f32__avx512bw(int64_t rounds)
{
    volatile float one = 1;
    const __m512 a = _mm512_set1_ps(one), b = _mm512_set1_ps(one);
    __m512 acc[ITH_PEAK_SUMS];
    __m512d sum = _mm512_setzero_pd();

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = _mm512_setzero_ps();
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < ITH_PEAK_SUMS; i++)
            acc[i] = _mm512_fmadd_ps(a, b, acc[i]);
    for (int i = 0; i < ITH_PEAK_SUMS; i++) {
        sum = _mm512_add_pd(sum, _mm512_cvtps_pd(_mm512_castps512_ps256(acc[i])));
        sum = _mm512_add_pd(sum, _mm512_cvtps_pd(_mm512_extractf32x8_ps(acc[i], 1)));
    }
    return (uint32_t)(uint64_t)_mm512_reduce_add_pd(sum);
}

uint64_t ith_peak_read__avx512bw(const void *buf, size_t bytes)
{
    const uint8_t *p = buf;
    __m512i acc[8];

    for (int j = 0; j < 8; j++)
        acc[j] = _mm512_setzero_si512();
    for (size_t i = 0; i < bytes; i += 512)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) {
            ith_fetch_l1(p + i + 64 * j + 4096);
            acc[j] = _mm512_add_epi64(acc[j], _mm512_load_si512(p + i + 64 * j));
        }
    for (int j = 1; j < 8; j++)
        acc[0] = _mm512_add_epi64(acc[0], acc[j]);
    return ith_sum_lanes64(acc[0]);
}

const ith_peaks ith_peaks__avx512bw = {
    .name = "avx512bw",
    .integer = {"vpmaddubsw + vpmaddwd + vpaddd zmm", ITH_PEAK_SUMS * 64 * 2, integer},
    .f32 = {"vfmadd231ps zmm", ITH_PEAK_SUMS * 16 * 2, ith_peak_f32__avx512bw},
    .read = ith_peak_read__avx512bw,
};
