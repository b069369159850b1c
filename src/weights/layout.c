#include "weights/layout.h"

#include "simd/half.h"

#include <float.h>
#include <math.h>
#include <string.h>

ith_layout ith_layout_choose(ith_dtype dtype, ith_quant quant, bool sensitive, bool exact)
{
    if (exact)
        return ITH_F32;
    switch (dtype) {
    case ITH_DT_Q8_0:
        return ITH_W8;
    case ITH_DT_Q4_0:
        return ITH_W4;
    case ITH_DT_Q4_1:
        return ITH_W4M;
    default:
        break;
    }
    if (sensitive && quant == ITH_QUANT_W4)
        return ITH_W8;
    return quant == ITH_QUANT_W4     ? ITH_W4M
           : quant == ITH_QUANT_BF16 ? ITH_BF16
           : quant == ITH_QUANT_F32  ? ITH_F32T
                                     : ITH_W8;
}

/* Where things lie in a tile. */

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

/* 32 signed quants of a row into group g of a w8 tile, four columns at a time: q + 128 is q with its top bit turned. */
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

/* 32 nibbles, packed as GGUF does: byte i holds columns i (low) and i + 16 (high), which is the tile's pairing too. */
static void put_w4(uint8_t *tile, int64_t g, int row, const uint8_t nibbles[16])
{
    uint8_t *at = w4_group(tile, g) + row * 4;
    for (int j = 0; j < 4; j++)
        memcpy(at + 64 * j, nibbles + 4 * j, 4);
}

/* ---- Whole tiles of a file's blocks, bits kept. Block layouts: the GGUF specification. Groups outermost, so that the tile is
 * written once from front to back. ---- */

typedef struct block_type { /* [scale f16][min f16, if any][quants] */
    int bytes, scale_at, min_at, quants_at;
} block_type;

static const block_type q8_0 = {34, 0, -1, 2}, q4_0 = {18, 0, -1, 2}, q4_1 = {20, 0, 2, 4};

static void pack_blocks(ith_layout layout, int64_t groups, block_type type, const uint8_t *const rows[16],
                        uint8_t *tile)
{
    int64_t scales = (layout == ITH_W8 ? 512 : 256) * groups, mins = scales + 32 * groups;

    for (int64_t g = 0; g < groups; g++) {
        for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++) {
            const uint8_t *block = rows[r] + g * type.bytes;
            if (layout == ITH_W8)
                put_w8(tile, g, r, (const int8_t *)block + type.quants_at);
            else
                put_w4(tile, g, r, block + type.quants_at);
            memcpy(tile + scales + (16 * g + r) * 2, block + type.scale_at, 2);
            if (type.min_at >= 0)
                memcpy(tile + mins + (16 * g + r) * 2, block + type.min_at, 2);
        }
    }
}

/* ---- One row of floats, quantized. ---- */

static int limit(float x, int low, int high)
{
    return x < (float)low ? low : x > (float)high ? high : (int)x;
}

static void row_to_w8(uint8_t *tile, int64_t groups, int row, const float *x)
{
    for (int64_t g = 0; g < groups; g++, x += 32) {
        float amax = 0, scale;
        int8_t q[32];
        uint16_t half;
        for (int i = 0; i < 32; i++)
            amax = fmaxf(amax, fabsf(x[i]));
        half = ith_f32_to_f16(amax / 127);
        scale = ith_f16_to_f32(half);
        for (int i = 0; i < 32; i++)
            q[i] = (int8_t)(scale > 0 ? limit(nearbyintf(x[i] / scale), -127, 127) : 0);
        put_w8(tile, g, row, q);
        put_half(tile, 512 * groups, g, row, half);
    }
}

