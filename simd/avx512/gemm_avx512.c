/* gemm_avx512.c - quantized products by vpdpbusd.
 *
 * The unsigned operand is the weights, biased as they are stored. The accumulators start from the
 * correction for the zero point, which quantization has stored beside the scales. One broadcast of
 * four quants of a token serves two tiles. For up to MAX_TOKENS tokens the weights are read once,
 * directly from memory; more tokens are multiplied in panels, with weights unpacked for all of
 * them.
 */
#include "simd/avx512/vnni_avx512.h"
#include "simd/variants.h"

enum {
    MAX_TOKENS = 8
}; /* 2 x 8 integer sums, and 2 x 8 float sums that are touched once a group, partly in memory */

typedef __m512i dots_t[MAX_TILES][MAX_TOKENS];

/* Adds the products of four columns of every tile (w) with those of every token. */
ITH_INLINE void dot_quad(const int tiles, const int tokens, const __m512i w[MAX_TILES],
                         const int8_t *quants, int64_t stride, dots_t dots)
{
    EACH_TOKEN
    {
        const __m512i a = broadcast_quad(quants + t * stride);
        EACH_TILE add_dots(&dots[i][t], w[i], a);
    }
}

ITH_INLINE void dot_group_w8(const int tiles, const int tokens, const uint8_t *weights,
                             size_t tile_bytes, const int8_t *quants, int64_t stride, dots_t dots)
{
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m512i w[MAX_TILES];
        EACH_TILE w[i] = _mm512_loadu_si512(weights + i * tile_bytes + 64 * j);
        dot_quad(tiles, tokens, w, quants + 4 * j, stride, dots);
    }
}

ITH_INLINE void dot_group_w4(const int tiles, const int tokens, const uint8_t *weights,
                             size_t tile_bytes, const int8_t *quants, int64_t stride, dots_t dots)
{
    const __m512i nibble = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512i low[MAX_TILES], high[MAX_TILES];
        EACH_TILE
        {
            __m512i pairs = _mm512_loadu_si512(weights + i * tile_bytes + 64 * j);
            low[i] = _mm512_and_si512(pairs, nibble);
            high[i] = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
        }
        dot_quad(tiles, tokens, low, quants + 4 * j, stride, dots);
        dot_quad(tiles, tokens, high, quants + 16 + 4 * j, stride, dots);
    }
}

ITH_INLINE void dot_group(const ith_layout layout, const int tiles, const int tokens,
                          const uint8_t *weights, size_t tile_bytes, const int8_t *quants,
                          int64_t stride, dots_t dots)
{
    if (layout == ITH_W8)
        dot_group_w8(tiles, tokens, weights, tile_bytes, quants, stride, dots);
    else
        dot_group_w4(tiles, tokens, weights, tile_bytes, quants, stride, dots);
}

#include "simd/avx512/gemm_panel_avx512.h"

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    if (n_tokens <= MAX_TOKENS)
        gemm_direct(layout, n_tiles, n_tokens, tiles, acts, out, ld_out);
    else
        gemm_panels(layout, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w8__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out)
{
    gemm(ITH_W8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out)
{
    gemm(ITH_W4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W4M, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
