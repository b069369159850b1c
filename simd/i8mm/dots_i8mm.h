/* dots_i8mm.h - the functions of neon/dots_neon.h by usmmla, or usdot for a single row; biased
 * operands are multiplied as they are stored.
 *
 * usmmla multiplies two rows of eight bytes by two rows of eight bytes, to 2 x 2 sums. One zip,
 * which all rows share, turns two quads of the same lanes, `stride` apart, into lanes of eight
 * bytes. Rows go in pairs, the last one twice if their number is odd. A usmmla does the work of two
 * sdot.
 */
#ifndef ITH_SIMD_I8MM_DOTS_H
#define ITH_SIMD_I8MM_DOTS_H

#include "simd/neon/vec_neon.h"

enum { MAX_TOKENS = 6, MAX_PAIRS = MAX_TOKENS / 2 };

#define EACH_PAIR  _Pragma("GCC unroll 3") for (int p = 0; p < (rows + 1) / 2; p++)
#define EACH_REG   _Pragma("GCC unroll 4") for (int v = 0; v < regs; v++)
#define EACH_OCTET _Pragma("GCC unroll 2") for (int o = 0; o < 2; o++)

/* Eight bytes each of lanes 0 and 1 (low) and of lanes 2 and 3 (high), from two registers of
 * quads. */
typedef struct lane_pairs {
    uint8x16_t low, high;
} lane_pairs;

ITH_INLINE lane_pairs join_quads(uint8x16_t first, uint8x16_t second)
{
    const uint32x4_t a = vreinterpretq_u32_u8(first), b = vreinterpretq_u32_u8(second);
    return (lane_pairs){vreinterpretq_u8_u32(vzip1q_u32(a, b)),
                        vreinterpretq_u8_u32(vzip2q_u32(a, b))};
}

/* Sixteen bytes of two rows: octets[0] gets the first eight of both, octets[1] the others. */
ITH_INLINE void load_octets(const void *first, const void *second, uint8x16_t octets[2])
{
    const uint64x2_t a = vreinterpretq_u64_u8(vld1q_u8(first)),
                     b = vreinterpretq_u64_u8(vld1q_u8(second));
    octets[0] = vreinterpretq_u8_u64(vzip1q_u64(a, b));
    octets[1] = vreinterpretq_u8_u64(vzip2q_u64(a, b));
}

/* Sums of a register of lanes with two rows: of lanes 0 and 1 (low), and of 2 and 3 (high). */
typedef struct sums {
    int32x4_t low, high;
} sums;

ITH_INLINE void add_products(sums *s, lane_pairs lanes, uint8x16_t rows)
{
    s->low = vusmmlaq_s32(s->low, lanes.low, vreinterpretq_s8_u8(rows));
    s->high = vusmmlaq_s32(s->high, lanes.high, vreinterpretq_s8_u8(rows));
}

/* Rearranges sums with pairs of rows to one register per row. zero: what to add, or NULL. */
ITH_INLINE void spread_sums(const int rows, const int regs, sums (*acc)[4], const int32_t *zero,
                            int32x4_t (*dots)[4])
{
    EACH_PAIR EACH_REG
    {
        const int32x4_t even = vuzp1q_s32(acc[p][v].low, acc[p][v].high);
        dots[2 * p][v] = zero ? vaddq_s32(even, vdupq_n_s32(zero[2 * p])) : even;
        if (2 * p + 1 < rows) {
            const int32x4_t odd = vuzp2q_s32(acc[p][v].low, acc[p][v].high);
            dots[2 * p + 1][v] = zero ? vaddq_s32(odd, vdupq_n_s32(zero[2 * p + 1])) : odd;
        }
    }
}

#define SECOND_OF(p) (2 * (p) + 1 < rows ? 2 * (p) + 1 : rows - 1)

#define BIASED_QUAD(q)                                                                             \
    EACH_REG dots[0][v] = vusdotq_laneq_s32(dots[0][v], vld1q_u8(at + (q)*stride + 16 * v), x, q)

ITH_INLINE void dot_biased_single(const int regs, const uint8_t *wide, int64_t stride, int n,
                                  const int8_t *narrow, int32_t zero, int32x4_t (*dots)[4])
{
    EACH_REG dots[0][v] = vdupq_n_s32(zero);
    for (int c = 0; c < n; c += 16) {
        const uint8_t *at = wide + c / 4 * stride;
        const int8x16_t x = vld1q_s8(narrow + c);
        BIASED_QUAD(0);
        BIASED_QUAD(1);
        BIASED_QUAD(2);
        BIASED_QUAD(3);
    }
}

/* n is a multiple of 16. */
ITH_INLINE void dot_biased(const int rows, const int regs, const uint8_t *wide, int64_t stride,
                           int n, const int8_t *const *narrow, const int32_t *zero,
                           int32x4_t (*dots)[4])
{
    if (rows == 1) {
        dot_biased_single(regs, wide, stride, n, narrow[0], zero[0], dots);
        return;
    }
    sums acc[MAX_PAIRS][4];
    EACH_PAIR EACH_REG acc[p][v].low = acc[p][v].high = vdupq_n_s32(0);
    for (int c = 0; c < n; c += 16) {
        uint8x16_t x[MAX_PAIRS][2];
        EACH_PAIR load_octets(narrow[2 * p] + c, narrow[SECOND_OF(p)] + c, x[p]);
        EACH_OCTET
        {
            const uint8_t *at = wide + (c / 4 + 2 * o) * stride;
            EACH_REG
            {
                const lane_pairs lanes =
                    join_quads(vld1q_u8(at + 16 * v), vld1q_u8(at + stride + 16 * v));
                EACH_PAIR add_products(&acc[p][v], lanes, x[p][o]);
            }
        }
    }
    spread_sums(rows, regs, acc, zero, dots);
}