static void row_to_w4m(uint8_t *tile, int64_t groups, int row, const float *x)
{
    for (int64_t g = 0; g < groups; g++, x += 32) {
        float low = x[0], high = x[0], scale, min;
        uint8_t nibbles[16];
        uint16_t half_scale, half_min;
        for (int i = 1; i < 32; i++) {
            low = fminf(low, x[i]);
            high = fmaxf(high, x[i]);
        }
        half_min = ith_f32_to_f16(low);
        half_scale = ith_f32_to_f16((high - low) / 15);
        min = ith_f16_to_f32(half_min);
        scale = ith_f16_to_f32(half_scale);
        for (int i = 0; i < 16; i++) {
            int a = scale > 0 ? limit(nearbyintf((x[i] - min) / scale), 0, 15) : 0;
            int b = scale > 0 ? limit(nearbyintf((x[i + 16] - min) / scale), 0, 15) : 0;
            nibbles[i] = (uint8_t)(a | b << 4);
        }
        put_w4(tile, g, row, nibbles);
        put_half(tile, 256 * groups, g, row, half_scale);
        put_half(tile, 288 * groups, g, row, half_min);
    }
}

static void row_to_floats(ith_layout layout, uint8_t *tile, int64_t groups, int row, const float *x)
{
    int64_t n = 32 * groups;
    if (layout == ITH_F32) {
        memcpy(tile + 4 * n * row, x, 4 * (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = ith_f32_to_bf16(x[i]);
        if (layout == ITH_F32T)
            memcpy(tile + 4 * (16 * i + row), x + i, 4);
        else
            memcpy(tile + 2 * (16 * i + row), &h, 2);
    }
}

/* Sets what is NaN or infinite to 0. Were there none? */
static bool make_finite(int64_t n, float *x)
{
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        bool finite = fabsf(x[i]) <= FLT_MAX;
        bad |= !finite;
        x[i] = finite ? x[i] : 0;
    }
    return bad == 0;
}

static bool pack_floats(ith_layout layout, int64_t groups, ith_dtype dtype, int64_t cols, int row, const uint8_t *src,
                        float *scratch, uint8_t *tile)
{
    bool finite = true;

    ith_dtype_to_f32(dtype, src, cols, scratch);
    memset(scratch + cols, 0, (size_t)(32 * groups - cols) * sizeof *scratch);
    if (ith_layout_is_quantized(layout))
        finite = make_finite(cols, scratch);
    if (layout == ITH_W8)
        row_to_w8(tile, groups, row, scratch);
    else if (layout == ITH_W4M)
        row_to_w4m(tile, groups, row, scratch);
    else
        row_to_floats(layout, tile, groups, row, scratch);
    return finite;
}

bool ith_layout_pack_tile(ith_layout layout, int64_t groups, ith_dtype dtype, int64_t cols, const float *importance,
                          const uint8_t *const rows[16], float *scratch, uint8_t *tile)
{
    bool finite = true;
    (void)importance;
    bool whole = cols == 32 * groups; /* always so for quantized file types: their rows are whole blocks */

    if (rows[ITH_TILE_ROWS - 1] == NULL) { /* rows past the end: quant 0, scale 0 */
        memset(tile, 0, ith_tile_bytes(layout, (size_t)groups));
        if (layout == ITH_W8)
            memset(tile, 128, 512 * (size_t)groups);
    }
    if (dtype == ITH_DT_Q8_0 && layout == ITH_W8 && whole)
        pack_blocks(layout, groups, q8_0, rows, tile);
    else if (dtype == ITH_DT_Q4_0 && layout == ITH_W4 && whole)
        pack_blocks(layout, groups, q4_0, rows, tile);
    else if (dtype == ITH_DT_Q4_1 && layout == ITH_W4M && whole)
        pack_blocks(layout, groups, q4_1, rows, tile);
    else
        for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++)
            finite &= pack_floats(layout, groups, dtype, cols, r, rows[r], scratch, tile);
    return finite;
}

void ith_layout_unpack_row(ith_layout layout, int64_t groups, const uint8_t *tile, int row, int64_t cols, float *out)
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
