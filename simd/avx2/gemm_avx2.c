/* gemm_avx2.c - quantized products by vpmaddubsw.
 *
 * A byte of weights is two nibbles u4. vpmaddubsw adds the products of two nibbles with two quants,
 * at most 2 * 15 * 127 = 3,810, and eight such sums, a whole group, fit into 16 bits: nothing
 * saturates. In w8, with biased bytes, both nibbles belong to one column and the sum of the high
 * ones counts sixteen times; in w4 they are two columns.
 */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

enum { MAX_TOKENS = 4, EVEN_TOKENS = 2 };

/* `weights`: the bytes of the eight rows in the group. */
ITH_INLINE void dot_group(const ith_layout layout, const int tokens, const uint8_t *weights,
                          const int8_t *quants, int64_t stride, __m256i dots[MAX_TOKENS])
{
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const int quads = layout == ITH_W8 ? 8 : 4, high_column = layout == ITH_W8 ? 0 : 16;
    __m256i low_sum[MAX_TOKENS], high_sum[MAX_TOKENS];

    EACH_TOKEN low_sum[t] = high_sum[t] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int j = 0; j < quads; j++) {
        const __m256i pairs = _mm256_loadu_si256((const __m256i *)(const void *)(weights + 64 * j));
        const __m256i low = _mm256_and_si256(pairs, nibble);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble);
        EACH_TOKEN
        {
            const int8_t *q = quants + t * stride + 4 * j;
            low_sum[t] = _mm256_add_epi16(low_sum[t], _mm256_maddubs_epi16(low, broadcast_quad(q)));
            high_sum[t] = _mm256_add_epi16(
                high_sum[t], _mm256_maddubs_epi16(high, broadcast_quad(q + high_column)));
        }
    }
    EACH_TOKEN
    {
        if (layout == ITH_W8) {
            const __m256i high = _mm256_slli_epi32(_mm256_madd_epi16(high_sum[t], ones), 4);
            dots[t] = _mm256_add_epi32(dots[t],
                                       _mm256_add_epi32(_mm256_madd_epi16(low_sum[t], ones), high));
        } else
            dots[t] = _mm256_add_epi32(
                dots[t], _mm256_madd_epi16(_mm256_add_epi16(low_sum[t], high_sum[t]), ones));
    }
}

#include "simd/avx2/gemm_frame_avx2.h"

void ith_gemm_w8__avx2(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                       float *out, int64_t ld_out)
{
    gemm(ITH_W8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__avx2(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                       float *out, int64_t ld_out)
{
    gemm(ITH_W4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__avx2(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                        float *out, int64_t ld_out)
{
    gemm(ITH_W4M, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
