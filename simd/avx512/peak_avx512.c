/* peak_avx512.c - peaks of AVX-512 with VNNI. */
#include "simd/avx512bw/peak_avx512.h"

static uint32_t integer(int64_t rounds)
{
    volatile char one = 1;
    const __m512i a = _mm512_set1_epi8(one), b = _mm512_set1_epi8(one);
    __m512i acc[ITH_PEAK_SUMS];

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < ITH_PEAK_SUMS; i++)
            acc[i] = _mm512_dpbusd_epi32(acc[i], a, b);
    for (int i = 1; i < ITH_PEAK_SUMS; i++)
        acc[0] = _mm512_add_epi32(acc[0], acc[i]);
    return ith_sum_lanes32(acc[0]);
}

const ith_peaks ith_peaks__avx512 = {
    .name = "avx512",
    .integer = {"vpdpbusd zmm", ITH_PEAK_SUMS * 64 * 2, integer},
    .f32 = {"vfmadd231ps zmm", ITH_PEAK_SUMS * 16 * 2, ith_peak_f32__avx512bw},
    .read = ith_peak_read__avx512bw,
};
