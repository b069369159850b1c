/* peak_avx2.h - what the peaks (peaks.h) of the levels with 256-bit registers share. */
#ifndef ITH_SIMD_PEAK_AVX2_H
#define ITH_SIMD_PEAK_AVX2_H

#include "simd/peaks.h"

#include <immintrin.h>

/* Independent sums: two instructions per cycle with a latency of five cycles. */
enum { ITH_PEAK_SUMS = 10 };

static inline uint32_t ith_peak_sum(const __m256i acc[ITH_PEAK_SUMS])
{
    uint32_t lanes[8], sum = 0;
    __m256i total = acc[0];
    for (int i = 1; i < ITH_PEAK_SUMS; i++)
        total = _mm256_add_epi32(total, acc[i]);
    _mm256_storeu_si256((__m256i *)(void *)lanes, total);
    for (int i = 0; i < 8; i++)
        sum += lanes[i];
    return sum;
}

uint32_t ith_peak_f32__avx2(int64_t rounds);
uint64_t ith_peak_read__avx2(const void *buf, size_t bytes);

#endif
