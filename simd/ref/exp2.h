/* exp2.h - the exponential, the rounding and the sums that kernels.h fixes, as scalar code.
 *
 * 2^x = 2^n * 2^f with n = rne(x) and f = x - n in [-1/2, 1/2]. 2^f is a polynomial of degree 5,
 * 1 + f * (c1 + f * (c2 + ...)), evaluated by fma from the highest coefficient down. Among the
 * polynomials with value 1 at 0, it has the smallest maximal relative error over [-1/2, 1/2]
 * (Lawson's reweighted least squares on 4,001 Chebyshev points); the coefficients are rounded to
 * binary32. The maximal relative error is 1.1e-7 in exact arithmetic and 1.7e-7 with the roundings
 * of the fma chain (tests/kernels/test_reference.c measures it). The value 1 at 0 makes ith_exp2 of
 * an integer exact, and keeps results normal down to x = -126.
 */
#ifndef ITH_SIMD_REF_EXP2_H
#define ITH_SIMD_REF_EXP2_H

#include "simd/half.h"
#include "simd/kernels.h"

#include <math.h>

#define ITH_EXP2_C1 0x1.62e42ap-1f
#define ITH_EXP2_C2 0x1.ebf9bcp-3f
#define ITH_EXP2_C3 0x1.c6b752p-5f
#define ITH_EXP2_C4 0x1.3cea88p-7f
#define ITH_EXP2_C5 0x1.5bba14p-10f

#define ITH_LOG2E 0x1.715476p+0f

/* 1.5 * 2^23. For |x| < 2^22, adding it rounds x to an integer, which then stands in the low
 * mantissa bits in two's complement. */
#define ITH_ROUNDER 12582912.0f

#define ITH_ONE_BITS 0x3f800000u /* of 1.0f */

/* rne(x) as an integer for |x| < 2^22; for any other x, NaN included, some integer. */
static inline int32_t ith_rne_int(float x)
{
    return (int32_t)(ith_f32_bits(x + ITH_ROUNDER) - 0x4b400000u);
}

/* 2^f for f in [-1/2, 1/2]. */
static inline float ith_exp2_poly(float f)
{
    float p = ITH_EXP2_C5;
    p = fmaf(p, f, ITH_EXP2_C4);
    p = fmaf(p, f, ITH_EXP2_C3);
    p = fmaf(p, f, ITH_EXP2_C2);
    p = fmaf(p, f, ITH_EXP2_C1);
    return fmaf(p, f, 1.0f);
}

/* 2^f * 2^n for f in [-1/2, 1/2] and shifted = n + ITH_ROUNDER. */
static inline float ith_exp2_of(float f, float shifted)
{
    return ith_f32_from_bits(ith_f32_bits(ith_exp2_poly(f)) + (ith_f32_bits(shifted) << 23));
}

/* ith_exp2 for x in [-126, 127]. */
static inline float ith_exp2_normal(float x)
{
    float shifted = x + ITH_ROUNDER, f = x - (shifted - ITH_ROUNDER);
    return ith_exp2_of(f, shifted);
}

/* ith_exp2; 0 for NaN. */
static inline float ith_exp2_inline(float x)
{
    return x >= -126.0f ? ith_exp2_normal(x) : 0.0f;
}

/* NaN stays. */
static inline float ith_clamp126(float x)
{
    return x < -126.0f ? -126.0f : x > 126.0f ? 126.0f : x;
}

/* ith_exp2 of x clamped to [-126, 126]; NaN for NaN. So here 2^f and 2^n are multiplied, which is
 * exact; a sum of their bits can be a number where 2^f is NaN. */
static inline float ith_exp2_clamped(float x)
{
    float y = ith_clamp126(x), shifted = y + ITH_ROUNDER, f = y - (shifted - ITH_ROUNDER);
    return ith_exp2_poly(f) * ith_f32_from_bits((ith_f32_bits(shifted) << 23) + ITH_ONE_BITS);
}

