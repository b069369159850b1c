/* layout.c - packs tiles from blocks or floats, and unpacks rows. */
#include "weights/layout.h"

#include "base/finite.h"
#include "formats/packfile.h"
#include "simd/half.h"
#include "weights/fit.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Lossless: quantized types have their own layout, floats the narrowest that holds them. */
static ith_layout own_layout(const ith_tensor *tensor)
{
    static const ith_layout of[ITH_DTYPES] = {
        [ITH_DT_F32] = ITH_F32T, [ITH_DT_F16] = ITH_F32T, [ITH_DT_BF16] = ITH_BF16,
        [ITH_DT_Q8_0] = ITH_W8,  [ITH_DT_Q4_0] = ITH_W4,  [ITH_DT_Q4_1] = ITH_W4M,
    };
    if (tensor->dtype == ITH_DT_UNREAD) /* the plan refuses it */
        return ITH_F32T;
    return tensor->packed != NULL ? tensor->packed->layout : of[tensor->dtype];
}

ith_layout ith_layout_choose(const ith_tensor *tensor, ith_quant quant, bool sensitive, bool exact)
{
    ith_layout own = own_layout(tensor);

    if (exact)
        return ITH_F32;
    if (ith_layout_is_quantized(own) || quant == ITH_QUANT_LOSSLESS ||
        (quant == ITH_QUANT_AUTO && tensor->packed != NULL))
        return own;
    switch (quant) {
    case ITH_QUANT_W4:
        return sensitive ? ITH_W8 : ITH_W4M;
    case ITH_QUANT_BF16:
        return ITH_BF16;
    case ITH_QUANT_F32:
        return ITH_F32T;
    default:
        return ITH_W8;
    }
}

/* ---- Offsets in a tile ---- */

static uint8_t *w8_group(uint8_t *tile, int64_t g)
{
    return tile + 512 * g;
}
static uint8_t *w4_group(uint8_t *tile, int64_t g)
{
    return tile + 256 * g;
}

static void put_half(uint8_t *tile, int64_t offset, int64_t g, int row, uint16_t half)
{
    memcpy(tile + offset + (16 * g + row) * 2, &half, 2);
}

static uint16_t get_half(const uint8_t *tile, int64_t offset, int64_t g, int row)
{
    uint16_t half;
    memcpy(&half, tile + offset + (16 * g + row) * 2, 2);
    return half;
}

/* 32 signed quants of a row into group g of a w8 tile, four columns at a time: q + 128 is q with
 * its top bit flipped. */
static void put_w8(uint8_t *tile, int64_t g, int row, const int8_t q[32])
{
    uint8_t *at = w8_group(tile, g) + row * 4;
    for (int j = 0; j < 8; j++) {
        uint32_t four;
        memcpy(&four, q + 4 * j, 4);
        four ^= 0x80808080u;
        memcpy(at + 64 * j, &four, 4);
    }
}

/* 32 nibbles, packed as in GGUF: byte i holds columns i (low) and i + 16 (high), the tile's pairing
 * too. */
static void put_w4(uint8_t *tile, int64_t g, int row, const uint8_t nibbles[16])
{
    uint8_t *at = w4_group(tile, g) + row * 4;
    for (int j = 0; j < 4; j++)
        memcpy(at + 64 * j, nibbles + 4 * j, 4);
}

/* ---- Blocks of a file, bits kept ----
 *
 * Block layouts are those of the GGUF specification. Groups are the outer loop, so that the tile is
 * written once, front to back. */

/* [scale f16][min f16, if any][quants] */
typedef struct block_type {
    int bytes, scale_at, min_at, quants_at;
} block_type;

static const block_type q8_0 = {34, 0, -1, 2}, q4_0 = {18, 0, -1, 2}, q4_1 = {20, 0, 2, 4};

static bool is_finite_half(const uint8_t *at)
{
    uint16_t half;
    memcpy(&half, at, sizeof half);
    return ith_f16_is_finite(half);
}

