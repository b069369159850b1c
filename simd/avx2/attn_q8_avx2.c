/* attn_q8_avx2.c - attention over the int8 cache by 16-bit steps that never saturate.
 *
 * QK: the bias of the keys is removed; vpmaddubsw multiplies |k|, at most 128, by the query with
 * the sign of k, and 2 * 128 * 127 fits into its 16 bits. PV: weights go up to 255, so they are
 * split into nibbles, whose sums over 32 keys, at most 8 * 2 * 15 * 128, fit as well.
 */
#include "simd/avx2/attn_avx2.h"
#include "simd/variants.h"

enum { KEYS_BIASED = 0, VALUE_ROWS = 2 };

ITH_INLINE void dot_keys(const int rows, const uint8_t *keys, int dp, const int8_t *const q[],
                         __m256i dot[][2])
{
    const __m256i bias = _mm256_set1_epi8(-128), ones = _mm256_set1_epi16(1);
    for (int c = 0; c < dp; c += 4) {
        const __m256i *at = (const __m256i *)(const void *)(keys + c * ITH_KV_BLOCK);
        fetch_ahead(at);
        const __m256i k0 = _mm256_xor_si256(_mm256_load_si256(at), bias);
        const __m256i k1 = _mm256_xor_si256(_mm256_load_si256(at + 1), bias);
        const __m256i abs0 = _mm256_abs_epi8(k0), abs1 = _mm256_abs_epi8(k1);
        EACH_ROW
        {
            const __m256i quad = broadcast_quad(q[r] + c);
            const __m256i p0 = _mm256_maddubs_epi16(abs0, _mm256_sign_epi8(quad, k0));
            const __m256i p1 = _mm256_maddubs_epi16(abs1, _mm256_sign_epi8(quad, k1));
            dot[r][0] = _mm256_add_epi32(dot[r][0], _mm256_madd_epi16(p0, ones));
            dot[r][1] = _mm256_add_epi32(dot[r][1], _mm256_madd_epi16(p1, ones));
        }
    }
}

ITH_INLINE void dot_weights(const int rows, const int8_t *values, int64_t stride,
                            uint8_t u[][ITH_KV_BLOCK], __m256i sum[][2])
{
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    EACH_ROW sum[r][0] = sum[r][1] = _mm256_setzero_si256();
    for (int half = 0; half < 2; half++) {
        __m256i low[VALUE_ROWS][2], high[VALUE_ROWS][2];
        EACH_ROW low[r][0] = low[r][1] = high[r][0] = high[r][1] = _mm256_setzero_si256();
        for (int i = 8 * half; i < 8 * half + 8; i++) {
            const __m256i *at = (const __m256i *)(const void *)(values + i * stride);
            fetch_ahead(at);
            const __m256i v0 = _mm256_load_si256(at), v1 = _mm256_load_si256(at + 1);
            EACH_ROW
            {
                const __m256i pairs = broadcast_quad(u[r] + 4 * i),
                              l = _mm256_and_si256(pairs, nibble);
                const __m256i h = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble);
                low[r][0] = _mm256_add_epi16(low[r][0], _mm256_maddubs_epi16(l, v0));
                low[r][1] = _mm256_add_epi16(low[r][1], _mm256_maddubs_epi16(l, v1));
                high[r][0] = _mm256_add_epi16(high[r][0], _mm256_maddubs_epi16(h, v0));
                high[r][1] = _mm256_add_epi16(high[r][1], _mm256_maddubs_epi16(h, v1));
            }
        }
        EACH_ROW
        for (int v = 0; v < 2; v++) {
            const __m256i sixteens = _mm256_slli_epi32(_mm256_madd_epi16(high[r][v], ones), 4);
            const __m256i partial = _mm256_add_epi32(_mm256_madd_epi16(low[r][v], ones), sixteens);
            sum[r][v] = _mm256_add_epi32(sum[r][v], partial);
        }
    }
}

#include "simd/avx2/attn_q8_frame_avx2.h"

void ith_attn_q8__avx2(const ith_attn *a)
{
    attn_q8(a);
}
