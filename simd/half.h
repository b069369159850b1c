/* half.h - conversions between bf16, f16 and f32 in plain C, exact to the bit.
 *
 * f16 is IEEE 754 binary16; bf16 is the upper half of binary32.
 */
#ifndef ITH_SIMD_HALF_H
#define ITH_SIMD_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t ith_f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float ith_f32_from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float ith_bf16_to_f32(uint16_t h)
{
    return ith_f32_from_bits((uint32_t)h << 16);
}

/* Nearest, ties to even; NaN stays NaN. */
static inline uint16_t ith_f32_to_bf16(float x)
{
    uint32_t u = ith_f32_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

/* The smallest bf16 that is not below x. x >= 0. */
static inline uint16_t ith_f32_to_bf16_up(float x)
{
    uint32_t u = ith_f32_bits(x);
    return (uint16_t)((u >> 16) + ((u & 0xffffu) != 0));
}

static inline float ith_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 0x1fu,
             mantissa = h & 0x3ffu;
    if (exponent == 0) /* zero or subnormal: mantissa * 2^-24, exact */
        return ith_f32_from_bits(sign | ith_f32_bits((float)mantissa * 5.9604644775390625e-8f));
    if (exponent == 31)
        return ith_f32_from_bits(sign | 0x7f800000u | mantissa << 13);
    return ith_f32_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* Nearest, ties to even; past the range: infinity. */
static inline uint16_t ith_f32_to_f16(float x)
{
    uint32_t u = ith_f32_bits(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (a >= 0x477ff000u) /* 65520 and up */
        return (uint16_t)(sign | 0x7c00u);
    if (a < 0x38800000u) {
        /* Below 2^-14 f16 is subnormal. Adding 0.5 rounds the mantissa to a multiple of 2^-24. */
        uint32_t r = ith_f32_bits(ith_f32_from_bits(a) + 0.5f);
        return (uint16_t)(sign | (r - 0x3f000000u));
    }
    return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13));
}

#endif
