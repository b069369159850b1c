/* gemm_avx512.c - quantized products by vpdpbusd.
 *
 * The unsigned operand is the weights, biased. The accumulators start from the correction for the
 * zero point, which quantization has stored beside the scales. One broadcast of four quants of a
 * token serves two tiles. For few tokens the weights are read once, directly from memory; more
 * tokens are multiplied in panels, with weights unpacked for all of them.
 */
#include "simd/avx512/vnni_avx512.h"
#include "simd/avx512bw/unpack_avx512.h"

enum {
    MAX_TOKENS = 8
}; /* 2 x 8 integer sums, and 2 x 8 float sums that are touched once a group, partly in memory */

typedef __m512i dots_t[MAX_TILES][MAX_TOKENS];

#define ZERO_BITS(layout) 0

ITH_INLINE void dot_run(const ith_layout layout, const int tiles, const int tokens, const int run,
                        const uint8_t *weights, size_t tile_bytes, const int8_t *quants,
                        int64_t stride, dots_t dots)
{
    const int runs = ith_tile_forms[layout].runs, n = QUADS / runs;
    const bool in_order = runs == 2 || layout == ITH_W8; /* else both quads of a nibble together */
#pragma GCC unroll 8
    for (int k = 0; k < n; k++) {
        const int j = in_order ? run * n + k : k / 2 + k % 2 * 4;
        __m512i w[MAX_TILES];
        EACH_TILE w[i] = biased_quad(layout, weights + i * tile_bytes, j);
        EACH_TOKEN
        {
            const __m512i a = broadcast_quad(quants + t * stride + 4 * j);
            EACH_TILE add_dots(&dots[i][t], w[i], a);
        }
    }
}

#include "simd/avx512/gemm_panel_avx512.h"

/* Tokens of a block, and the most that go directly. Unpacking takes several instructions in the
 * layouts of smaller blocks of bits, so fewer tokens are enough to make panels worth while. In the
 * others even two blocks are faster: the second finds the weights in the first level. */
ITH_INLINE int direct_block(const ith_layout layout)
{
    return layout <= ITH_W4M ? MAX_TOKENS : MAX_TOKENS / 2;
}

ITH_INLINE int direct_tokens(const ith_layout layout)
{
    return layout <= ITH_W4M ? 2 * MAX_TOKENS : MAX_TOKENS / 2;
}

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    if (n_tokens <= direct_tokens(layout))
        gemm_direct(layout, direct_block(layout), MAX_TILES, n_tiles, n_tokens, tiles, acts, out,
                    ld_out);
    else
        gemm_panels(layout, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    void ith_gemm_##name##__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles,           \
                                   const ith_acts *acts, float *out, int64_t ld_out)               \
    {                                                                                              \
        gemm(ITH_##constant, n_tiles, n_tokens, tiles, acts, out, ld_out);                         \
    }
#include "simd/layouts.inc"
