/* gemm_avxvnni.c - quantized products by vpdpbusd: the unsigned operand is the weights, biased as
 * they are stored. */
#include "simd/avxvnni/vnni_avxvnni.h"
#include "simd/variants.h"

enum {
    MAX_TOKENS = 6,
    EVEN_TOKENS = 4
}; /* 6 integer and 6 float accumulators of the 16 registers */

/* `weights`: the bytes of the eight rows in the group. */
ITH_INLINE void dot_group(const ith_layout layout, const int tokens, const uint8_t *weights,
                          const int8_t *quants, int64_t stride, __m256i dots[MAX_TOKENS])
{
    const __m256i nibble = _mm256_set1_epi8(15);
    const int quads = layout == ITH_W8 ? 8 : 4;
#pragma GCC unroll 8
    for (int j = 0; j < quads; j++) {
        const __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)(weights + 64 * j));
        const int8_t *q = quants + 4 * j;
        if (layout == ITH_W8) {
            EACH_TOKEN add_dots(&dots[t], w, broadcast_quad(q + t * stride));
            continue;
        }
        const __m256i low = _mm256_and_si256(w, nibble),
                      high = _mm256_and_si256(_mm256_srli_epi16(w, 4), nibble);
        EACH_TOKEN add_dots(&dots[t], low, broadcast_quad(q + t * stride));
        EACH_TOKEN add_dots(&dots[t], high, broadcast_quad(q + t * stride + 16));
    }
}

#include "simd/avx2/gemm_frame_avx2.h"

void ith_gemm_w8__avxvnni(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__avxvnni(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__avxvnni(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                           const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W4M, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
