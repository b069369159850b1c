/* layout.c - packs tiles from blocks or floats, and unpacks rows. */
#include "weights/layout.h"

#include "base/finite.h"
#include "formats/blocks.h"
#include "formats/packfile.h"
#include "formats/widen.h"
#include "simd/tile.h"
#include "weights/fit.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Lossless: quantized types have their own layout, floats the narrowest that holds them. */
static ith_layout own_layout(const ith_tensor *tensor)
{
    static const ith_layout of[ITH_DTYPES] = {
        [ITH_DT_F32] = ITH_F32T,    [ITH_DT_F16] = ITH_F32T,      [ITH_DT_BF16] = ITH_BF16,
        [ITH_DT_Q8_0] = ITH_W8,     [ITH_DT_Q4_0] = ITH_W4,       [ITH_DT_Q4_1] = ITH_W4M,
        [ITH_DT_Q5_0] = ITH_Q5_0,   [ITH_DT_Q5_1] = ITH_Q5_1,     [ITH_DT_Q2_K] = ITH_Q2_K,
        [ITH_DT_Q3_K] = ITH_Q3_K,   [ITH_DT_Q4_K] = ITH_Q4_K,     [ITH_DT_Q5_K] = ITH_Q5_K,
        [ITH_DT_Q6_K] = ITH_Q6_K,   [ITH_DT_IQ4_NL] = ITH_IQ4_NL, [ITH_DT_IQ4_XS] = ITH_IQ4_XS,
        [ITH_DT_MXFP4] = ITH_MXFP4, [ITH_DT_IQ3_S] = ITH_Q5_K,
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

/* ---- Numbers into a tile ---- */

static void put_half(uint8_t *tile, int64_t offset, int row, uint16_t half)
{
    memcpy(tile + offset + row * 2, &half, 2);
}

static void put_word(uint8_t *at, uint32_t word)
{
    memcpy(at, &word, 4);
}

/* 32 quants of a row, as they are stored, into the planes of their group (kernels.h). Words of four
 * columns: w[j] has columns 4j to 4j + 3. */
static void put_quants(ith_layout layout, uint8_t *group, int row, const uint8_t u[ITH_GROUP])
{
    const int bytes = ith_tile_forms[layout].quants, lower = bytes < 256 ? 2 : 4;
    uint8_t *at = group + row * 4;
    uint32_t w[8], bits = 0, pairs[2] = {0, 0};

    memcpy(w, u, sizeof w);
    for (int j = 0; bytes == 512 && j < 8; j++)
        put_word(at + 64 * j, w[j]);
    if (bytes == 512)
        return;
    for (int j = 0; j < 4; j++)
        if (lower == 4)
            put_word(at + 64 * j, (w[j] & 0x0f0f0f0fu) | (w[j + 4] & 0x0f0f0f0fu) << 4);
    for (int j = 0; j < 8; j++) {
        bits |= (w[j] >> lower & 0x01010101u) << j;
        pairs[j % 2] |= (w[j] >> (lower == 4 ? 4 : 0) & 0x03030303u) << (j / 2 * 2);
    }
    if (bytes == 320 || bytes == 192)
        put_word(at + bytes - 64, bits);
    if (bytes == 320 || bytes == 256)
        return;
    at += lower == 4 ? 256 : 0;
    put_word(at, pairs[0]);
    put_word(at + 64, pairs[1]);
}

/* The small scales of a row in a group, whose first run is `run`. */
static void put_small(ith_layout layout, uint8_t *small, int row, const ith_block_numbers *b,
                      int run)
{
    switch (layout) {
    case ITH_Q2_K:
        small[row] = (uint8_t)(b->s[run] | b->t[run] << 4);
        small[16 + row] = (uint8_t)(b->s[run + 1] | b->t[run + 1] << 4);
        break;
    case ITH_Q3_K:
    case ITH_Q6_K:
        small[row] = (uint8_t)b->s[run];
        small[16 + row] = (uint8_t)b->s[run + 1];
        break;
    case ITH_Q4_K:
    case ITH_Q5_K:
        small[row] = (uint8_t)b->s[run];
        small[16 + row] = b->t[run];
        break;
    case ITH_IQ4_XS:
        small[row] = (uint8_t)b->s[run];
        break;
    default:
        break;
    }
}

/* ---- Blocks of a file, bits kept ----
 *
 * Blocks are the outer loop, so that the tile is written once, front to back. */

/* False: a scale or minimum is NaN or infinite, or makes a weight so. */
static bool is_finite_block(ith_layout layout, const ith_block_numbers *b)
{
    if (layout == ITH_MXFP4)
        return isfinite(12 * ith_e8m0_half((uint8_t)b->d));
    return ith_f16_is_finite(b->d) && (!ith_tile_has_minima(layout) || ith_f16_is_finite(b->m));
}

/* Block k of a row. */
static bool put_block(ith_layout layout, int64_t groups, int64_t k, int row,
                      const ith_block_numbers *b, uint8_t *tile)
{
    const int64_t first = k * ith_tile_block(layout), d = ith_tile_d_at(layout, groups, first);
    const int runs = ith_tile_forms[layout].runs;

    for (int i = 0; i < ith_tile_block(layout); i++) {
        put_quants(layout, tile + ith_tile_quants_at(layout, first + i), row, b->u + ITH_GROUP * i);
        put_small(layout, tile + ith_tile_small_at(layout, first + i), row, b, runs * i);
    }
    if (layout == ITH_MXFP4)
        tile[d + row] = (uint8_t)b->d;
    else
        put_half(tile, d, row, b->d);
    if (ith_tile_has_minima(layout))
        put_half(tile, d + ith_tile_d_to_m(layout, groups), row, b->m);
    return is_finite_block(layout, b);
}

/* Blocks whose quants are in the order of the tile already, four columns next to each other: they
 * are copied. Offsets in a block; min_at -1: none. */
typedef struct plain_block {
    int scale_at, min_at, quants_at;
} plain_block;

static const plain_block *plain_block_of(ith_dtype dtype)
{
    static const plain_block q8_0 = {0, -1, 2}, q4_0 = {0, -1, 2}, q4_1 = {0, 2, 4};

    if (dtype == ITH_DT_Q8_0)
        return &q8_0;
    if (dtype == ITH_DT_Q4_0 || dtype == ITH_DT_IQ4_NL)
        return &q4_0;
    return dtype == ITH_DT_Q4_1 ? &q4_1 : NULL;
}

/* The quants of a row in a group: nibbles, or bytes, which are stored with the top bit flipped. */
static void copy_quants(bool bytes, const uint8_t *from, uint8_t *group, int row)
{
    const uint32_t flip = bytes ? 0x80808080u : 0;
    for (int j = 0; j < (bytes ? 8 : 4); j++) {
        uint32_t four;
        memcpy(&four, from + 4 * j, 4);
        put_word(group + 64 * j + 4 * row, four ^ flip);
    }
}

static bool copy_half(const uint8_t *from, uint8_t *tile, int64_t offset, int row)
{
    uint16_t half;
    memcpy(&half, from, 2);
    put_half(tile, offset, row, half);
    return ith_f16_is_finite(half);
}

static bool copy_blocks(bool bytes, const plain_block *type, int block_bytes, int64_t groups,
                        const uint8_t *const rows[16], uint8_t *tile)
{
    const int64_t group_bytes = bytes ? 512 : 256, scales = group_bytes * groups;
    bool finite = true;

    for (int64_t g = 0; g < groups; g++)
        for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++) {
            const uint8_t *block = rows[r] + g * block_bytes;
            copy_quants(bytes, block + type->quants_at, tile + group_bytes * g, r);
            finite &= copy_half(block + type->scale_at, tile, scales + 32 * g, r);
            if (type->min_at >= 0)
                finite &= copy_half(block + type->min_at, tile, scales + 32 * (groups + g), r);
        }
    return finite;
}

static bool pack_blocks(ith_layout layout, int64_t groups, ith_dtype dtype,
                        const uint8_t *const rows[16], uint8_t *tile)
{
    const plain_block *plain = plain_block_of(dtype);
    const int bytes = ith_dtype_get(dtype)->block_bytes;
    ith_block_numbers block;
    bool finite = true;

    if (plain != NULL)
        return layout == ITH_W8 ? copy_blocks(true, plain, bytes, groups, rows, tile)
                                : copy_blocks(false, plain, bytes, groups, rows, tile);
    for (int64_t k = 0; k < groups / ith_tile_block(layout); k++)
        for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++) {
            ith_block_read(dtype, rows[r] + k * bytes, &block);
            finite &= put_block(layout, groups, k, r, &block, tile);
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

/* Group g of a row of floats. */
static void widen_group(const floats *f, int r, int64_t g, float *x)
{
    const ith_dtype_info *info = ith_dtype_get(f->dtype);
    ith_dtype_to_f32(f->dtype, f->rows[r] + g * ITH_GROUP * info->block_bytes, columns_of(f, g), x);
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
    const int64_t d = ith_tile_d_at(layout, groups, g);
    uint8_t u[ITH_GROUP];

    for (int c = 0; c < ITH_GROUP; c++)
        u[c] = (uint8_t)(fit->quants[c][row] + (layout == ITH_W8 ? 128 : 0));
    put_quants(layout, tile + ith_tile_quants_at(layout, g), row, u);
    put_half(tile, d, row, fit->scale[row]);
    if (layout != ITH_W8)
        put_half(tile, d + ith_tile_d_to_m(layout, groups), row, fit->min[row]);
}

/* A fit's scales and minima are limited to the largest half: one that is as large was cut. */
static bool fits_half(uint16_t half)
{
    return (half & 0x7fff) < 0x7bff;
}

/* False: a float is NaN, infinite, or beyond the layout. */
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
            finite &= fits_half(fit.scale[r]) && (layout == ITH_W8 || fits_half(fit.min[r]));
        }
    }
    return finite;
}

