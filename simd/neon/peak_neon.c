/* peak_neon.c - peaks of plain NEON. */
#include "simd/neon/peak_neon.h"

static uint32_t integer(int64_t rounds)
{
    volatile int8_t one = 1;
    const int8x16_t b = vdupq_n_s8(one);
    int8x16_t a = b;
    int32x4_t acc[ITH_PEAK_SUMS];

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = vdupq_n_s32(0);
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < ITH_PEAK_SUMS; i++) {
            int16x8_t products;
            __asm__ volatile("" : "+w"(a)); /* so that the product is computed every time */
            products = vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
            acc[i] = vpadalq_s16(acc[i], products);
        }
    return ith_peak_sum(acc);
}

uint32_t ith_peak_f32__neon(int64_t rounds)
{
    volatile float one = 1;
    const float32x4_t a = vdupq_n_f32(one), b = a;
    float32x4_t acc[ITH_PEAK_SUMS];
    double sum = 0;

    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        acc[i] = vdupq_n_f32(0);
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < ITH_PEAK_SUMS; i++)
            acc[i] = vfmaq_f32(acc[i], a, b);
    for (int i = 0; i < ITH_PEAK_SUMS; i++)
        sum += vaddvq_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(acc[i])), vcvt_high_f64_f32(acc[i])));
    return (uint32_t)(uint64_t)sum;
}

uint64_t ith_peak_read__neon(const void *buf, size_t bytes)
{
    const uint64_t *p = buf;
    uint64x2_t acc[8];

    for (int j = 0; j < 8; j++)
        acc[j] = vdupq_n_u64(0);
    for (size_t i = 0; i < bytes / 8; i += 16)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++)
            acc[j] = vaddq_u64(acc[j], vld1q_u64(p + i + 2 * j));
    for (int j = 1; j < 8; j++)
        acc[0] = vaddq_u64(acc[0], acc[j]);
    return vaddvq_u64(acc[0]);
}

const ith_peaks ith_peaks__neon = {
    .name = "neon",
    .integer = {"smull + smlal2 + sadalp", ITH_PEAK_SUMS * 16 * 2, integer},
    .f32 = {"fmla 4s", ITH_PEAK_SUMS * 4 * 2, ith_peak_f32__neon},
    .read = ith_peak_read__neon,
};
