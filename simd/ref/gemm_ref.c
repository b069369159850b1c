/* gemm_ref.c - quantized products, row by row and run by run, in the order of the contract. */
#include "simd/tile.h"
#include "simd/variants.h"

#include <math.h>

typedef int16_t group_values[ITH_GROUP][ITH_TILE_ROWS];

/* The values of a group's quants. */
static void unpack(ith_layout layout, const uint8_t *group, group_values w)
{
    for (int c = 0; c < ITH_GROUP; c++)
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            w[c][r] = (int16_t)ith_tile_value(layout, ith_tile_quant(layout, group, c, r));
}

/* Adds to acc[r] the product of a run, `n` columns from `first` on, with group `at` of the
 * activations. sum: of these activations; 0 without minima. */
static void add_run(group_values w, int first, int n, const ith_acts *acts, int64_t at,
                    const float scales[ITH_TILE_ROWS], const float minima[ITH_TILE_ROWS],
                    bool has_minima, float acc[ITH_TILE_ROWS])
{
    const int8_t *quants = acts->quants + at * ITH_GROUP;
    int32_t dot[ITH_TILE_ROWS] = {0}, sum = 0;
    for (int c = first; c < first + n; c++) {
        sum += quants[c];
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            dot[r] += w[c][r] * quants[c];
    }
    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        float scaled = fmaf(ITH_SHIFT + (float)dot[r], acts->scales[at], acts->shifts[at]);
        acc[r] = fmaf(scaled, scales[r], acc[r]);
        if (has_minima)
            acc[r] = fmaf(minima[r], acts->scales[at] * (float)sum, acc[r]);
    }
}

static void gemm_tile(ith_layout layout, int64_t n_tokens, const uint8_t *tile,
                      const ith_acts *acts, float *out, int64_t ld_out)
{
    const int64_t groups = acts->groups;
    const int runs = ith_tile_forms[layout].runs, n = ITH_GROUP / runs;
    float scales[ITH_TILE_ROWS], minima[ITH_TILE_ROWS];
    group_values w;

    for (int64_t t = 0; t < n_tokens; t++)
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            out[t * ld_out + r] = 0.0f;
    for (int64_t g = 0; g < groups; g++) {
        unpack(layout, tile + ith_tile_quants_at(layout, g), w);
        for (int run = 0; run < runs; run++) {
            for (int r = 0; r < ITH_TILE_ROWS; r++)
                ith_tile_scale(layout, tile, groups, g, run, r, &scales[r], &minima[r]);
            for (int64_t t = 0; t < n_tokens; t++)
                add_run(w, run * n, n, acts, t * groups + g, scales, minima,
                        ith_tile_has_minima(layout), out + t * ld_out);
        }
    }
}

static void gemm(ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                 const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *tile = tiles;
    size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    for (int64_t i = 0; i < n_tiles; i++)
        gemm_tile(layout, n_tokens, tile + (size_t)i * tile_bytes, acts, out + i * ITH_TILE_ROWS,
                  ld_out);
}

#define ITH_QUANTS(constant, layout, quants, small, numbers, block, runs)                          \
    void ith_gemm_##layout##__ref(int64_t n_tiles, int64_t n_tokens, const void *tiles,            \
                                  const ith_acts *acts, float *out, int64_t ld_out)                \
    {                                                                                              \
        gemm(ITH_##constant, n_tiles, n_tokens, tiles, acts, out, ld_out);                         \
    }
#include "simd/layouts.inc"
