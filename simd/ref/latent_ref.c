/* latent_ref.c - keys of latent segments, and the copy of their values. */
#include "simd/variants.h"

#include <string.h>

void ith_latent_put_q8__ref(void *block, int head_dim, int slot, const int8_t *k, uint16_t ks,
                            uint16_t ts)
{
    const int dp = (head_dim + 15) / 16 * 16;
    uint8_t *key = (uint8_t *)block + slot * 4;
    uint16_t *scales = (uint16_t *)(void *)((uint8_t *)block + ITH_KV_BLOCK * dp);
    for (int c = 0; c < dp; c += 4) {
        uint32_t quad;
        memcpy(&quad, k + c, 4);
        quad ^= 0x80808080u; /* q + 128 */
        memcpy(key + c * ITH_KV_BLOCK, &quad, 4);
    }
    scales[slot] = ks;
    scales[ITH_KV_BLOCK + slot] = ts;
}

void ith_latent_values_q8__ref(int n_blocks, int head_dim, int value_dim, const void *segment,
                               void *values)
{
    const uint8_t *keys = segment;
    int8_t *out = values;
    for (int b = 0; b < n_blocks; b++) {
        for (int c = 0; c < value_dim; c++)
            for (int j = 0; j < ITH_KV_BLOCK; j++)
                out[(j % 16 * value_dim + c) * 4 + j / 16] =
                    (int8_t)(keys[(c / 4 * ITH_KV_BLOCK + j) * 4 + c % 4] - 128);
        keys += ith_latent_block_bytes(ITH_KVL_Q8, head_dim);
        out += ITH_KV_BLOCK * value_dim;
    }
}

/* Elements of a float layout: [channels][64] to [64][value_dim]. */
#define VALUES(name, layout, type)                                                                 \
    void name(int n_blocks, int head_dim, int value_dim, const void *segment, void *values)        \
    {                                                                                              \
        const uint8_t *block = segment;                                                            \
        type *out = values;                                                                        \
        for (int b = 0; b < n_blocks; b++) {                                                       \
            const type *keys = (const type *)(const void *)block;                                  \
            for (int c = 0; c < value_dim; c++)                                                    \
                for (int j = 0; j < ITH_KV_BLOCK; j++)                                             \
                    out[j * value_dim + c] = keys[c * ITH_KV_BLOCK + j];                           \
            block += ith_latent_block_bytes(layout, head_dim);                                     \
            out += ITH_KV_BLOCK * value_dim;                                                       \
        }                                                                                          \
    }
VALUES(ith_latent_values_bf16__ref, ITH_KVL_BF16, uint16_t)
VALUES(ith_latent_values_f32__ref, ITH_KVL_F32, float)
