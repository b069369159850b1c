/* peak_avx512.h - what the peaks (peaks.h) of the levels with 512-bit registers share. */
#ifndef ITH_SIMD_PEAK_AVX512_H
#define ITH_SIMD_PEAK_AVX512_H

#include "simd/peaks.h"

#include <immintrin.h>

enum {
    ITH_PEAK_SUMS = 12
}; /* independent sums: two instructions a cycle with a latency of five need ten */

uint32_t ith_peak_f32__avx512bw(int64_t rounds);
uint64_t ith_peak_read__avx512bw(const void *buf, size_t bytes);

/* The sum of the lanes as unsigned numbers: it may wrap, and the reductions of immintrin.h add
 * signed numbers. */
static inline uint32_t ith_sum_lanes32(__m512i v)
{
    uint32_t lane[16], sum = 0;
    _mm512_storeu_si512(lane, v);
    for (int i = 0; i < 16; i++)
        sum += lane[i];
    return sum;
}

static inline uint64_t ith_sum_lanes64(__m512i v)
{
    uint64_t lane[8], sum = 0;
    _mm512_storeu_si512(lane, v);
    for (int i = 0; i < 8; i++)
        sum += lane[i];
    return sum;
}

#endif
