/* peak_i8mm.c - peaks of NEON with matrix products of int8. */
#include "simd/neon/peak_neon.h"

static uint32_t integer(int64_t rounds)
{
    volatile int8_t one = 1;
    const int8x16_t a = vdupq_n_s8(one), b = a;
    int32x4_t acc[ITH_PEAK_SUMS];

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = vdupq_n_s32(0);
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < ITH_PEAK_SUMS; i++)
            acc[i] = vmmlaq_s32(acc[i], a, b);
    return ith_peak_sum(acc);
}

const ith_peaks ith_peaks__i8mm = {
    .name = "i8mm",
    .integer = {"smmla", ITH_PEAK_SUMS * 32 * 2, integer},
    .f32 = {"fmla 4s", ITH_PEAK_SUMS * 4 * 2, ith_peak_f32__neon},
    .read = ith_peak_read__neon,
};