/* False: a scale or minimum is NaN or infinite. */
static bool pack_blocks(ith_layout layout, int64_t groups, block_type type,
                        const uint8_t *const rows[16], uint8_t *tile)
{
    int64_t scales = (layout == ITH_W8 ? 512 : 256) * groups, mins = scales + 32 * groups;
    bool finite = true;

    for (int64_t g = 0; g < groups; g++) {
        for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++) {
            const uint8_t *block = rows[r] + g * type.bytes;
            if (layout == ITH_W8)
                put_w8(tile, g, r, (const int8_t *)block + type.quants_at);
            else
                put_w4(tile, g, r, block + type.quants_at);
            memcpy(tile + scales + (16 * g + r) * 2, block + type.scale_at, 2);
            finite &= is_finite_half(block + type.scale_at);
            if (type.min_at < 0)
                continue;
            memcpy(tile + mins + (16 * g + r) * 2, block + type.min_at, 2);
            finite &= is_finite_half(block + type.min_at);
        }
    }
    return finite;
}

/* ---- Floats, a group of 32 columns of all rows at a time ---- */

typedef struct floats {
    ith_dtype dtype;
    int64_t cols;
    const float *importance;    /* [cols] or NULL */
    const uint8_t *const *rows; /* [16], NULL past the end */
} floats;

static int64_t columns_of(const floats *f, int64_t g)
{
    int64_t left = f->cols - ITH_GROUP * g;
    return left < ITH_GROUP ? left : ITH_GROUP;
}

static void widen_group(const floats *f, int r, int64_t g, float *x)
{
    const ith_dtype_info *info = ith_dtype_get(f->dtype);
    ith_dtype_to_f32(f->dtype, f->rows[r] + g * (ITH_GROUP / info->block) * info->block_bytes,
                     columns_of(f, g), x);
}

static float finite_or_zero(float x, bool *finite)
{
    bool is = fabsf(x) <= FLT_MAX;
    *finite &= is;
    return is ? x : 0;
}

/* Columns past the end repeat the first one with weight 0, and rows past the end are zeros: neither
 * affects the fit. False: a float is NaN or infinite. */
static bool load_group(const floats *f, int64_t g, ith_fit_group *group)
{
    int64_t n = columns_of(f, g);
    bool finite = true;

    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        float row[ITH_GROUP] = {0};
        if (f->rows[r] != NULL)
            widen_group(f, r, g, row);
        for (int c = 0; c < ITH_GROUP; c++)
            group->x[c][r] = finite_or_zero(row[c < n ? c : 0], &finite);
    }
    for (int c = 0; c < ITH_GROUP; c++)
        group->weight[c] = c >= n                  ? 0
                           : f->importance == NULL ? 1
                                                   : f->importance[ITH_GROUP * g + c];
    return finite;
}

static void put_fit(ith_layout layout, int64_t groups, int64_t g, int row, const ith_fit *fit,
                    uint8_t *tile)
{
    int8_t q[ITH_GROUP];
    uint8_t nibbles[16];

    for (int c = 0; c < ITH_GROUP; c++)
        q[c] = fit->quants[c][row];
    if (layout == ITH_W8) {
        put_w8(tile, g, row, q);
        put_half(tile, 512 * groups, g, row, fit->scale[row]);
        return;
    }
    for (int c = 0; c < 16; c++)
        nibbles[c] = (uint8_t)(q[c] | q[c + 16] << 4);
    put_w4(tile, g, row, nibbles);
    put_half(tile, 256 * groups, g, row, fit->scale[row]);
    put_half(tile, 288 * groups, g, row, fit->min[row]);
}

static bool pack_quantized(ith_layout layout, int64_t groups, const floats *f, uint8_t *tile)
{
    ith_fit_group group;
    ith_fit fit;
    bool finite = true;

    for (int64_t g = 0; g < groups; g++) {
        finite &= load_group(f, g, &group);
        if (layout == ITH_W8)
            ith_fit_w8(&group, &fit);
        else
            ith_fit_w4m(&group, &fit);
        for (int c = (int)columns_of(f, g); c < ITH_GROUP; c++)
            memset(fit.quants[c], 0, sizeof fit.quants[c]);
        for (int r = 0; r < ITH_TILE_ROWS && f->rows[r] != NULL; r++) {
            put_fit(layout, groups, g, r, &fit, tile);
            finite &= ith_f16_is_finite(fit.scale[r]) &&
                      (layout == ITH_W8 || ith_f16_is_finite(fit.min[r]));
        }
    }
    return finite;
}

