/* attn_q8_avx512.c - attention over the int8 cache by vpdpbusd: biased keys (unsigned) times four
 * channels of the query (broadcast), and four weights (unsigned, broadcast) times values. */
#include "simd/avx512/vnni_avx512.h"
#include "simd/variants.h"

enum { KEYS_BIASED = 1, CHANNEL_VECS = 4 };

ITH_INLINE void dot_keys(const int rows, const bool fetch, const uint8_t *keys, int dp,
                         const int8_t *const q[], __m512i dot[][4], const uint8_t *next)
{
    for (int c = 0; c < dp; c += 4) {
        __m512i key[4];
        fetch_lines(fetch, next + c * ITH_KV_BLOCK);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            key[k] = _mm512_load_si512(keys + c * ITH_KV_BLOCK + 64 * k);
        EACH_ROW
        {
            const __m512i quad = broadcast_quad(q[r] + c);
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                add_dots(&dot[r][k], key[k], quad);
        }
    }
}

/* Adds the products of quad i of the keys. */
ITH_INLINE void dot_quad(const int rows, const int vecs, const bool fetch, const int8_t *values,
                         int64_t stride, const uint8_t u[][ITH_KV_BLOCK],
                         __m512i sum[][CHANNEL_VECS], const uint8_t *next, int i)
{
    __m512i value[CHANNEL_VECS];
    fetch_lines(fetch, next + 256 * i);
    EACH_VEC value[v] = _mm512_load_si512(values + i * stride + 64 * v);
    EACH_ROW
    {
        const __m512i weight = broadcast_quad(u[r] + 4 * i);
        EACH_VEC add_dots(&sum[r][v], weight, value[v]);
    }
}

/* Eight sums or fewer would wait for their own latency: odd quads then get separate sums. */
ITH_INLINE void dot_weights(const int rows, const int vecs, const bool fetch, const int8_t *values,
                            int64_t stride, const uint8_t u[][ITH_KV_BLOCK],
                            __m512i sum[][CHANNEL_VECS], const uint8_t *next)
{
    int quads = ITH_KV_BLOCK / 4;
    /* Hides the number: gcc 12 copies the sums of a loop whose number of iterations it knows. */
    __asm__("" : "+r"(quads));
    EACH_ROW EACH_VEC sum[r][v] = begin_sum(_mm512_setzero_si512());
    if (rows * vecs > 8) {
#pragma GCC unroll 2
        for (int i = 0; i < quads; i++)
            dot_quad(rows, vecs, fetch, values, stride, u, sum, next, i);
        return;
    }
    __m512i odd[4][CHANNEL_VECS];
    EACH_ROW EACH_VEC odd[r][v] = begin_sum(_mm512_setzero_si512());
    for (int i = 0; i < quads; i += 2) {
        dot_quad(rows, vecs, fetch, values, stride, u, sum, next, i);
        dot_quad(rows, vecs, fetch, values, stride, u, odd, next, i + 1);
    }
    EACH_ROW EACH_VEC sum[r][v] = _mm512_add_epi32(sum[r][v], odd[r][v]);
}

#include "simd/avx512bw/attn_q8_frame_avx512.h"

void ith_attn_q8__avx512(const ith_attn *a)
{
    attn_q8(a);
}
