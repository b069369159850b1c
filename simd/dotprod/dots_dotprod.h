/* dots_dotprod.h - the functions of neon/dots_neon.h by sdot and udot: four bytes of four lanes at
 * once, times a quarter of a register of sixteen bytes. */
#ifndef ITH_SIMD_DOTPROD_DOTS_H
#define ITH_SIMD_DOTPROD_DOTS_H

#include "simd/neon/vec_neon.h"

/* 8 rows x 6 tokens: 12 integer and 12 float accumulators of the 32 registers */
enum { MAX_TOKENS = 6 };

#define EACH_NARROW _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)
#define EACH_REG    _Pragma("GCC unroll 4") for (int v = 0; v < regs; v++)

/* One quad. This is a macro because q must be a constant in the instruction. */
#define BIASED_QUAD(q)                                                                             \
    do {                                                                                           \
        int8x16_t w[4];                                                                            \
        EACH_REG w[v] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(at + (q)*stride + 16 * v), bias));   \
        EACH_NARROW EACH_REG dots[r][v] = vdotq_laneq_s32(dots[r][v], w[v], x[r], q);              \
    } while (0)

/* n is a multiple of 16. */
ITH_INLINE void dot_biased(const int rows, const int regs, const uint8_t *wide, int64_t stride,
                           int n, const int8_t *const *narrow, const int32_t *zero,
                           int32x4_t (*dots)[4])
{
    const uint8x16_t bias = vdupq_n_u8(128);
    (void)zero;
    EACH_NARROW EACH_REG dots[r][v] = vdupq_n_s32(0);
    for (int c = 0; c < n; c += 16) {
        const uint8_t *at = wide + c / 4 * stride;
        int8x16_t x[MAX_TOKENS];
        EACH_NARROW x[r] = vld1q_s8(narrow[r] + c);
        BIASED_QUAD(0);
        BIASED_QUAD(1);
        BIASED_QUAD(2);
        BIASED_QUAD(3);
    }
}

#define NIBBLE_QUAD(q)                                                                             \
    do {                                                                                           \
        uint8x16_t pairs[4];                                                                       \
        EACH_REG pairs[v] = vld1q_u8(packed + (q)*stride + 16 * v);                                \
        EACH_NARROW EACH_REG                                                                       \
        {                                                                                          \
            dots[r][v] = vdotq_laneq_s32(                                                          \
                dots[r][v], vreinterpretq_s8_u8(vandq_u8(pairs[v], nibble)), x[r][0], q);          \
            dots[r][v] = vdotq_laneq_s32(dots[r][v], vreinterpretq_s8_u8(vshrq_n_u8(pairs[v], 4)), \
                                         x[r][1], q);                                              \
        }                                                                                          \
    } while (0)

ITH_INLINE void dot_nibbles(const int rows, const int regs, const uint8_t *packed, int64_t stride,
                            const int8_t *const *narrow, int32x4_t (*dots)[4])
{
    const uint8x16_t nibble = vdupq_n_u8(15);
    int8x16_t x[MAX_TOKENS][2];
    EACH_NARROW
    {
        x[r][0] = vld1q_s8(narrow[r]);
        x[r][1] = vld1q_s8(narrow[r] + 16);
        EACH_REG dots[r][v] = vdupq_n_s32(0);
    }
    NIBBLE_QUAD(0);
    NIBBLE_QUAD(1);
    NIBBLE_QUAD(2);
    NIBBLE_QUAD(3);
}

#define WEIGHT_QUAD(q)                                                                             \
    do {                                                                                           \
        uint8x16_t w[4];                                                                           \
        EACH_REG w[v] = veorq_u8(vld1q_u8(at + (q)*stride + 16 * v), bias);                        \
        EACH_NARROW EACH_REG sum[r][v] = vdotq_laneq_u32(sum[r][v], w[v], u[r], q);                \
    } while (0)

/* The values are biased, so that both operands are unsigned. */
ITH_INLINE void dot_weights(const int rows, const uint8_t *values, int64_t stride,
                            const uint8_t *const *weights, const int32_t *zero,
                            int32x4_t (*dots)[4])
{
    const int regs = 4;
    const uint8x16_t bias = vdupq_n_u8(128);
    uint32x4_t sum[MAX_TOKENS][4];
    EACH_NARROW EACH_REG sum[r][v] = vdupq_n_u32((uint32_t)zero[r]);
    for (int j = 0; j < 64; j += 16) {
        const uint8_t *at = values + j / 4 * stride;
        uint8x16_t u[MAX_TOKENS];
        EACH_NARROW u[r] = vld1q_u8(weights[r] + j);
        WEIGHT_QUAD(0);
        WEIGHT_QUAD(1);
        WEIGHT_QUAD(2);
        WEIGHT_QUAD(3);
    }
    EACH_NARROW EACH_REG dots[r][v] = vreinterpretq_s32_u32(sum[r][v]);
}

#endif