/* n columns of a row from group g on. False: a float is NaN or infinite, or becomes so in bf16. */
static bool put_floats(ith_layout layout, int64_t groups, int64_t g, int r, const float *x, int n,
                       uint8_t *tile)
{
    bool finite = ith_all_finite(x, n);

    for (int64_t c = 0, i = ITH_GROUP * g; c < n; c++, i++) {
        uint16_t h = ith_f32_to_bf16(x[c]);
        finite &= layout != ITH_BF16 || ith_bf16_is_finite(h);
        if (layout == ITH_F32)
            memcpy(tile + 4 * (ITH_GROUP * groups * r + i), x + c, 4);
        else if (layout == ITH_F32T)
            memcpy(tile + 4 * (16 * i + r), x + c, 4);
        else
            memcpy(tile + 2 * (16 * i + r), &h, 2);
    }
    return finite;
}

/* A row in steps of a group, or of a block of the file if that is longer. */
static bool pack_float(ith_layout layout, int64_t groups, const floats *f, int r, uint8_t *tile)
{
    const ith_dtype_info *info = ith_dtype_get(f->dtype);
    const int step = info->block > ITH_GROUP ? info->block : ITH_GROUP;
    const int64_t step_bytes = step / info->block * (int64_t)info->block_bytes;
    bool finite = true;

    for (int64_t i = 0; i < f->cols; i += step) {
        const int64_t n = f->cols - i < step ? f->cols - i : step;
        float x[ITH_BLOCK_MAX];
        ith_dtype_to_f32(f->dtype, f->rows[r] + i / step * step_bytes, n, x);
        memset(x + n, 0, (size_t)(step - n) * sizeof *x);
        finite &= put_floats(layout, groups, i / ITH_GROUP, r, x, step, tile);
    }
    return finite;
}

