/* planes.c - the planes of a tile: split and join. */
#include "formats/planes.h"

#include "simd/tile.h"

#include <string.h>

/* A tile: quants, then numbers of 1, 2 or 4 bytes, then padding. */
typedef struct shape {
    size_t quants, numbers, width, padding;
} shape;

static shape shape_of(ith_layout layout, size_t groups)
{
    shape s = {0, 512 * groups, layout == ITH_BF16 ? 2 : 4, 0};

    if (ith_layout_is_quantized(layout)) {
        size_t blocks = groups / (size_t)ith_tile_block(layout);
        size_t width = layout == ITH_MXFP4 ? 1 : 2;
        s = (shape){(size_t)ith_tile_group_bytes(layout) * groups,
                    ith_tile_forms[layout].numbers / width * blocks, width, 0};
    }
    s.padding = ith_tile_bytes(layout, groups) - s.quants - s.numbers * s.width;
    return s;
}

int ith_planes_sizes(ith_layout layout, size_t groups, size_t sizes[ITH_PLANES_MAX])
{
    shape s = shape_of(layout, groups);
    int n = 0;

    if (s.quants > 0)
        sizes[n++] = s.quants;
    for (size_t i = 0; i < s.width; i++)
        sizes[n++] = s.numbers;
    sizes[n - 1] += s.padding;
    return n;
}

/* Compilers turn these loops into shuffles of whole registers. */

static void split_bytes(size_t n, const uint8_t *in, uint8_t *low, uint8_t *high)
{
    for (size_t i = 0; i < n; i++) {
        low[i] = in[2 * i];
        high[i] = in[2 * i + 1];
    }
}

static void join_bytes(size_t n, const uint8_t *low, const uint8_t *high, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = low[i];
        out[2 * i + 1] = high[i];
    }
}

static void split_bf16(size_t n, const uint8_t *in, uint8_t *mantissas, uint8_t *exponents)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, in + 2 * i, 2);
        mantissas[i] = (uint8_t)((x & 0x7f) | (x >> 8 & 0x80));
        exponents[i] = (uint8_t)(x >> 7);
    }
}

static void join_bf16(size_t n, const uint8_t *mantissas, const uint8_t *exponents, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t m = mantissas[i], e = exponents[i],
                 x = (uint16_t)((m & 0x7f) | (m & 0x80) << 8 | e << 7);
        memcpy(out + 2 * i, &x, 2);
    }
}

static void split_f32(size_t n, const uint8_t *in, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x;
        memcpy(&x, in + 4 * i, 4);
        out[i] = (uint8_t)x;
        out[n + i] = (uint8_t)(x >> 8);
        out[2 * n + i] = (uint8_t)((x >> 16 & 0x7f) | (x >> 24 & 0x80));
        out[3 * n + i] = (uint8_t)(x >> 23);
    }
}

static void join_f32(size_t n, const uint8_t *const planes[4], uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t m = planes[2][i], x = planes[0][i] | (uint32_t)planes[1][i] << 8 |
                                       (m & 0x7f) << 16 | (m & 0x80) << 24 |
                                       (uint32_t)planes[3][i] << 23;
        memcpy(out + 4 * i, &x, 4);
    }
}

void ith_planes_split(ith_layout layout, size_t groups, const uint8_t *tile, uint8_t *out)
{
    shape s = shape_of(layout, groups);
    const uint8_t *numbers = tile + s.quants;
    uint8_t *to = out + s.quants;

    memcpy(out, tile, s.quants);
    if (s.width == 4)
        split_f32(s.numbers, numbers, to);
    else if (s.width == 1)
        memcpy(to, numbers, s.numbers);
    else if (layout == ITH_BF16)
        split_bf16(s.numbers, numbers, to, to + s.numbers);
    else
        split_bytes(s.numbers, numbers, to, to + s.numbers);
    memcpy(to + s.numbers * s.width, numbers + s.numbers * s.width, s.padding);
}

void ith_planes_join(ith_layout layout, size_t groups, const uint8_t *const planes[ITH_PLANES_MAX],
                     uint8_t *tile)
{
    shape s = shape_of(layout, groups);
    const uint8_t *const *numbers = s.quants > 0 ? planes + 1 : planes;
    uint8_t *to = tile + s.quants;

    if (s.quants > 0)
        memcpy(tile, planes[0], s.quants);
    if (s.width == 4)
        join_f32(s.numbers, numbers, to);
    else if (s.width == 1)
        memcpy(to, numbers[0], s.numbers);
    else if (layout == ITH_BF16)
        join_bf16(s.numbers, numbers[0], numbers[1], to);
    else
        join_bytes(s.numbers, numbers[0], numbers[1], to);
    memcpy(to + s.numbers * s.width, numbers[s.width - 1] + s.numbers, s.padding);
}