/* tanh(x), of y = 2 log2(e) x: (2^y - 1) / (2^y + 1). */
#define ITH_2LOG2E 0x1.715476p+1f

static inline float ith_tanh_of(float y)
{
    return 1.0f - 2.0f / (1.0f + ith_exp2_clamped(y));
}

/* ln(1 + u) = 2 artanh(z) for u in [0, 1] and z = u / (2 + u), which is at most 1/3: the terms that
 * are left out are below 2e-10 of it. */
static inline float ith_artanh_terms(float y)
{
    float p = 1.0f / 17.0f;
    p = fmaf(p, y, 1.0f / 15.0f);
    p = fmaf(p, y, 1.0f / 13.0f);
    p = fmaf(p, y, 1.0f / 11.0f);
    p = fmaf(p, y, 1.0f / 9.0f);
    p = fmaf(p, y, 1.0f / 7.0f);
    p = fmaf(p, y, 1.0f / 5.0f);
    p = fmaf(p, y, 1.0f / 3.0f);
    return fmaf(p, y, 1.0f);
}

/* The constants of the kernel gelu: -2 log2(e) sqrt(2 / pi), and 0.044715 times that. */
#define ITH_GELU_1 -2.3022082f
#define ITH_GELU_3 -0.10294324f

/* The constants of the kernel gelu_erf. With t = 1 / (1 + T a), erfc(a / sqrt(2)) / 2 is
 * exp(-a^2 / 2) times a polynomial in t without constant (the form of Abramowitz and Stegun,
 * 7.1.26); these seven coefficients have a relative error of at most 8.8e-7 for a in [0, 14], after
 * Lawson's reweighted least squares. E is -log2(e) / 2. */
#define ITH_ERF_T 0x1.70a3d8p-2f
#define ITH_ERF_1 0x1.26530cp-3f
#define ITH_ERF_2 0x1.22595p-3f
#define ITH_ERF_3 0x1.1e26b2p-3f
#define ITH_ERF_4 0x1.b2da08p-6f
#define ITH_ERF_5 0x1.729e24p-3f
#define ITH_ERF_6 -0x1.702cf2p-3f
#define ITH_ERF_7 0x1.818166p-5f
#define ITH_ERF_E -0x1.715476p-1f

/* 2^(t * q - m) for an integer m, as attention over the int8 cache computes it: one fma splits the
 * exponent into its integer and its fraction, and results below 2^-100.5 are 0.
 * base = ITH_ROUNDER - m. */
#define ITH_SHIFTED_LEAST (ITH_ROUNDER - 100.0f)

static inline float ith_exp2_score(float t, float q, float base)
{
    float shifted = fmaf(t, q, base), f = fmaf(t, q, base - shifted);
    return shifted >= ITH_SHIFTED_LEAST ? ith_exp2_of(f, shifted) : 0.0f;
}

/* The tree of lanes16. */
static inline float ith_lanes16_sum(const float lane[16])
{
    float a[8], b[4];
    for (int j = 0; j < 8; j++)
        a[j] = lane[j] + lane[j + 8];
    for (int j = 0; j < 4; j++)
        b[j] = a[j] + a[j + 4];
    return (b[0] + b[2]) + (b[1] + b[3]);
}

/* "a / x, finite": a scale too small to be inverted gives the largest float instead of infinity.
 * x >= 0, not NaN. */
static inline float ith_inverse(float a, float x)
{
    float inv = a / x;
    return x > 0.0f ? (inv < 0x1.fffffep+127f ? inv : 0x1.fffffep+127f) : 0.0f;
}

/* The scale of a group of activations, as the kernel quantize rounds and limits it; of NaN the
 * largest. */
static inline float ith_act_scale(float amax)
{
    const float scale = amax * (1.0f / 127.0f);
    const float limited = scale < ITH_ACT_SCALE_MOST ? scale : ITH_ACT_SCALE_MOST;
    return ith_f32_from_bits((ith_f32_bits(limited) + 2u) & ~3u);
}

#endif
