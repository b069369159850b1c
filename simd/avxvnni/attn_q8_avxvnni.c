/* attn_q8_avxvnni.c - attention over the int8 cache by vpdpbusd: biased keys times queries, byte
 * weights times values. */
#include "simd/avx2/attn_avx2.h"
#include "simd/avxvnni/vnni_avxvnni.h"
#include "simd/variants.h"

enum { KEYS_BIASED = 1, VALUE_ROWS = 4 };

ITH_INLINE void dot_keys(const int rows, const uint8_t *keys, int dp, const int8_t *const q[],
                         __m256i dot[][2])
{
    for (int c = 0; c < dp; c += 4) {
        const __m256i *at = (const __m256i *)(const void *)(keys + c * ITH_KV_BLOCK);
        fetch_ahead(at);
        const __m256i k0 = _mm256_load_si256(at), k1 = _mm256_load_si256(at + 1);
        EACH_ROW
        {
            const __m256i quad = broadcast_quad(q[r] + c);
            add_dots(&dot[r][0], k0, quad);
            add_dots(&dot[r][1], k1, quad);
        }
    }
}

ITH_INLINE void dot_weights(const int rows, const int8_t *values, int64_t stride,
                            uint8_t u[][ITH_KV_BLOCK], __m256i sum[][2])
{
    EACH_ROW sum[r][0] = sum[r][1] = _mm256_setzero_si256();
    for (int i = 0; i < ITH_KV_BLOCK / 4; i++) {
        const __m256i *at = (const __m256i *)(const void *)(values + i * stride);
        fetch_ahead(at);
        const __m256i v0 = _mm256_load_si256(at), v1 = _mm256_load_si256(at + 1);
        EACH_ROW
        {
            const __m256i weight = broadcast_quad(u[r] + 4 * i);
            add_dots(&sum[r][0], weight, v0);
            add_dots(&sum[r][1], weight, v1);
        }
    }
}

#include "simd/avx2/attn_q8_frame_avx2.h"

void ith_attn_q8__avxvnni(const ith_attn *a)
{
    attn_q8(a);
}
