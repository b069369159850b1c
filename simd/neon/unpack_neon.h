/* unpack_neon.h - quants and scales of the layouts whose quants are more than bytes or plain
 * nibbles (simd/kernels.h): groups become bytes as in w8, scales a number for each of four rows. */
#ifndef ITH_SIMD_NEON_UNPACK_H
#define ITH_SIMD_NEON_UNPACK_H

#include "simd/neon/vec_neon.h"
#include "simd/tile.h"

enum { QUADS = ITH_GROUP / 4 };

/* bytes shifted to the left (by < 0: to the right), & mask */
ITH_INLINE uint8x16_t shifted_bits(uint8x16_t bytes, const int by, const int mask)
{
    return vandq_u8(vshlq_u8(bytes, vdupq_n_s8((int8_t)by)), vdupq_n_u8((uint8_t)mask));
}

/* Columns 4j..4j+3 of four rows: quants as they are stored. group: from the rows' bytes on. */
ITH_INLINE uint8x16_t stored_quad(const ith_layout layout, const uint8_t *group, const int j)
{
    const int bytes = ith_tile_forms[layout].quants;
    /* Pairs, or pairs and bits. */
    if (bytes < 256) {
        const uint8x16_t low = shifted_bits(vld1q_u8(group + 64 * (j % 2)), -2 * (j / 2), 3);
        return bytes == 128 ? low : vorrq_u8(low, shifted_bits(vld1q_u8(group + 128), 2 - j, 4));
    }
    const uint8x16_t low = shifted_bits(vld1q_u8(group + 64 * (j % 4)), j < 4 ? 0 : -4, 15);
    if (bytes == 320)
        return vorrq_u8(low, shifted_bits(vld1q_u8(group + 256), 4 - j, 0x10));
    if (bytes == 384)
        return vorrq_u8(low,
                        shifted_bits(vld1q_u8(group + 256 + 64 * (j % 2)), 4 - 2 * (j / 2), 0x30));
    return low;
}

/* The values of a group's quants + 128, as in w8: 4 * fours rows, quads 64 bytes apart. */
ITH_INLINE void unpack_group(const ith_layout layout, const int fours, const uint8_t *group,
                             uint8_t wide[QUADS * 64])
{
    static const int8_t iq4[16] = {ITH_TABLE_IQ4}, fp4[16] = {ITH_TABLE_FP4};
    const bool table = ith_tile_has_table(layout);
    const uint8x16_t values =
        veorq_u8(vreinterpretq_u8_s8(vld1q_s8(layout == ITH_MXFP4 ? fp4 : iq4)), vdupq_n_u8(128));
    const int zero = layout == ITH_Q5_0 ? 16 : layout == ITH_Q6_K ? 32 : layout == ITH_Q3_K ? 4 : 0;
#pragma GCC unroll 8
    for (int j = 0; j < QUADS; j++)
#pragma GCC unroll 4
        for (int i = 0; i < fours; i++) {
            const uint8x16_t u = stored_quad(layout, group + 16 * i, j);
            vst1q_u8(wide + 64 * j + 16 * i, table
                                                 ? vqtbl1q_u8(values, u)
                                                 : vaddq_u8(u, vdupq_n_u8((uint8_t)(128 - zero))));
        }
}

/* Four bytes as 32-bit lanes. */
ITH_INLINE uint32x4_t load_bytes(const uint8_t *at)
{
    uint32_t four;
    memcpy(&four, at, 4);
    return vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)))));
}

/* 2^(e - 128) */
ITH_INLINE float32x4_t load_e8m0(const uint8_t *at)
{
    const uint32x4_t e = load_bytes(at);
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
    const uint32x4_t small = vshlq_u32(vdupq_n_u32(0x00200000), vreinterpretq_s32_u32(e));
    return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), small, normal));
}

/* Four of the small scales, s, or t if `t`. small: of the first of the rows. */
ITH_INLINE float32x4_t load_small(const ith_layout layout, const uint8_t *small, const int run,
                                  const bool t)
{
    const bool signs = layout == ITH_Q3_K || layout == ITH_Q6_K || layout == ITH_IQ4_XS;
    const bool apart = layout == ITH_Q4_K || layout == ITH_Q5_K; /* s, then t */
    uint32x4_t wide = load_bytes(small + 16 * (apart ? t : run));
    if (layout == ITH_Q2_K)
        wide = t ? vshrq_n_u32(wide, 4) : vandq_u32(wide, vdupq_n_u32(15));
    const int32x4_t number = vreinterpretq_s32_u32(wide);
    return vcvtq_f32_s32(signs ? vshrq_n_s32(vshlq_n_s32(number, 24), 24) : number);
}

/* scale_w of four rows, from `row` on, in a run of group g. */
ITH_INLINE float32x4_t load_scale(const ith_layout layout, const uint8_t *tile, int64_t groups,
                                  int64_t g, const int run, int row)
{
    const uint8_t *d = tile + ith_tile_d_at(layout, groups, g);
    if (layout == ITH_MXFP4)
        return load_e8m0(d + row);
    const float32x4_t scale = load_f16((const uint16_t *)(const void *)d + row);
    if (ith_tile_forms[layout].small == 0)
        return scale;
    return vmulq_f32(scale,
                     load_small(layout, tile + ith_tile_small_at(layout, g) + row, run, false));
}

/* min_w of four rows, from `row` on, in a run of group g. */
ITH_INLINE float32x4_t load_min(const ith_layout layout, const uint8_t *tile, int64_t groups,
                                int64_t g, const int run, int row)
{
    const uint8_t *m = tile + ith_tile_d_at(layout, groups, g) + ith_tile_d_to_m(layout, groups);
    const float32x4_t min = load_f16((const uint16_t *)(const void *)m + row);
    if (ith_tile_forms[layout].small == 0)
        return min;
    const float32x4_t t = load_small(layout, tile + ith_tile_small_at(layout, g) + row, run, true);
    return vnegq_f32(vmulq_f32(min, t));
}

#endif
