/* quantize_avx512bw.c - quantization to int8: activations, heads, and their entries in the KV
 * cache. */
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

/* The lanes of `scaled`, rounded by rne and limited to [-127, 127]. */
ITH_INLINE __m512i quants(__m512 scaled)
{
    const __m512i q = _mm512_cvtps_epi32(scaled);
    return _mm512_max_epi32(_mm512_min_epi32(q, _mm512_set1_epi32(127)), _mm512_set1_epi32(-127));
}

/* The bits of |v|, as integers: among them, NaN is larger than infinity. */
ITH_INLINE __m512i absolute(__m512 v)
{
    return _mm512_castps_si512(_mm512_abs_ps(v));
}

ITH_INLINE float largest_of(__m512i bits)
{
    return ith_f32_from_bits((uint32_t)_mm512_reduce_max_epi32(bits));
}

void ith_quantize__avx512bw(int64_t n, const float *x, const ith_acts *acts, int64_t token,
                            int64_t first)
{
    int64_t at = token * acts->groups + first;
    for (; n > 0; at++, x += ITH_GROUP, n -= ITH_GROUP) {
        int8_t *out = acts->quants + at * ITH_GROUP;
        const __m512 a = _mm512_maskz_loadu_ps(first_lanes(n), x),
                     b = _mm512_maskz_loadu_ps(first_lanes(n - 16), x + 16);
        const float amax = largest_of(_mm512_max_epi32(absolute(a), absolute(b)));
        const __m512 inv = _mm512_set1_ps(ith_inverse(127.0f, amax));
        const __m512i qa = quants(_mm512_mul_ps(a, inv)), qb = quants(_mm512_mul_ps(b, inv));
        _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtepi32_epi8(qa));
        _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm512_cvtepi32_epi8(qb));
        ith_acts_derive(acts, at, ith_act_scale(amax), _mm512_reduce_add_epi32(qa),
                        _mm512_reduce_add_epi32(qb));
    }
}

/* Channels c..c+15 of a head, minus the bias; zeros past d. */
ITH_INLINE __m512 load_head(int d, int c, const float *x, const float *bias)
{
    const __mmask16 keep = first_lanes(d - c);
    const __m512 v = _mm512_maskz_loadu_ps(keep, x + c);
    return bias ? _mm512_maskz_sub_ps(keep, v, _mm512_maskz_loadu_ps(keep, bias + c)) : v;
}

static float largest_abs(int d, const float *x, const float *bias)
{
    __m512i amax = _mm512_setzero_si512();
    for (int c = 0; c < d; c += 16)
        amax = _mm512_max_epi32(amax, absolute(load_head(d, c, x, bias)));
    return largest_of(amax);
}

static void quantize_row(int d, const float *x, const float *bias, float inv, int8_t *out)
{
    for (int c = 0; c < d; c += 16) {
        const __m512i q = quants(_mm512_mul_ps(load_head(d, c, x, bias), _mm512_set1_ps(inv)));
        _mm_storeu_si128((__m128i *)(void *)(out + c), _mm512_cvtepi32_epi8(q));
    }
}

float ith_quantize_head__avx512bw(int d, const float *x, const float *bias, int8_t *out)
{
    const float amax = largest_abs(d, x, bias);
    quantize_row(d, x, bias, ith_inverse(127.0f, amax), out);
    return amax / 127.0f;
}

uint16_t ith_quantize_head_bf16__avx512bw(int d, const float *x, const float *bias, int8_t *out)
{
    const uint16_t stored = ith_f32_to_bf16_up(largest_abs(d, x, bias) / 127.0f);
    quantize_row(d, x, bias, ith_inverse(1.0f, ith_bf16_to_f32(stored)), out);
    return stored;
}

void ith_kv_put_q8__avx512bw(void *block, int head_dim, int slot, const int8_t *k, const int8_t *v,
                             uint16_t ks, uint16_t vs)
{
    const int dp = (head_dim + 15) / 16 * 16;
    uint8_t *keys = block;
    int8_t *values = (int8_t *)keys + ITH_KV_BLOCK * dp;
    uint16_t *key_scales = (uint16_t *)(void *)(values + ITH_KV_BLOCK * dp);
    const __mmask64 byte_of_quad = 0x1111111111111111ull << slot / 16;

    for (int c = 0; c < dp; c += 4) {
        uint32_t quad;
        memcpy(&quad, k + c, 4);
        quad ^= 0x80808080u; /* q + 128 */
        memcpy(keys + (c / 4 * ITH_KV_BLOCK + slot) * 4, &quad, 4);
    }
    for (int c = 0; c < dp; c += 16) {
        const __m512i wide =
            _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(v + c)));
        const __m512i placed = _mm512_sll_epi32(wide, _mm_cvtsi32_si128(slot / 16 * 8));
        _mm512_mask_storeu_epi8(values + (slot % 16 * dp + c) * 4, byte_of_quad, placed);
    }
    key_scales[slot] = ks;
    key_scales[ITH_KV_BLOCK + slot] = vs;
}
