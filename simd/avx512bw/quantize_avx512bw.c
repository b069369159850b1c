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

/* A group of n >= 1 values, padded with zeros. */
static void quantize_group(int64_t n, const float *x, const ith_acts *acts, int64_t at)
{
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

/* Four groups at once, so that a register holds a number of each: one division, one store. */
enum { FOUR = 4 };

/* The largest of the sixteen lanes of each. */
ITH_INLINE __m128i largest_of_each(const __m512i of[FOUR])
{
    __m256i m[FOUR], pairs[2], all;
#pragma GCC unroll 8
    for (int g = 0; g < FOUR; g++)
        m[g] = _mm256_max_epi32(_mm512_castsi512_si256(of[g]), _mm512_extracti64x4_epi64(of[g], 1));
#pragma GCC unroll 8
    for (int i = 0; i < 2; i++)
        pairs[i] = _mm256_max_epi32(_mm256_unpacklo_epi32(m[2 * i], m[2 * i + 1]),
                                    _mm256_unpackhi_epi32(m[2 * i], m[2 * i + 1]));
    all = _mm256_max_epi32(_mm256_unpacklo_epi64(pairs[0], pairs[1]),
                           _mm256_unpackhi_epi64(pairs[0], pairs[1]));
    return _mm_max_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

/* ith_inverse(127, x) of each. */
ITH_INLINE __m128 inverses(__m128 x)
{
    const __m128 inv = _mm_min_ps(_mm_div_ps(_mm_set1_ps(127.0f), x), _mm_set1_ps(FLT_MAX));
    return _mm_and_ps(inv, _mm_cmpgt_ps(x, _mm_setzero_ps()));
}

/* ith_act_scale of each. */
ITH_INLINE __m128 act_scales(__m128 amax)
{
    const __m128 scale = _mm_mul_ps(amax, _mm_set1_ps(1.0f / 127.0f)),
                 limited = _mm_min_ps(scale, _mm_set1_ps(ITH_ACT_SCALE_MOST)); /* NaN: that */
    const __m128i bits = _mm_add_epi32(_mm_castps_si128(limited), _mm_set1_epi32(2));
    return _mm_castsi128_ps(_mm_and_si128(bits, _mm_set1_epi32(~3)));
}

/* The quants of two groups, 2 x 2 vectors, as bytes in order. */
ITH_INLINE __m512i pack_groups(const __m512 scaled[FOUR])
{
    const __m512i in_order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i a = _mm512_packs_epi32(_mm512_cvtps_epi32(scaled[0]),
                                         _mm512_cvtps_epi32(scaled[1])),
                  b = _mm512_packs_epi32(_mm512_cvtps_epi32(scaled[2]),
                                         _mm512_cvtps_epi32(scaled[3]));
    const __m512i bytes = _mm512_max_epi8(_mm512_packs_epi16(a, b), _mm512_set1_epi8(-127));
    return _mm512_permutexvar_epi32(in_order, bytes);
}

/* Sums of four bytes each. */
ITH_INLINE __m512i sums_of_quads(__m512i bytes)
{
    return _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_set1_epi8(1), bytes),
                             _mm512_set1_epi16(1));
}

ITH_INLINE void store_i32(int32_t *to, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)to, v);
}

/* ITH_START - n * 2^bits */
ITH_INLINE __m128i starts(__m128i n, const int bits)
{
    return _mm_sub_epi32(_mm_set1_epi32(ITH_START), _mm_slli_epi32(n, bits));
}

/* What ith_acts_derive fills in, for groups at..at+3 with these quants. */
ITH_INLINE void derive_four(const ith_acts *acts, int64_t at, __m128 scale, const __m512i bytes[2])
{
    const __m512i s = sums_of_quads(bytes[0]), t = sums_of_quads(bytes[1]);
    const __m512i pairs =
                      _mm512_add_epi32(_mm512_unpacklo_epi32(s, t), _mm512_unpackhi_epi32(s, t)),
                  /* of each 128 bits the first two: half a group of s, half a group of t */
        halves = _mm512_add_epi32(pairs, _mm512_shuffle_epi32(pairs, _MM_PERM_BADC));
    const __m256i in_order = _mm512_castsi512_si256(_mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0), halves));
    const __m256i both = _mm256_add_epi32(in_order, _mm256_srli_epi64(in_order, 32));
    const __m128i sum = _mm256_castsi256_si128(
        _mm256_permutevar8x32_epi32(both, _mm256_setr_epi32(0, 2, 4, 6, 0, 0, 0, 0)));

    _mm_storeu_ps(acts->scales + at, scale);
    _mm_storeu_ps(acts->shifts + at, _mm_mul_ps(_mm_set1_ps(-ITH_SHIFT), scale));
    _mm_storeu_ps(acts->sums + at, _mm_mul_ps(scale, _mm_cvtepi32_ps(sum)));
    store_i32(acts->start8 + at, starts(sum, 3));
    store_i32(acts->start128 + at, starts(sum, 7));
    _mm256_storeu_si256(
        (__m256i *)(void *)(acts->half128 + 2 * at),
        _mm256_sub_epi32(_mm256_set1_epi32(ITH_START), _mm256_slli_epi32(in_order, 7)));
}

static void quantize_four(const float *x, const ith_acts *acts, int64_t at)
{
    __m512 v[2 * FOUR];
    __m512i largest[FOUR], bytes[2];

#pragma GCC unroll 8
    for (int g = 0; g < FOUR; g++) {
        v[2 * g] = _mm512_loadu_ps(x + 32 * g);
        v[2 * g + 1] = _mm512_loadu_ps(x + 32 * g + 16);
        largest[g] = _mm512_max_epi32(absolute(v[2 * g]), absolute(v[2 * g + 1]));
    }
    const __m128 amax = _mm_castsi128_ps(largest_of_each(largest));
    const __m512 inv = _mm512_broadcast_f32x4(inverses(amax));
    const __m512 of[FOUR] = {_mm512_permute_ps(inv, 0x00), _mm512_permute_ps(inv, 0x55),
                             _mm512_permute_ps(inv, 0xaa), _mm512_permute_ps(inv, 0xff)};
#pragma GCC unroll 8
    for (int i = 0; i < 2 * FOUR; i++)
        v[i] = _mm512_mul_ps(v[i], of[i / 2]);
#pragma GCC unroll 8
    for (int i = 0; i < 2; i++) {
        bytes[i] = pack_groups(v + 4 * i);
        _mm512_storeu_si512(acts->quants + at * ITH_GROUP + 64 * i, bytes[i]);
    }
    derive_four(acts, at, act_scales(amax), bytes);
}

void ith_quantize__avx512bw(int64_t n, const float *x, const ith_acts *acts, int64_t token,
                            int64_t first)
{
    int64_t at = token * acts->groups + first;
    for (; n >= FOUR * ITH_GROUP; at += FOUR, x += FOUR * ITH_GROUP, n -= FOUR * ITH_GROUP)
        quantize_four(x, acts, at);
    for (; n > 0; at++, x += ITH_GROUP, n -= ITH_GROUP)
        quantize_group(n, x, acts, at);
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
