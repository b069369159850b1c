/* gemm_ref.c - quantized products, row by row and group by group, in the order of the contract. */
#include "simd/half.h"
#include "simd/variants.h"

#include <math.h>

/* Unpacks the quants of a group, with the zero point subtracted, to [column][row]. */
typedef void (*unpack_fn)(const uint8_t *group, int16_t w[ITH_GROUP][ITH_TILE_ROWS]);

static void unpack_w8(const uint8_t *group, int16_t w[ITH_GROUP][ITH_TILE_ROWS])
{
    for (int j = 0; j < 8; j++)
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            for (int b = 0; b < 4; b++)
                w[4 * j + b][r] = (int16_t)(group[(j * ITH_TILE_ROWS + r) * 4 + b] - 128);
}

static void unpack_nibbles(const uint8_t *group, int zero, int16_t w[ITH_GROUP][ITH_TILE_ROWS])
{
    for (int j = 0; j < 4; j++)
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            for (int b = 0; b < 4; b++) {
                uint8_t pair = group[(j * ITH_TILE_ROWS + r) * 4 + b];
                w[4 * j + b][r] = (int16_t)((pair & 15) - zero);
                w[16 + 4 * j + b][r] = (int16_t)((pair >> 4) - zero);
            }
}

static void unpack_w4(const uint8_t *group, int16_t w[ITH_GROUP][ITH_TILE_ROWS])
{
    unpack_nibbles(group, 8, w);
}

static void unpack_w4m(const uint8_t *group, int16_t w[ITH_GROUP][ITH_TILE_ROWS])
{
    unpack_nibbles(group, 0, w);
}

/* Adds to acc[r] the product of one group of weights with group `at` of the activations. minima:
 * the sixteen f16 of w4m, or NULL. */
static void add_group(int16_t w[ITH_GROUP][ITH_TILE_ROWS], const ith_acts *acts, int64_t at,
                      const uint16_t *scales, const uint16_t *minima, float acc[ITH_TILE_ROWS])
{
    const int8_t *quants = acts->quants + at * ITH_GROUP;
    int32_t dot[ITH_TILE_ROWS] = {0};
    for (int c = 0; c < ITH_GROUP; c++)
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            dot[r] += w[c][r] * quants[c];
    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        float scaled = fmaf(ITH_SHIFT + (float)dot[r], acts->scales[at], acts->shifts[at]);
        acc[r] = fmaf(scaled, ith_f16_to_f32(scales[r]), acc[r]);
        if (minima)
            acc[r] = fmaf(ith_f16_to_f32(minima[r]), acts->sums[at], acc[r]);
    }
}

static void gemm_tile(ith_layout layout, unpack_fn unpack, int64_t n_tokens, const uint8_t *tile,
                      const ith_acts *acts, float *out, int64_t ld_out)
{
    const int64_t groups = acts->groups;
    const int64_t group_bytes = layout == ITH_W8 ? 512 : 256;
    const uint16_t *scales = (const uint16_t *)(const void *)(tile + groups * group_bytes);
    const uint16_t *minima = layout == ITH_W4M ? scales + groups * ITH_TILE_ROWS : NULL;
    int16_t w[ITH_GROUP][ITH_TILE_ROWS];

    for (int64_t t = 0; t < n_tokens; t++)
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            out[t * ld_out + r] = 0.0f;
    for (int64_t g = 0; g < groups; g++) {
        unpack(tile + g * group_bytes, w);
        for (int64_t t = 0; t < n_tokens; t++)
            add_group(w, acts, t * groups + g, scales + g * ITH_TILE_ROWS,
                      minima ? minima + g * ITH_TILE_ROWS : NULL, out + t * ld_out);
    }
}

static void gemm(ith_layout layout, unpack_fn unpack, int64_t n_tiles, int64_t n_tokens,
                 const void *tiles, const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *tile = tiles;
    size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    for (int64_t i = 0; i < n_tiles; i++)
        gemm_tile(layout, unpack, n_tokens, tile + (size_t)i * tile_bytes, acts,
                  out + i * ITH_TILE_ROWS, ld_out);
}

void ith_gemm_w8__ref(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                      float *out, int64_t ld_out)
{
    gemm(ITH_W8, unpack_w8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__ref(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                      float *out, int64_t ld_out)
{
    gemm(ITH_W4, unpack_w4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__ref(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                       float *out, int64_t ld_out)
{
    gemm(ITH_W4M, unpack_w4m, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
