/* finite.h - are numbers finite? Read from their bits, so that no compiler flag can answer. */
#ifndef ITH_BASE_FINITE_H
#define ITH_BASE_FINITE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The largest |x| of n floats, 0 if n is 0. NaN counts as larger than infinity. */
static inline float ith_largest_abs(const float *x, int64_t n)
{
    int32_t largest = 0;
    float result;

    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
    }
    memcpy(&result, &largest, sizeof result);
    return result;
}

/* Is none of the n floats NaN or infinite? */
static inline bool ith_all_finite(const float *x, int64_t n)
{
    float largest = ith_largest_abs(x, n);
    int32_t bits;

    memcpy(&bits, &largest, sizeof bits);
    return bits < 0x7f800000;
}

/* The same for an IEEE half and a bfloat16. */
static inline bool ith_f16_is_finite(uint16_t half)
{
    return (half & 0x7c00) != 0x7c00;
}

static inline bool ith_bf16_is_finite(uint16_t x)
{
    return (x & 0x7f80) != 0x7f80;
}

#endif
