/* latent_avx2.c - the values of latent segments, sixteen bytes at a time: four channels of four
 * keys are turned into four keys of four channels. */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

/* Channels c to c + 3 of keys i to i + 3 of each quarter of the block. */
ITH_INLINE void turn(const uint8_t *keys, int64_t value_dim, int i, int8_t *out)
{
    const __m128i bias = _mm_set1_epi8(-128);
    __m128i of[4], low[2], high[2];
#pragma GCC unroll 4
    for (int b = 0; b < 4; b++)
        of[b] = _mm_xor_si128(
            _mm_load_si128((const __m128i *)(const void *)(keys + (16 * b + i) * 4)), bias);
#pragma GCC unroll 2
    for (int b = 0; b < 2; b++) {
        low[b] = _mm_unpacklo_epi8(of[2 * b], of[2 * b + 1]);
        high[b] = _mm_unpackhi_epi8(of[2 * b], of[2 * b + 1]);
    }
    const __m128i turned[4] = {
        _mm_unpacklo_epi16(low[0], low[1]), _mm_unpackhi_epi16(low[0], low[1]),
        _mm_unpacklo_epi16(high[0], high[1]), _mm_unpackhi_epi16(high[0], high[1])};
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++)
        _mm_store_si128((__m128i *)(void *)(out + (i + k) * value_dim * 4), turned[k]);
}

void ith_latent_values_q8__avx2(int n_blocks, int head_dim, int value_dim, const void *segment,
                                void *values)
{
    const uint8_t *keys = segment;
    int8_t *out = values;
    for (int b = 0; b < n_blocks; b++) {
        for (int c = 0; c < value_dim; c += 4)
            for (int i = 0; i < 16; i += 4)
                turn(keys + c * ITH_KV_BLOCK, value_dim, i, out + c * 4);
        keys += ith_latent_block_bytes(ITH_KVL_Q8, head_dim);
        out += ITH_KV_BLOCK * value_dim;
    }
}
