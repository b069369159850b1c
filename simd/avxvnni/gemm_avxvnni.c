/* gemm_avxvnni.c - quantized products by vpdpbusd: the unsigned operand is the weights, biased. */
#include "simd/avx2/unpack_avx2.h"
#include "simd/avxvnni/vnni_avxvnni.h"

enum {
    MAX_TOKENS = 6,
    EVEN_TOKENS = 4
}; /* 6 integer and 6 float accumulators of the 16 registers */

#define ZERO_BITS(layout) 0

/* Columns 4j..4j+3 of a group, unsigned, with the zero point 128; in w4 it is 8, and with minima
 * 0. */
ITH_INLINE __m256i biased_quad(const ith_layout layout, const uint8_t *group, const int j)
{
    const __m256i u = stored_quad(layout, group, j);
    const int zero = layout == ITH_Q5_0 ? 16 : layout == ITH_Q6_K ? 32 : layout == ITH_Q3_K ? 4 : 0;
    if (ith_tile_has_table(layout))
        return look_up(layout, u);
    return zero > 0 ? _mm256_add_epi8(u, _mm256_set1_epi8((char)(128 - zero))) : u;
}

/* `group`: from the bytes of the eight rows on. */
ITH_INLINE void dot_run(const ith_layout layout, const int tokens, const int run,
                        const uint8_t *group, const int8_t *quants, int64_t stride,
                        __m256i dots[MAX_TOKENS])
{
    const int runs = ith_tile_forms[layout].runs, n = QUADS / runs;
    const bool in_order = runs == 2 || layout == ITH_W8; /* else both quads of a nibble together */
#pragma GCC unroll 8
    for (int k = 0; k < n; k++) {
        const int j = in_order ? run * n + k : k / 2 + k % 2 * 4;
        const __m256i w = biased_quad(layout, group, j);
        EACH_TOKEN add_dots(&dots[t], w, broadcast_quad(quants + t * stride + 4 * j));
    }
}

#include "simd/avx2/gemm_frame_avx2.h"

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    void ith_gemm_##name##__avxvnni(int64_t n_tiles, int64_t n_tokens, const void *tiles,          \
                                    const ith_acts *acts, float *out, int64_t ld_out)              \
    {                                                                                              \
        gemm(ITH_##constant, n_tiles, n_tokens, tiles, acts, out, ld_out);                         \
    }
#include "simd/layouts.inc"
