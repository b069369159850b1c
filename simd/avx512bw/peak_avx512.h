/* peak_avx512.h - what the peaks of the levels with 512-bit registers share; see simd/peaks.h. */
#ifndef ITH_SIMD_PEAK_AVX512_H
#define ITH_SIMD_PEAK_AVX512_H

#include "simd/peaks.h"

#include <immintrin.h>

enum { ITH_PEAK_SUMS = 12 }; /* independent sums: two instructions a cycle with a latency of five need ten */

uint32_t ith_peak_f32__avx512bw(int64_t rounds);
uint64_t ith_peak_read__avx512bw(const void *buf, size_t bytes);

#endif
