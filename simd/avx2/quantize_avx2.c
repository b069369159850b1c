/* quantize_avx2.c - quantization to int8: activations and heads. */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

/* The lanes of `scaled`, rounded by rne and limited to [-127, 127]. */
ITH_INLINE __m256i quants(__m256 scaled)
{
    const __m256i q = _mm256_cvtps_epi32(scaled);
    return _mm256_max_epi32(_mm256_min_epi32(q, _mm256_set1_epi32(127)), _mm256_set1_epi32(-127));
}

/* The bits of |v|, as integers: among them, NaN is larger than infinity. */
ITH_INLINE __m256i absolute(__m256 v)
{
    return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(INT32_MAX));
}

ITH_INLINE float largest_of(__m256i bits)
{
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1))));
}

/* Stores the sixteen quants of two vectors as bytes. */
ITH_INLINE void store_bytes(int8_t *out, __m256i a, __m256i b)
{
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

void ith_quantize__avx2(int64_t n, const float *x, const ith_acts *acts, int64_t token,
                        int64_t first)
{
    int64_t at = token * acts->groups + first;
    for (; n > 0; at++, x += ITH_GROUP, n -= ITH_GROUP) {
        int8_t *out = acts->quants + at * ITH_GROUP;
        __m256 v[4];
        __m256i q[4], largest = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            v[i] = load_first(x + 8 * i, n - 8 * i);
            largest = _mm256_max_epi32(largest, absolute(v[i]));
        }
        const float amax = largest_of(largest);
        const __m256 inv = _mm256_set1_ps(ith_inverse(127.0f, amax));
        for (int i = 0; i < 4; i++)
            q[i] = quants(_mm256_mul_ps(v[i], inv));
        store_bytes(out, q[0], q[1]);
        store_bytes(out + 16, q[2], q[3]);
        ith_acts_derive(acts, at, ith_act_scale(amax), sum_of_lanes(_mm256_add_epi32(q[0], q[1])),
                        sum_of_lanes(_mm256_add_epi32(q[2], q[3])));
    }
}

/* Channels c..c+7 of a head, minus the bias; zeros past d. */
ITH_INLINE __m256 load_head(int d, int c, const float *x, const float *bias)
{
    const __m256 v = load_first(x + c, d - c);
    return bias ? _mm256_sub_ps(v, load_first(bias + c, d - c)) : v;
}

static float largest_abs(int d, const float *x, const float *bias)
{
    __m256i amax = _mm256_setzero_si256();
    for (int c = 0; c < d; c += 8)
        amax = _mm256_max_epi32(amax, absolute(load_head(d, c, x, bias)));
    return largest_of(amax);
}

static void quantize_row(int d, const float *x, const float *bias, float inv, int8_t *out)
{
    const __m256 factor = _mm256_set1_ps(inv);
    for (int c = 0; c < d; c += 16)
        store_bytes(out + c, quants(_mm256_mul_ps(load_head(d, c, x, bias), factor)),
                    quants(_mm256_mul_ps(load_head(d, c + 8, x, bias), factor)));
}

float ith_quantize_head__avx2(int d, const float *x, const float *bias, int8_t *out)
{
    const float amax = largest_abs(d, x, bias);
    quantize_row(d, x, bias, ith_inverse(127.0f, amax), out);
    return amax / 127.0f;
}

uint16_t ith_quantize_head_bf16__avx2(int d, const float *x, const float *bias, int8_t *out)
{
    const uint16_t stored = ith_f32_to_bf16_up(largest_abs(d, x, bias) / 127.0f);
    quantize_row(d, x, bias, ith_inverse(1.0f, ith_bf16_to_f32(stored)), out);
    return stored;
}
