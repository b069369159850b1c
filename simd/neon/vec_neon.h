/* vec_neon.h - what the NEON kernels share: tails, the tree of lanes16, the exponential on four
 * lanes.
 *
 * The sixteen lanes of the contract are four registers: lane i is lane i % 4 of register i / 4.
 */
#ifndef ITH_SIMD_NEON_VEC_H
#define ITH_SIMD_NEON_VEC_H

#include "simd/ref/exp2.h"

#include <arm_neon.h>

#define ITH_INLINE static inline __attribute__((always_inline))

/* All bits in the first n of four lanes; n may be negative or above 4. */
ITH_INLINE uint32x4_t first_lanes(int64_t n)
{
    const int32_t index[4] = {0, 1, 2, 3};
    const int32_t count = n > 4 ? 4 : n < 0 ? 0 : (int32_t)n;
    return vcltq_s32(vld1q_s32(index), vdupq_n_s32(count));
}

/* The first n lanes at p; zeros in the others, which are not read. */
ITH_INLINE float32x4_t load_first(const float *p, int64_t n)
{
    if (n >= 4)
        return vld1q_f32(p);
    float32x4_t v = vdupq_n_f32(0.0f);
    if (n > 0)
        v = vld1q_lane_f32(p, v, 0);
    if (n > 1)
        v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2)
        v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}

ITH_INLINE void store_first(float *p, int64_t n, float32x4_t v)
{
    if (n >= 4) {
        vst1q_f32(p, v);
        return;
    }
    if (n > 0)
        vst1q_lane_f32(p, v, 0);
    if (n > 1)
        vst1q_lane_f32(p + 1, v, 1);
    if (n > 2)
        vst1q_lane_f32(p + 2, v, 2);
}

/* The larger of v and m; m where v is NaN, even a signalling one, which fmaxnm would pass on. */
ITH_INLINE float32x4_t larger(float32x4_t v, float32x4_t m)
{
    return vbslq_f32(vcgtq_f32(v, m), v, m);
}

ITH_INLINE float32x4_t keep_lanes(uint32x4_t keep, float32x4_t v)
{
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), keep));
}

ITH_INLINE float32x4_t load_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

ITH_INLINE float32x4_t load_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

/* 2^f */
ITH_INLINE float32x4_t exp2_poly(float32x4_t f)
{
    float32x4_t p = vdupq_n_f32(ITH_EXP2_C5);
    p = vfmaq_f32(vdupq_n_f32(ITH_EXP2_C4), p, f);
    p = vfmaq_f32(vdupq_n_f32(ITH_EXP2_C3), p, f);
    p = vfmaq_f32(vdupq_n_f32(ITH_EXP2_C2), p, f);
    p = vfmaq_f32(vdupq_n_f32(ITH_EXP2_C1), p, f);
    return vfmaq_f32(vdupq_n_f32(1.0f), p, f);
}

/* 2^f * 2^n for shifted = n + ITH_ROUNDER. */
ITH_INLINE float32x4_t exp2_of(float32x4_t f, float32x4_t shifted)
{
    const uint32x4_t power = vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23);
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(exp2_poly(f)), power));
}

/* ith_exp2 for x in [-126, 127]. */
ITH_INLINE float32x4_t exp2_normal(float32x4_t x)
{
    const float32x4_t rounder = vdupq_n_f32(ITH_ROUNDER), shifted = vaddq_f32(x, rounder);
    return exp2_of(vsubq_f32(x, vsubq_f32(shifted, rounder)), shifted);
}

/* ith_exp2_clamped on all lanes. */
ITH_INLINE float32x4_t exp2_clamped(float32x4_t x)
{
    const float32x4_t rounder = vdupq_n_f32(ITH_ROUNDER),
                      y = vminq_f32(vmaxq_f32(x, vdupq_n_f32(-126.0f)), vdupq_n_f32(126.0f)),
                      shifted = vaddq_f32(y, rounder);
    const uint32x4_t power = vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23);
    return vmulq_f32(exp2_poly(vsubq_f32(y, vsubq_f32(shifted, rounder))),
                     vreinterpretq_f32_u32(vaddq_u32(power, vdupq_n_u32(ITH_ONE_BITS))));
}

/* ith_tanh_of on all lanes. */
ITH_INLINE float32x4_t tanh_of(float32x4_t y)
{
    const float32x4_t one = vdupq_n_f32(1.0f), below = vaddq_f32(one, exp2_clamped(y));
    return vsubq_f32(one, vdivq_f32(vdupq_n_f32(2.0f), below));
}

/* ith_exp2; 0 for NaN. */
ITH_INLINE float32x4_t exp2_lanes(float32x4_t x)
{
    return keep_lanes(vcgeq_f32(x, vdupq_n_f32(-126.0f)), exp2_normal(x));
}

/* The tree of lanes16. */
ITH_INLINE float lanes16_sum(const float32x4_t lane[4])
{
    const float32x4_t a = vaddq_f32(vaddq_f32(lane[0], lane[2]), vaddq_f32(lane[1], lane[3]));
    const float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
}

#endif
