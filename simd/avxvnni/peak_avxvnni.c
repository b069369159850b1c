/* peak_avxvnni.c - peaks of AVX-VNNI. */
#include "simd/avx2/peak_avx2.h"

static uint32_t integer(int64_t rounds)
{
    volatile char one = 1;
    const __m256i a = _mm256_set1_epi8(one), b = a;
    __m256i acc[ITH_PEAK_SUMS];

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = _mm256_setzero_si256();
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 10
        for (int i = 0; i < ITH_PEAK_SUMS; i++)
            acc[i] = _mm256_dpbusd_avx_epi32(acc[i], a, b);
    return ith_peak_sum(acc);
}

const ith_peaks ith_peaks__avxvnni = {
    .name = "avxvnni",
    .integer = {"vpdpbusd ymm", ITH_PEAK_SUMS * 32 * 2, integer},
    .f32 = {"vfmadd231ps ymm", ITH_PEAK_SUMS * 8 * 2, ith_peak_f32__avx2},
    .read = ith_peak_read__avx2,
};
