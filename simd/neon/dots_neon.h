/* dots_neon.h - integer products for plain Armv8.0, exact in 16 bits before they are widened.
 *
 * Weight tiles, keys and values are all stored in quads: a register holds four bytes of each of
 * four lanes (rows of a tile, keys, channels), and the next four bytes of these lanes follow
 * `stride` bytes later. The other operand is `rows` (1 to MAX_TOKENS) plain rows of bytes.
 * dots[r][v], of `regs` (2 or 4) adjacent registers, gets the sums of lanes 4v..4v+3 with row r.
 *
 * zero[r] is -128 * the sum of row r: levels that multiply a biased operand as it is stored add it.
 *
 * dots_dotprod.h and dots_i8mm.h define the same three functions and MAX_TOKENS. All are for
 * gemm_frame_neon.h and attn_q8_frame_neon.h; rows and regs are constants after inlining.
 */
#ifndef ITH_SIMD_NEON_DOTS_H
#define ITH_SIMD_NEON_DOTS_H

#include "simd/neon/vec_neon.h"

enum { MAX_TOKENS = 4 }; /* tokens of a register tile of a product */

#define EACH_NARROW _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
#define EACH_PAIR   _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++)

/* Four bytes at any address, in both halves. */
ITH_INLINE int8x8_t twice_quad(const void *p)
{
    int32_t quad;
    memcpy(&quad, p, 4);
    return vreinterpret_s8_s32(vdup_n_s32(quad));
}

/* Sums over n bytes, a multiple of 8, of (wide - 128) times the rows. wide is u8 and the bytes of
 * the rows are at least -127, so two products, at most 2 * 128 * 127, fit into 16 bits. */
ITH_INLINE void dot_biased(const int rows, const int regs, const uint8_t *wide, int64_t stride,
                           int n, const int8_t *const *narrow, const int32_t *zero,
                           int32x4_t (*dots)[4])
{
    const uint8x16_t bias = vdupq_n_u8(128);
    (void)zero;
#pragma GCC unroll 2
    for (int v = 0; v < regs; v += 2) {
        /* Of lanes 0 and 1 (low) and 2 and 3 (high) of each register, two sums per lane. */
        int32x4_t low[MAX_TOKENS][2], high[MAX_TOKENS][2];
        EACH_NARROW EACH_PAIR low[r][i] = high[r][i] = vdupq_n_s32(0);
        for (int c = 0; c < n; c += 8) {
            const uint8_t *at = wide + c / 4 * stride + 16 * v;
            int8x16_t first[2], second[2];
            EACH_PAIR first[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(at + 16 * i), bias));
            EACH_PAIR second[i] =
                vreinterpretq_s8_u8(veorq_u8(vld1q_u8(at + stride + 16 * i), bias));
            EACH_NARROW
            {
                const int8x8_t q0 = twice_quad(narrow[r] + c), q1 = twice_quad(narrow[r] + c + 4);
                EACH_PAIR
                {
                    const int16x8_t l = vmull_s8(vget_low_s8(first[i]), q0);
                    const int16x8_t h = vmull_s8(vget_high_s8(first[i]), q0);
                    low[r][i] = vpadalq_s16(low[r][i], vmlal_s8(l, vget_low_s8(second[i]), q1));
                    high[r][i] = vpadalq_s16(high[r][i], vmlal_s8(h, vget_high_s8(second[i]), q1));
                }
            }
        }
        EACH_NARROW EACH_PAIR dots[r][v + i] = vpaddq_s32(low[r][i], high[r][i]);
    }
}

/* A group of 32 columns: low nibbles times the first sixteen bytes of each row, high nibbles times
 * the others. The sums of 16 products of a nibble, at most 16 * 15 * 127, fit into 16 bits. */
ITH_INLINE void dot_nibbles(const int rows, const int regs, const uint8_t *packed, int64_t stride,
                            const int8_t *const *narrow, int32x4_t (*dots)[4])
{
    const uint8x16_t nibble = vdupq_n_u8(15);
#pragma GCC unroll 2
    for (int v = 0; v < regs; v += 2) {
        int16x8_t low[MAX_TOKENS][2], high[MAX_TOKENS][2];
        EACH_NARROW EACH_PAIR low[r][i] = high[r][i] = vdupq_n_s16(0);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            int8x16_t first[2], second[2];
            EACH_PAIR
            {
                const uint8x16_t pairs = vld1q_u8(packed + j * stride + 16 * (v + i));
                first[i] = vreinterpretq_s8_u8(vandq_u8(pairs, nibble));
                second[i] = vreinterpretq_s8_u8(vshrq_n_u8(pairs, 4));
            }
            EACH_NARROW
            {
                const int8x8_t q0 = twice_quad(narrow[r] + 4 * j),
                               q1 = twice_quad(narrow[r] + 16 + 4 * j);
                EACH_PAIR
                {
                    low[r][i] = vmlal_s8(low[r][i], vget_low_s8(first[i]), q0);
                    high[r][i] = vmlal_s8(high[r][i], vget_high_s8(first[i]), q0);
                    low[r][i] = vmlal_s8(low[r][i], vget_low_s8(second[i]), q1);
                    high[r][i] = vmlal_s8(high[r][i], vget_high_s8(second[i]), q1);
                }
            }
        }
        EACH_NARROW EACH_PAIR dots[r][v + i] = vpaddlq_s16(vpaddq_s16(low[r][i], high[r][i]));
    }
}

/* Sums over 64 bytes of values (s8) times weights (u8, the rows). The values are biased, so that
 * both are unsigned and a product fits into 16 bits. */
ITH_INLINE void dot_weights(const int rows, const uint8_t *values, int64_t stride,
                            const uint8_t *const *weights, const int32_t *zero,
                            int32x4_t (*dots)[4])
{
    const uint8x16_t bias = vdupq_n_u8(128);
#pragma GCC unroll 2
    for (int v = 0; v < 4; v += 2) {
        uint32x4_t low[MAX_TOKENS][2], high[MAX_TOKENS][2];
        EACH_NARROW EACH_PAIR low[r][i] = high[r][i] = vdupq_n_u32(0);
        for (int j = 0; j < 16; j++) {
            uint8x16_t value[2];
            EACH_PAIR value[i] = veorq_u8(vld1q_u8(values + j * stride + 16 * (v + i)), bias);
            EACH_NARROW
            {
                const uint8x8_t u = vreinterpret_u8_s8(twice_quad(weights[r] + 4 * j));
                EACH_PAIR
                {
                    low[r][i] = vpadalq_u16(low[r][i], vmull_u8(vget_low_u8(value[i]), u));
                    high[r][i] = vpadalq_u16(high[r][i], vmull_u8(vget_high_u8(value[i]), u));
                }
            }
        }
        EACH_NARROW EACH_PAIR dots[r][v + i] = vaddq_s32(
            vreinterpretq_s32_u32(vpaddq_u32(low[r][i], high[r][i])), vdupq_n_s32(zero[r]));
    }
}

#endif
