/* quantize_neon.c - quantization to int8: activations, heads, and their entries in the KV cache. */
#include "simd/neon/vec_neon.h"
#include "simd/variants.h"

/* The lanes of `scaled`, rounded by rne and limited to [-127, 127]. */
ITH_INLINE int32x4_t quants(float32x4_t scaled)
{
    return vmaxq_s32(vminq_s32(vcvtnq_s32_f32(scaled), vdupq_n_s32(127)), vdupq_n_s32(-127));
}

/* Sixteen quants of four vectors as bytes. */
ITH_INLINE int8x16_t bytes_of(const int32x4_t q[4])
{
    const int16x8_t low = vcombine_s16(vmovn_s32(q[0]), vmovn_s32(q[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(q[2]), vmovn_s32(q[3]));
    return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}

void ith_quantize__neon(int64_t n, const float *x, const ith_acts *acts, int64_t token,
                        int64_t first)
{
    enum { VECS = ITH_GROUP / 4 };
    int64_t at = token * acts->groups + first;
    for (; n > 0; at++, x += ITH_GROUP, n -= ITH_GROUP) {
        int8_t *out = acts->quants + at * ITH_GROUP;
        float32x4_t v[VECS], largest = vdupq_n_f32(0.0f);
        int32x4_t q[VECS], front = vdupq_n_s32(0), back = vdupq_n_s32(0);
#pragma GCC unroll 8
        for (int i = 0; i < VECS; i++) {
            v[i] = load_first(x + 4 * i, n - 4 * i);
            largest = vmaxq_f32(largest, vabsq_f32(v[i]));
        }
        const float amax = vmaxvq_f32(largest), inv = ith_inverse(127.0f, amax);
#pragma GCC unroll 8
        for (int i = 0; i < VECS; i++) {
            q[i] = quants(vmulq_n_f32(v[i], inv));
            if (i < VECS / 2)
                front = vaddq_s32(front, q[i]);
            else
                back = vaddq_s32(back, q[i]);
        }
        vst1q_s8(out, bytes_of(q));
        vst1q_s8(out + 16, bytes_of(q + 4));
        ith_acts_derive(acts, at, ith_act_scale(amax), vaddvq_s32(front), vaddvq_s32(back));
    }
}

/* Channels c..c+3 of a head, minus the bias; zeros past d. */
ITH_INLINE float32x4_t load_head(int d, int c, const float *x, const float *bias)
{
    const float32x4_t v = load_first(x + c, d - c);
    return bias ? vsubq_f32(v, load_first(bias + c, d - c)) : v;
}

static float largest_abs(int d, const float *x, const float *bias)
{
    float32x4_t largest = vdupq_n_f32(0.0f);
    for (int c = 0; c < d; c += 4)
        largest = vmaxq_f32(largest, vabsq_f32(load_head(d, c, x, bias)));
    return vmaxvq_f32(largest);
}

static void quantize_row(int d, const float *x, const float *bias, float inv, int8_t *out)
{
    for (int c = 0; c < d; c += 16) {
        int32x4_t q[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            q[k] = quants(vmulq_n_f32(load_head(d, c + 4 * k, x, bias), inv));
        vst1q_s8(out + c, bytes_of(q));
    }
}

float ith_quantize_head__neon(int d, const float *x, const float *bias, int8_t *out)
{
    const float amax = largest_abs(d, x, bias);
    quantize_row(d, x, bias, ith_inverse(127.0f, amax), out);
    return amax / 127.0f;
}

uint16_t ith_quantize_head_bf16__neon(int d, const float *x, const float *bias, int8_t *out)
{
    const uint16_t stored = ith_f32_to_bf16_up(largest_abs(d, x, bias) / 127.0f);
    quantize_row(d, x, bias, ith_inverse(1.0f, ith_bf16_to_f32(stored)), out);
    return stored;
}

/* A key is written by four channels at a time. The bytes of a value are apart from each other, with
 * bytes of other values between them. */
void ith_kv_put_q8__neon(void *block, int head_dim, int slot, const int8_t *k, const int8_t *v,
                         uint16_t ks, uint16_t vs)
{
    const int dp = (head_dim + 15) / 16 * 16;
    uint8_t *key = (uint8_t *)block + slot * 4;
    int8_t *value = (int8_t *)block + ITH_KV_BLOCK * dp + slot % 16 * dp * 4 + slot / 16;
    uint16_t *scales = (uint16_t *)(void *)((uint8_t *)block + 2 * ITH_KV_BLOCK * dp);
    for (int c = 0; c < dp; c += 4) {
        uint32_t quad;
        memcpy(&quad, k + c, 4);
        quad ^= 0x80808080u; /* q + 128 */
        memcpy(key + c * ITH_KV_BLOCK, &quad, 4);
    }
    for (int c = 0; c < dp; c++)
        value[4 * c] = v[c];
    scales[slot] = ks;
    scales[ITH_KV_BLOCK + slot] = vs;
}
