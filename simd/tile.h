/* tile.h - where things lie in a quantized tile (kernels.h draws it), and its numbers one by one.
 *
 * The offsets serve the kernels, to which `layout` is a constant. Reading single numbers is for the
 * reference and for whoever needs a row.
 */
#ifndef ITH_SIMD_TILE_H
#define ITH_SIMD_TILE_H

#include "simd/half.h"
#include "simd/kernels.h"

#include <string.h>

typedef struct ith_tile_form {
    uint16_t quants, small, numbers; /* bytes: of a group, of a group, of a block */
    uint8_t block, runs;             /* groups in a block; scales of a row in a group */
} ith_tile_form;

static const ith_tile_form ith_tile_forms[ITH_LAYOUTS] = {
#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    [ITH_##constant] = {quants, small, numbers, block, runs},
#include "simd/layouts.inc"
};

/* Groups in a block, 1 for floats: the columns of a matrix are a multiple of 32 times this, unless
 * it is 1. */
static inline int64_t ith_tile_block(ith_layout layout)
{
    return ith_tile_forms[layout].block > 1 ? ith_tile_forms[layout].block : 1;
}

static inline bool ith_tile_has_minima(ith_layout layout)
{
    return ith_tile_forms[layout].numbers == 64;
}

/* Do the quants number the values of a table? */
static inline bool ith_tile_has_table(ith_layout layout)
{
    return layout == ITH_IQ4_NL || layout == ITH_IQ4_XS || layout == ITH_MXFP4;
}

/* Bytes of a group in the blocks, on average. */
static inline int64_t ith_tile_group_bytes(ith_layout layout)
{
    return ith_tile_forms[layout].quants + ith_tile_forms[layout].small;
}

/* ---- Offsets in a tile ---- */

/* The quants of group g. */
static inline int64_t ith_tile_quants_at(ith_layout layout, int64_t g)
{
    const ith_tile_form *f = &ith_tile_forms[layout];
    const uint64_t block = (uint64_t)g / f->block, in_block = (uint64_t)g % f->block;
    return (int64_t)(block * f->block * (unsigned)(f->quants + f->small) + in_block * f->quants);
}

/* The small scales of group g. */
static inline int64_t ith_tile_small_at(ith_layout layout, int64_t g)
{
    const ith_tile_form *f = &ith_tile_forms[layout];
    const uint64_t block = (uint64_t)g / f->block, in_block = (uint64_t)g % f->block;
    return (int64_t)(block * f->block * (unsigned)(f->quants + f->small) + f->block * f->quants +
                     in_block * f->small);
}

/* The sixteen numbers d that group g shares with its block, of which 16 take `ith_tile_d_bytes`. */
static inline int64_t ith_tile_d_bytes(ith_layout layout)
{
    return ith_tile_forms[layout].numbers < 32 ? 16 : 32;
}
static inline int64_t ith_tile_d_at(ith_layout layout, int64_t groups, int64_t g)
{
    const ith_tile_form *f = &ith_tile_forms[layout];
    return groups * (f->quants + f->small) +
           (int64_t)((uint64_t)g / f->block) * ith_tile_d_bytes(layout);
}

/* From d of a group to its m. */
static inline int64_t ith_tile_d_to_m(ith_layout layout, int64_t groups)
{
    return (int64_t)((uint64_t)groups / ith_tile_forms[layout].block) * 32;
}

/* ---- Numbers of a row ---- */

/* The values of iq4 and fp4; 16 bytes. */
#define ITH_TABLE_IQ4 -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
#define ITH_TABLE_FP4 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12

/* What u means: u - zero, or table[u]. */
static inline int ith_tile_value(ith_layout layout, int u)
{
    static const int8_t iq4[16] = {ITH_TABLE_IQ4}, fp4[16] = {ITH_TABLE_FP4};
    switch (layout) {
    case ITH_IQ4_NL:
    case ITH_IQ4_XS:
        return iq4[u];
    case ITH_MXFP4:
        return fp4[u];
    case ITH_W8:
        return u - 128;
    case ITH_Q6_K:
        return u - 32;
    case ITH_Q5_0:
        return u - 16;
    case ITH_W4:
        return u - 8;
    case ITH_Q3_K:
        return u - 4;
    default:
        return u;
    }
}

/* The quant, as it is stored, of column c (0..31) and row r of a group. */
static inline int ith_tile_quant(ith_layout layout, const uint8_t *group, int c, int r)
{
    const int j = c / 4, at = 4 * r + c % 4, pairs = 64 * (j % 2) + at, in_pairs = 2 * (j / 2);
    const int nibble = group[64 * (j % 4) + at] >> (j < 4 ? 0 : 4) & 15;
    switch (ith_tile_forms[layout].quants) {
    case 512: /* bytes */
        return group[64 * j + at];
    case 384: /* nibbles, pairs */
        return nibble | (group[256 + pairs] >> in_pairs & 3) << 4;
    case 320: /* nibbles, bits */
        return nibble | (group[256 + at] >> j & 1) << 4;
    case 256: /* nibbles */
        return nibble;
    case 192: /* pairs, bits */
        return (group[pairs] >> in_pairs & 3) | (group[128 + at] >> j & 1) << 2;
    default: /* pairs */
        return group[pairs] >> in_pairs & 3;
    }
}

/* 2^(e - 128) */
static inline float ith_e8m0_half(uint8_t e)
{
    return ith_f32_from_bits(e < 2 ? 0x00200000u << e : (e - 1u) << 23);
}

/* scale_w and min_w (0 without minima) of a run (0 or 1) of group g and row r. */
static inline void ith_tile_scale(ith_layout layout, const uint8_t *tile, int64_t groups, int64_t g,
                                  int run, int r, float *scale, float *min)
{
    const uint8_t *d_at = tile + ith_tile_d_at(layout, groups, g);
    const uint8_t *small = tile + ith_tile_small_at(layout, g) + 16 * run + r;
    float s = 1.0f, t = -1.0f;
    uint16_t d, m;

    *min = 0.0f;
    if (layout == ITH_MXFP4) {
        *scale = ith_e8m0_half(d_at[r]);
        return;
    }
    if (layout == ITH_Q4_K || layout == ITH_Q5_K)
        s = small[0], t = small[16];
    else if (layout == ITH_Q2_K)
        s = (float)(small[0] & 15), t = (float)(small[0] >> 4);
    else if (ith_tile_forms[layout].small > 0)
        s = (int8_t)small[0];
    memcpy(&d, d_at + 2 * r, 2);
    *scale = ith_f16_to_f32(d) * s;
    if (ith_tile_has_minima(layout)) {
        memcpy(&m, d_at + ith_tile_d_to_m(layout, groups) + 2 * r, 2);
        *min = -(ith_f16_to_f32(m) * t);
    }
}

#endif