bool ith_layout_pack_tile(ith_layout layout, int64_t groups, ith_dtype dtype, int64_t cols,
                          const float *importance, const uint8_t *const rows[16], uint8_t *tile)
{
    floats f = {dtype, cols, importance, rows};
    bool finite = true;

    /* Rows past the end: quant 0, scale 0. */
    if (rows[ITH_TILE_ROWS - 1] == NULL) {
        memset(tile, 0, ith_tile_bytes(layout, (size_t)groups));
        if (layout == ITH_W8)
            memset(tile, 128, 512 * (size_t)groups);
    }
    if (ith_dtype_get(dtype)->block > 1 && ith_layout_is_quantized(layout))
        return pack_blocks(layout, groups, dtype, rows, tile);
    if (ith_layout_is_quantized(layout))
        return pack_quantized(layout, groups, &f, tile);
    for (int r = 0; r < ITH_TILE_ROWS && rows[r] != NULL; r++)
        finite &= pack_float(layout, groups, &f, r, tile);
    return finite;
}

/* n <= 32 columns of a quantized row, from group g on. */
static void unpack_group(ith_layout layout, int64_t groups, const uint8_t *tile, int row, int64_t g,
                         int64_t n, float *out)
{
    const uint8_t *group = tile + ith_tile_quants_at(layout, g);
    const int runs = ith_tile_forms[layout].runs, run_columns = ITH_GROUP / runs;

    for (int run = 0; run < runs; run++) {
        float scale, min;
        ith_tile_scale(layout, tile, groups, g, run, row, &scale, &min);
        for (int c = run * run_columns; c < (run + 1) * run_columns && c < n; c++) {
            float x = scale * (float)ith_tile_value(layout, ith_tile_quant(layout, group, c, row));
            out[c] = ith_tile_has_minima(layout) ? x + min : x;
        }
    }
}

void ith_layout_unpack_row(ith_layout layout, int64_t groups, const uint8_t *tile, int row,
                           int64_t cols, float *out)
{
    if (ith_layout_is_quantized(layout)) {
        for (int64_t i = 0; i < cols; i += ITH_GROUP)
            unpack_group(layout, groups, tile, row, i / ITH_GROUP,
                         cols - i < ITH_GROUP ? cols - i : ITH_GROUP, out + i);
        return;
    }
    for (int64_t i = 0; i < cols; i++) {
        uint16_t h;
        if (layout == ITH_F32) {
            memcpy(out + i, tile + 4 * (ITH_GROUP * groups * row + i), 4);
        } else if (layout == ITH_F32T) {
            memcpy(out + i, tile + 4 * (16 * i + row), 4);
        } else {
            memcpy(&h, tile + 2 * (16 * i + row), 2);
            out[i] = ith_bf16_to_f32(h);
        }
    }
}
