/* attn_q8_avx512bw.c - attention over the int8 cache by 16-bit steps that never saturate, for the
 * reasons given in simd/avx2/attn_q8_avx2.c. */
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

enum { KEYS_BIASED = 0, CHANNEL_VECS = 2 };

/* |k| times the query with the sign of k. */
ITH_INLINE void dot_keys(const int rows, const bool fetch, const uint8_t *keys, int dp,
                         const int8_t *const q[], __m512i dot[][4], const uint8_t *next)
{
    const __m512i bias = _mm512_set1_epi8(-128), ones = _mm512_set1_epi16(1),
                  zero = _mm512_setzero_si512();
    for (int c = 0; c < dp; c += 4) {
        __m512i size[4];
        fetch_lines(fetch, next + c * ITH_KV_BLOCK);
        __mmask64 negative[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            const __m512i key =
                _mm512_xor_si512(_mm512_load_si512(keys + c * ITH_KV_BLOCK + 64 * k), bias);
            negative[k] = _mm512_movepi8_mask(key);
            size[k] = _mm512_abs_epi8(key);
        }
        EACH_ROW
        {
            const __m512i quad = broadcast_quad(q[r] + c);
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) {
                const __m512i turned = _mm512_mask_sub_epi8(quad, negative[k], zero, quad);
                const __m512i pairs = _mm512_maddubs_epi16(size[k], turned);
                dot[r][k] = _mm512_add_epi32(dot[r][k], _mm512_madd_epi16(pairs, ones));
            }
        }
    }
}

/* Nibbles of the weights times values, 32 keys at a time. */
ITH_INLINE void dot_weights(const int rows, const int vecs, const bool fetch, const int8_t *values,
                            int64_t stride, const uint8_t u[][ITH_KV_BLOCK],
                            __m512i sum[][CHANNEL_VECS], const uint8_t *next)
{
    const __m512i nibble = _mm512_set1_epi8(15), ones = _mm512_set1_epi16(1);
    EACH_ROW EACH_VEC sum[r][v] = _mm512_setzero_si512();
    for (int half = 0; half < 2; half++) {
        __m512i low[4][CHANNEL_VECS], high[4][CHANNEL_VECS];
        EACH_ROW EACH_VEC low[r][v] = high[r][v] = _mm512_setzero_si512();
        for (int i = 8 * half; i < 8 * half + 8; i++) {
            __m512i value[CHANNEL_VECS];
            fetch_lines(fetch && i % 2 == 0, next + 128 * i);
            EACH_VEC value[v] = _mm512_load_si512(values + i * stride + 64 * v);
            EACH_ROW
            {
                const __m512i pairs = broadcast_quad(u[r] + 4 * i),
                              l = _mm512_and_si512(pairs, nibble);
                const __m512i h = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
                EACH_VEC low[r][v] = _mm512_add_epi16(low[r][v], _mm512_maddubs_epi16(l, value[v]));
                EACH_VEC high[r][v] =
                    _mm512_add_epi16(high[r][v], _mm512_maddubs_epi16(h, value[v]));
            }
        }
        EACH_ROW EACH_VEC
        {
            const __m512i sixteens = _mm512_slli_epi32(_mm512_madd_epi16(high[r][v], ones), 4);
            const __m512i partial = _mm512_add_epi32(_mm512_madd_epi16(low[r][v], ones), sixteens);
            sum[r][v] = _mm512_add_epi32(sum[r][v], partial);
        }
    }
}

#include "simd/avx512bw/attn_q8_frame_avx512.h"

void ith_attn_q8__avx512bw(const ith_attn *a)
{
    attn_q8(a);
}
