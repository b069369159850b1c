/* unpack_avx512.h - quants and scales of every quantized layout (simd/kernels.h), a register at a
 * time: four columns of sixteen rows, or a number of each row. */
#ifndef ITH_SIMD_AVX512BW_UNPACK_H
#define ITH_SIMD_AVX512BW_UNPACK_H

#include "simd/avx512bw/vec_avx512.h"
#include "simd/tile.h"

enum { QUADS = ITH_GROUP / 4 };

/* Bytes with all bits at the places of their neighbours: mask them. by < 0: to the right. */
ITH_INLINE __m512i shift_bits(__m512i bytes, const int by)
{
    return by >= 0 ? _mm512_slli_epi16(bytes, by) : _mm512_srli_epi16(bytes, -by);
}

/* low | (bytes shifted & mask) */
ITH_INLINE __m512i add_bits(__m512i low, __m512i bytes, const int by, const int mask)
{
    return _mm512_ternarylogic_epi32(low, shift_bits(bytes, by), _mm512_set1_epi8((char)mask),
                                     0xf8);
}

/* Columns 4j..4j+3 of a group: quants as they are stored. */
ITH_INLINE __m512i stored_quad(const ith_layout layout, const uint8_t *group, const int j)
{
    const int bytes = ith_tile_forms[layout].quants;
    if (bytes == 512)
        return _mm512_loadu_si512(group + 64 * j);
    /* Pairs, or pairs and bits. */
    if (bytes < 256) {
        const __m512i pairs = _mm512_loadu_si512(group + 64 * (j % 2));
        const __m512i low = _mm512_and_si512(shift_bits(pairs, -2 * (j / 2)), _mm512_set1_epi8(3));
        return bytes == 128 ? low : add_bits(low, _mm512_loadu_si512(group + 128), 2 - j, 4);
    }
    const __m512i nibbles = _mm512_loadu_si512(group + 64 * (j % 4));
    const __m512i low = _mm512_and_si512(shift_bits(nibbles, j < 4 ? 0 : -4), _mm512_set1_epi8(15));
    if (bytes == 320)
        return add_bits(low, _mm512_loadu_si512(group + 256), 4 - j, 0x10);
    if (bytes == 384)
        return add_bits(low, _mm512_loadu_si512(group + 256 + 64 * (j % 2)), 4 - 2 * (j / 2), 0x30);
    return low;
}

/* Where values come from a table: values + 128. */
ITH_INLINE __m512i look_up(const ith_layout layout, __m512i quants)
{
    const __m128i values =
        layout == ITH_MXFP4 ? _mm_setr_epi8(ITH_TABLE_FP4) : _mm_setr_epi8(ITH_TABLE_IQ4);
    const __m128i biased = _mm_xor_si128(values, _mm_set1_epi8((char)0x80));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(biased), quants);
}

/* Columns 4j..4j+3 of a group, unsigned, with the zero point 128; in w4 it is 8, and with minima
 * 0. */
ITH_INLINE __m512i biased_quad(const ith_layout layout, const uint8_t *group, const int j)
{
    const __m512i u = stored_quad(layout, group, j);
    const int zero = layout == ITH_Q5_0 ? 16 : layout == ITH_Q6_K ? 32 : layout == ITH_Q3_K ? 4 : 0;
    if (ith_tile_has_table(layout))
        return look_up(layout, u);
    return zero > 0 ? _mm512_add_epi8(u, _mm512_set1_epi8((char)(128 - zero))) : u;
}

/* 2^(e - 128) */
ITH_INLINE __m512 load_e8m0(const uint8_t *at)
{
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __mmask16 subnormal = _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(
        _mm512_mask_sllv_epi32(normal, subnormal, _mm512_set1_epi32(0x00200000), e));
}

/* Sixteen of the small scales, s, or t if `t`. */
ITH_INLINE __m512 load_small(const ith_layout layout, const uint8_t *small, const int run,
                             const bool t)
{
    const bool signs = layout == ITH_Q3_K || layout == ITH_Q6_K || layout == ITH_IQ4_XS;
    const bool apart = layout == ITH_Q4_K || layout == ITH_Q5_K; /* s, then t */
    const __m128i bytes =
        _mm_loadu_si128((const __m128i *)(const void *)(small + 16 * (apart ? t : run)));
    __m512i wide = signs ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
    if (layout == ITH_Q2_K)
        wide = t ? _mm512_srli_epi32(wide, 4) : _mm512_and_si512(wide, _mm512_set1_epi32(15));
    return _mm512_cvtepi32_ps(wide);
}

/* The numbers d of a block, of rows 0..15. */
ITH_INLINE __m512 load_d(const ith_layout layout, const uint8_t *d)
{
    return layout == ITH_MXFP4 ? load_e8m0(d) : load_f16((const uint16_t *)(const void *)d);
}

/* Its numbers m. */
ITH_INLINE __m512 load_m(const uint8_t *m)
{
    return load_f16((const uint16_t *)(const void *)m);
}

/* scale_w of a run of a group, whose small scales lie at `small`. */
ITH_INLINE __m512 scale_of(const ith_layout layout, __m512 d, const uint8_t *small, const int run)
{
    if (ith_tile_forms[layout].small == 0)
        return d;
    return _mm512_mul_ps(d, load_small(layout, small, run, false));
}

/* The same of min_w. */
ITH_INLINE __m512 min_of(const ith_layout layout, __m512 m, const uint8_t *small, const int run)
{
    if (ith_tile_forms[layout].small == 0)
        return m;
    const __m512 t = load_small(layout, small, run, true);
    return _mm512_sub_ps(_mm512_set1_ps(-0.0f), _mm512_mul_ps(m, t));
}

#endif
