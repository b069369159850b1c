/* peak_neon.h - what the peaks (peaks.h) of the NEON levels share. */
#ifndef ITH_SIMD_PEAK_NEON_H
#define ITH_SIMD_PEAK_NEON_H

#include "simd/peaks.h"

#include <arm_neon.h>

enum {
    ITH_PEAK_SUMS = 16
}; /* independent sums: four instructions a cycle with a latency of four */

static inline uint32_t ith_peak_sum(const int32x4_t acc[ITH_PEAK_SUMS])
{
    int32x4_t sum = acc[0];
    for (int i = 1; i < ITH_PEAK_SUMS; i++)
        sum = vaddq_s32(sum, acc[i]);
    return (uint32_t)vaddvq_s32(sum);
}

uint32_t ith_peak_f32__neon(int64_t rounds);
uint64_t ith_peak_read__neon(const void *buf, size_t bytes);

#endif
