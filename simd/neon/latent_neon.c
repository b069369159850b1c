/* latent_neon.c - the values of latent segments, sixteen bytes at a time: four channels of four
 * keys are turned into four keys of four channels. */
#include "simd/neon/vec_neon.h"
#include "simd/variants.h"

/* Channels c to c + 3 of keys i to i + 3 of each quarter of the block. */
ITH_INLINE void turn(const uint8_t *keys, int64_t value_dim, int i, uint8_t *out)
{
    const uint8x16_t bias = vdupq_n_u8(128);
    uint8x16_t of[4];
#pragma GCC unroll 4
    for (int b = 0; b < 4; b++)
        of[b] = veorq_u8(vld1q_u8(keys + (16 * b + i) * 4), bias);
    const uint16x8_t low[2] = {vreinterpretq_u16_u8(vzip1q_u8(of[0], of[1])),
                               vreinterpretq_u16_u8(vzip1q_u8(of[2], of[3]))},
                     high[2] = {vreinterpretq_u16_u8(vzip2q_u8(of[0], of[1])),
                                vreinterpretq_u16_u8(vzip2q_u8(of[2], of[3]))};
    const uint16x8_t turned[4] = {vzip1q_u16(low[0], low[1]), vzip2q_u16(low[0], low[1]),
                                  vzip1q_u16(high[0], high[1]), vzip2q_u16(high[0], high[1])};
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++)
        vst1q_u8(out + (i + k) * value_dim * 4, vreinterpretq_u8_u16(turned[k]));
}

void ith_latent_values_q8__neon(int n_blocks, int head_dim, int value_dim, const void *segment,
                                void *values)
{
    const uint8_t *keys = segment;
    uint8_t *out = values;
    for (int b = 0; b < n_blocks; b++) {
        for (int c = 0; c < value_dim; c += 4)
            for (int i = 0; i < 16; i += 4)
                turn(keys + c * ITH_KV_BLOCK, value_dim, i, out + c * 4);
        keys += ith_latent_block_bytes(ITH_KVL_Q8, head_dim);
        out += ITH_KV_BLOCK * value_dim;
    }
}