/* False: a float is NaN or infinite, or becomes so in bf16. */
static bool pack_float(ith_layout layout, int64_t groups, const floats *f, int r, uint8_t *tile)
{
    bool finite = true;

    for (int64_t g = 0; g < groups; g++) {
        float x[ITH_GROUP] = {0};
        widen_group(f, r, g, x);
        finite &= ith_all_finite(x, ITH_GROUP);
        for (int64_t c = 0, i = ITH_GROUP * g; c < ITH_GROUP; c++, i++) {
            uint16_t h = ith_f32_to_bf16(x[c]);
            finite &= layout != ITH_BF16 || ith_bf16_is_finite(h);
            if (layout == ITH_F32)
                memcpy(tile + 4 * (ITH_GROUP * groups * r + i), x + c, 4);
            else if (layout == ITH_F32T)
                memcpy(tile + 4 * (16 * i + r), x + c, 4);
            else
                memcpy(tile + 2 * (16 * i + r), &h, 2);
        }
    }
    return finite;
}

bool ith_layout_pack_tile(ith_layout layout, int64_t groups, ith_dtype dtype, int64_t cols,
                          const float *importance, const uint8_t *const rows[16], uint8_t *tile)
{
    floats f = {dtype, cols, importance, rows};
    bool whole = cols == 32 * groups, finite = true; /* whole: always, for quantized file types */

    if (rows[ITH_TILE_ROWS - 1] == NULL) { /* rows past the end: quant 0, scale 0 */
        memset(tile, 0, ith_tile_bytes(layout, (size_t)groups));
        if (layout == ITH_W8)
            memset(tile, 128, 512 * (size_t)groups);
    }
    if (dtype == ITH_DT_Q8_0 && layout == ITH_W8 && whole)
        return pack_blocks(layout, groups, q8_0, rows, tile);
    if (dtype == ITH_DT_Q4_0 && layout == ITH_W4 && whole)
        return pack_blocks(layout, groups, q4_0, rows, tile);
    if (dtype == ITH_DT_Q4_1 && layout == ITH_W4M && whole)
        return pack_blocks(layout, groups, q4_1, rows, tile);
    if (ith_layout_is_quantized(layout))
        return pack_quantized(layout, groups, &f, tile);
    for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++)
        finite &= pack_float(layout, groups, &f, r, tile);
    return finite;
}

void ith_layout_unpack_row(ith_layout layout, int64_t groups, const uint8_t *tile, int row,
                           int64_t cols, float *out)
{
    int64_t n = 32 * groups;
    for (int64_t i = 0; i < cols; i++) {
        int64_t g = i / 32, c = i % 32;
        if (layout == ITH_F32) {
            memcpy(out + i, tile + 4 * (n * row + i), 4);
        } else if (layout == ITH_F32T) {
            memcpy(out + i, tile + 4 * (16 * i + row), 4);
        } else if (layout == ITH_BF16) {
            uint16_t h;
            memcpy(&h, tile + 2 * (16 * i + row), 2);
            out[i] = ith_bf16_to_f32(h);
        } else if (layout == ITH_W8) {
            int q = tile[512 * g + ((c / 4) * 16 + row) * 4 + c % 4] - 128;
            out[i] = ith_f16_to_f32(get_half(tile, 512 * groups, g, row)) * (float)q;
        } else {
            int64_t k = c % 16;
            int byte = tile[256 * g + ((k / 4) * 16 + row) * 4 + k % 4];
            int q = c < 16 ? byte & 15 : byte >> 4;
            float scale = ith_f16_to_f32(get_half(tile, 256 * groups, g, row));
            if (layout == ITH_W4)
                out[i] = scale * (float)(q - 8);
            else
                out[i] = scale * (float)q + ith_f16_to_f32(get_half(tile, 288 * groups, g, row));
        }
    }
}
