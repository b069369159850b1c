/* unpack_avx2.h - quants and scales of every quantized layout (simd/kernels.h), a register at a
 * time: four columns of eight rows, or a number of each row.
 *
 * Groups are given from the first byte of the rows on: 32 bytes on for rows 8..15. */
#ifndef ITH_SIMD_AVX2_UNPACK_H
#define ITH_SIMD_AVX2_UNPACK_H

#include "simd/avx2/vec_avx2.h"
#include "simd/tile.h"

enum { QUADS = ITH_GROUP / 4 };

ITH_INLINE __m256i load_rows(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

/* bytes shifted to the left (by < 0: to the right), & mask */
ITH_INLINE __m256i shifted_bits(__m256i bytes, const int by, const int mask)
{
    const __m256i shifted = by >= 0 ? _mm256_slli_epi16(bytes, by) : _mm256_srli_epi16(bytes, -by);
    return _mm256_and_si256(shifted, _mm256_set1_epi8((char)mask));
}

/* Columns 4j..4j+3 of a group: quants as they are stored. */
ITH_INLINE __m256i stored_quad(const ith_layout layout, const uint8_t *group, const int j)
{
    const int bytes = ith_tile_forms[layout].quants;
    if (bytes == 512)
        return load_rows(group + 64 * j);
    /* Pairs, or pairs and bits. */
    if (bytes < 256) {
        const __m256i low = shifted_bits(load_rows(group + 64 * (j % 2)), -2 * (j / 2), 3);
        return bytes == 128 ? low
                            : _mm256_or_si256(low, shifted_bits(load_rows(group + 128), 2 - j, 4));
    }
    const __m256i low = shifted_bits(load_rows(group + 64 * (j % 4)), j < 4 ? 0 : -4, 15);
    if (bytes == 320)
        return _mm256_or_si256(low, shifted_bits(load_rows(group + 256), 4 - j, 0x10));
    if (bytes == 384)
        return _mm256_or_si256(
            low, shifted_bits(load_rows(group + 256 + 64 * (j % 2)), 4 - 2 * (j / 2), 0x30));
    return low;
}

/* Where values come from a table: values + 128. */
ITH_INLINE __m256i look_up(const ith_layout layout, __m256i quants)
{
    const __m128i values =
        layout == ITH_MXFP4 ? _mm_setr_epi8(ITH_TABLE_FP4) : _mm_setr_epi8(ITH_TABLE_IQ4);
    const __m128i biased = _mm_xor_si128(values, _mm_set1_epi8((char)0x80));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(biased), quants);
}

/* 2^(e - 128) */
ITH_INLINE __m256 load_e8m0(const uint8_t *at)
{
    const __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at));
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, is_small));
}

/* Eight of the small scales, s, or t if `t`. small: of the first of the rows. */
ITH_INLINE __m256 load_small(const ith_layout layout, const uint8_t *small, const int run,
                             const bool t)
{
    const bool signs = layout == ITH_Q3_K || layout == ITH_Q6_K || layout == ITH_IQ4_XS;
    const bool apart = layout == ITH_Q4_K || layout == ITH_Q5_K; /* s, then t */
    const __m128i bytes =
        _mm_loadl_epi64((const __m128i *)(const void *)(small + 16 * (apart ? t : run)));
    __m256i wide = signs ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
    if (layout == ITH_Q2_K)
        wide = t ? _mm256_srli_epi32(wide, 4) : _mm256_and_si256(wide, _mm256_set1_epi32(15));
    return _mm256_cvtepi32_ps(wide);
}

/* scale_w of eight rows, from `row` on, in a run of group g. */
ITH_INLINE __m256 load_scale(const ith_layout layout, const uint8_t *tile, int64_t groups,
                             int64_t g, const int run, const int row)
{
    const uint8_t *d = tile + ith_tile_d_at(layout, groups, g);
    if (layout == ITH_MXFP4)
        return load_e8m0(d + row);
    const __m256 scale = load_f16((const uint16_t *)(const void *)d + row);
    if (ith_tile_forms[layout].small == 0)
        return scale;
    return _mm256_mul_ps(scale,
                         load_small(layout, tile + ith_tile_small_at(layout, g) + row, run, false));
}

/* min_w of eight rows, from `row` on, in a run of group g. */
ITH_INLINE __m256 load_min(const ith_layout layout, const uint8_t *tile, int64_t groups, int64_t g,
                           const int run, const int row)
{
    const uint8_t *m = tile + ith_tile_d_at(layout, groups, g) + ith_tile_d_to_m(layout, groups);
    const __m256 min = load_f16((const uint16_t *)(const void *)m + row);
    if (ith_tile_forms[layout].small == 0)
        return min;
    const __m256 t = load_small(layout, tile + ith_tile_small_at(layout, g) + row, run, true);
    return _mm256_sub_ps(_mm256_set1_ps(-0.0f), _mm256_mul_ps(min, t));
}

#endif
