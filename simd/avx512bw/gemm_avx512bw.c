/* gemm_avx512bw.c - quantized products by vpmaddubsw, which never saturates
 * (simd/avx2/gemm_avx2.c). */
#include "simd/avx512bw/unpack_avx512.h"

enum {
    MAX_TOKENS = 4
}; /* 2 x 4 x 2 sums of 16 bits and 2 x 4 float accumulators of the 32 registers */

typedef __m512i dots_t[MAX_TILES][MAX_TOKENS];

#define ZERO_BITS(layout) 0

ITH_INLINE void dot_run(const ith_layout layout, const int tiles, const int tokens, const int run,
                        const uint8_t *weights, size_t tile_bytes, const int8_t *quants,
                        int64_t stride, dots_t dots)
{
    (void)run;
    const __m512i nibble = _mm512_set1_epi8(15), ones = _mm512_set1_epi16(1);
    const int quads = layout == ITH_W8 ? 8 : 4, high_column = layout == ITH_W8 ? 0 : 16;
    dots_t low_sum, high_sum;

    EACH_TILE EACH_TOKEN low_sum[i][t] = high_sum[i][t] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int j = 0; j < quads; j++) {
        __m512i low[MAX_TILES], high[MAX_TILES];
        EACH_TILE
        {
            const __m512i pairs = _mm512_loadu_si512(weights + i * tile_bytes + 64 * j);
            low[i] = _mm512_and_si512(pairs, nibble);
            high[i] = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
        }
        EACH_TOKEN
        {
            const int8_t *q = quants + t * stride + 4 * j;
            const __m512i first = broadcast_quad(q), second = broadcast_quad(q + high_column);
            EACH_TILE low_sum[i][t] =
                _mm512_add_epi16(low_sum[i][t], _mm512_maddubs_epi16(low[i], first));
            EACH_TILE high_sum[i][t] =
                _mm512_add_epi16(high_sum[i][t], _mm512_maddubs_epi16(high[i], second));
        }
    }
    EACH_TILE EACH_TOKEN
    {
        __m512i sum;
        if (layout == ITH_W8) {
            const __m512i high = _mm512_slli_epi32(_mm512_madd_epi16(high_sum[i][t], ones), 4);
            sum = _mm512_add_epi32(_mm512_madd_epi16(low_sum[i][t], ones), high);
        } else
            sum = _mm512_madd_epi16(_mm512_add_epi16(low_sum[i][t], high_sum[i][t]), ones);
        dots[i][t] = _mm512_add_epi32(dots[i][t], sum);
    }
}

#include "simd/avx512bw/gemm_frame_avx512.h"

void ith_gemm_w8__avx512bw(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                           const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm_direct(ITH_W8, MAX_TOKENS, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__avx512bw(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                           const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm_direct(ITH_W4, MAX_TOKENS, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__avx512bw(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                            const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm_direct(ITH_W4M, MAX_TOKENS, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