#define NIBBLE_QUAD(q)                                                                             \
    EACH_REG                                                                                       \
    {                                                                                              \
        const uint8x16_t pairs = vld1q_u8(packed + (q)*stride + 16 * v);                           \
        dots[0][v] = vusdotq_laneq_s32(dots[0][v], vandq_u8(pairs, vdupq_n_u8(15)), first, q);     \
        dots[0][v] = vusdotq_laneq_s32(dots[0][v], vshrq_n_u8(pairs, 4), second, q);               \
    }

ITH_INLINE void dot_nibbles_single(const int regs, const uint8_t *packed, int64_t stride,
                                   const int8_t *narrow, int32x4_t (*dots)[4])
{
    const int8x16_t first = vld1q_s8(narrow), second = vld1q_s8(narrow + 16);
    EACH_REG dots[0][v] = vdupq_n_s32(0);
    NIBBLE_QUAD(0)
    NIBBLE_QUAD(1)
    NIBBLE_QUAD(2)
    NIBBLE_QUAD(3)
}

ITH_INLINE void dot_nibbles(const int rows, const int regs, const uint8_t *packed, int64_t stride,
                            const int8_t *const *narrow, int32x4_t (*dots)[4])
{
    if (rows == 1) {
        dot_nibbles_single(regs, packed, stride, narrow[0], dots);
        return;
    }
    sums acc[MAX_PAIRS][4];
    uint8x16_t first[MAX_PAIRS][2], second[MAX_PAIRS][2];
    EACH_PAIR
    {
        load_octets(narrow[2 * p], narrow[SECOND_OF(p)], first[p]);
        load_octets(narrow[2 * p] + 16, narrow[SECOND_OF(p)] + 16, second[p]);
        EACH_REG acc[p][v].low = acc[p][v].high = vdupq_n_s32(0);
    }
    EACH_OCTET EACH_REG
    {
        const uint8_t *at = packed + 2 * o * stride + 16 * v;
        const lane_pairs both = join_quads(vld1q_u8(at), vld1q_u8(at + stride));
        const uint8x16_t nibble = vdupq_n_u8(15);
        const lane_pairs low = {vandq_u8(both.low, nibble), vandq_u8(both.high, nibble)};
        const lane_pairs high = {vshrq_n_u8(both.low, 4), vshrq_n_u8(both.high, 4)};
        EACH_PAIR
        {
            add_products(&acc[p][v], low, first[p][o]);
            add_products(&acc[p][v], high, second[p][o]);
        }
    }
    spread_sums(rows, regs, acc, NULL, dots);
}

#define WEIGHT_QUAD(q)                                                                             \
    EACH_REG dots[0][v] = vsudotq_laneq_s32(                                                       \
        dots[0][v], vreinterpretq_s8_u8(vld1q_u8(at + (q)*stride + 16 * v)), u, q)

ITH_INLINE void dot_weights_single(const uint8_t *values, int64_t stride, const uint8_t *weights,
                                   int32x4_t (*dots)[4])
{
    const int regs = 4;
    EACH_REG dots[0][v] = vdupq_n_s32(0);
    for (int j = 0; j < 64; j += 16) {
        const uint8_t *at = values + j / 4 * stride;
        const uint8x16_t u = vld1q_u8(weights + j);
        WEIGHT_QUAD(0);
        WEIGHT_QUAD(1);
        WEIGHT_QUAD(2);
        WEIGHT_QUAD(3);
    }
}

/* usmmla takes the unsigned operand first. Here that is the rows, so the sums of a row are
 * adjacent. */
ITH_INLINE void dot_weights(const int rows, const uint8_t *values, int64_t stride,
                            const uint8_t *const *weights, const int32_t *zero,
                            int32x4_t (*dots)[4])
{
    const int regs = 4;
    (void)zero;
    if (rows == 1) {
        dot_weights_single(values, stride, weights[0], dots);
        return;
    }
    sums acc[MAX_PAIRS][4];
    EACH_PAIR EACH_REG acc[p][v].low = acc[p][v].high = vdupq_n_s32(0);
    for (int j = 0; j < 64; j += 16) {
        uint8x16_t u[MAX_PAIRS][2];
        EACH_PAIR load_octets(weights[2 * p] + j, weights[SECOND_OF(p)] + j, u[p]);
        EACH_OCTET
        {
            const uint8_t *at = values + (j / 4 + 2 * o) * stride;
            EACH_REG
            {
                const lane_pairs lanes =
                    join_quads(vld1q_u8(at + 16 * v), vld1q_u8(at + stride + 16 * v));
                EACH_PAIR
                {
                    sums *s = &acc[p][v];
                    s->low = vusmmlaq_s32(s->low, u[p][o], vreinterpretq_s8_u8(lanes.low));
                    s->high = vusmmlaq_s32(s->high, u[p][o], vreinterpretq_s8_u8(lanes.high));
                }
            }
        }
    }
    EACH_PAIR EACH_REG
    {
        const int64x2_t low = vreinterpretq_s64_s32(acc[p][v].low),
                        high = vreinterpretq_s64_s32(acc[p][v].high);
        dots[2 * p][v] = vreinterpretq_s32_s64(vzip1q_s64(low, high));
        if (2 * p + 1 < rows)
            dots[2 * p + 1][v] = vreinterpretq_s32_s64(vzip2q_s64(low, high));
    }
}

#endif
