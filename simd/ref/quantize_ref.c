/* quantize_ref.c - quantization to int8: activations, heads, and their entries in the KV cache. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

/* By the bits: among them, NaN is larger than infinity. */
static float largest_abs(int64_t n, const float *x, const float *bias)
{
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = ith_f32_bits(fabsf(bias ? x[i] - bias[i] : x[i]));
        most = bits > most ? bits : most;
    }
    return ith_f32_from_bits(most);
}

static int8_t quant(float scaled)
{
    int32_t q = ith_rne_int(scaled);
    return (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
}

void ith_quantize__ref(int64_t n, const float *x, const ith_acts *acts, int64_t token,
                       int64_t first)
{
    for (int64_t g = 0; g * ITH_GROUP < n; g++) {
        int64_t left = n - g * ITH_GROUP, count = left < ITH_GROUP ? left : ITH_GROUP;
        int64_t at = token * acts->groups + first + g;
        int8_t *quants = acts->quants + at * ITH_GROUP;
        float amax = largest_abs(count, x + g * ITH_GROUP, NULL), inv = ith_inverse(127.0f, amax);
        int32_t sums[2] = {0, 0};
        for (int64_t i = 0; i < ITH_GROUP; i++) {
            int8_t q = i < count ? quant(x[g * ITH_GROUP + i] * inv) : 0;
            quants[i] = q;
            sums[i / 16] += q;
        }
        ith_acts_derive(acts, at, ith_act_scale(amax), sums[0], sums[1]);
    }
}

static void quantize_row(int d, const float *x, const float *bias, float inv, int8_t *out)
{
    for (int c = 0; c < d; c++)
        out[c] = quant((bias ? x[c] - bias[c] : x[c]) * inv);
    for (int c = d; c < (d + 15) / 16 * 16; c++)
        out[c] = 0;
}

float ith_quantize_head__ref(int d, const float *x, const float *bias, int8_t *out)
{
    float amax = largest_abs(d, x, bias);
    quantize_row(d, x, bias, ith_inverse(127.0f, amax), out);
    return amax / 127.0f;
}

uint16_t ith_quantize_head_bf16__ref(int d, const float *x, const float *bias, int8_t *out)
{
    uint16_t stored = ith_f32_to_bf16_up(largest_abs(d, x, bias) / 127.0f);
    quantize_row(d, x, bias, ith_inverse(1.0f, ith_bf16_to_f32(stored)), out);
    return stored;
}

void ith_kv_put_q8__ref(void *block, int head_dim, int slot, const int8_t *k, const int8_t *v,
                        uint16_t ks, uint16_t vs)
{
    const int dp = (head_dim + 15) / 16 * 16;
    uint8_t *keys = block;
    int8_t *values = (int8_t *)keys + ITH_KV_BLOCK * dp;
    uint16_t *key_scales = (uint16_t *)(void *)(values + ITH_KV_BLOCK * dp);
    for (int c = 0; c < dp; c++) {
        keys[(c / 4 * ITH_KV_BLOCK + slot) * 4 + c % 4] = (uint8_t)(k[c] + 128);
        values[(slot % 16 * dp + c) * 4 + slot / 16] = v[c];
    }
    key_scales[slot] = ks;
    key_scales[ITH_KV_BLOCK + slot] = vs;
}
