/* gemm_frame_avx512.h - quantized products of the levels with 512-bit registers: 2 tiles of 16 rows
 * x a few tokens.
 *
 * The including file defines first:
 *
 *   MAX_TOKENS     tokens of a register tile, 4 to 8
 *   dots_t         __m512i [MAX_TILES][MAX_TOKENS]
 *   ZERO_BITS()    of a layout: its zero point, in what dot_run multiplies, is 128 >> this
 *   dot_run()      adds the integer products of a run, tiles and tokens, to dots, which holds the
 *                  start values
 */
#ifndef ITH_SIMD_AVX512BW_GEMM_FRAME_H
#define ITH_SIMD_AVX512BW_GEMM_FRAME_H

#include "simd/avx512bw/unpack_avx512.h"
#include "simd/variants.h"

enum { PREFETCH = 2048 }; /* distance in the quants of a tile, into the first-level cache */

/* A block of tokens: arrays as in ith_acts, starting at its first token. */
typedef struct operands {
    const int8_t *quants;
    const float *scales, *shifts, *sums;
    const int32_t *starts; /* of each run */
    int64_t groups;
} operands;

/* The operands from group g of token t on. */
ITH_INLINE operands operands_at(const ith_layout layout, const ith_acts *acts, int64_t t, int64_t g)
{
    const int64_t at = t * acts->groups + g;
    return (operands){
        .quants = acts->quants + at * ITH_GROUP,
        .scales = acts->scales + at,
        .shifts = acts->shifts + at,
        .sums = acts->sums + at,
        .starts = ith_tile_forms[layout].runs == 2 ? acts->half128 + 2 * at
                  : layout == ITH_W4               ? acts->start8 + at
                                                   : acts->start128 + at,
        .groups = acts->groups,
    };
}

/* What the integer sums of a run start from; start: that of the operands. */
ITH_INLINE __m512i begin_dots(const ith_layout layout, const int32_t *start)
{
    const int bits = ZERO_BITS(layout);
    if (ith_tile_has_minima(layout))
        return _mm512_set1_epi32(ITH_START);
    if (bits == 0)
        return _mm512_set1_epi32(*start);
    /* ITH_START is a multiple of all 2^bits. */
    return _mm512_add_epi32(_mm512_srai_epi32(_mm512_set1_epi32(*start), bits),
                            _mm512_set1_epi32(ITH_START - (ITH_START >> bits)));
}

/* sum_a of half a group, of layouts with two runs. */
ITH_INLINE __m512 half_sum(const int32_t *start, const float *scale)
{
    const __m512i by128 = _mm512_sub_epi32(_mm512_set1_epi32(ITH_START), _mm512_set1_epi32(*start));
    return _mm512_mul_ps(_mm512_set1_ps(*scale), _mm512_cvtepi32_ps(_mm512_srai_epi32(by128, 7)));
}

typedef __m512 sums_t[MAX_TILES][MAX_TOKENS];

/* The numbers of a block of each tile. */
typedef struct block_numbers {
    __m512 d[MAX_TILES], m[MAX_TILES];
} block_numbers;

ITH_INLINE block_numbers numbers_of_block(const ith_layout layout, const int tiles,
                                          const uint8_t *tile, size_t tile_bytes, int64_t groups,
                                          int64_t g)
{
    const uint8_t *d = tile + ith_tile_d_at(layout, groups, g);
    block_numbers n;
    EACH_TILE
    {
        n.d[i] = load_d(layout, d + i * tile_bytes);
        if (ith_tile_has_minima(layout))
            n.m[i] = load_m(d + i * tile_bytes + ith_tile_d_to_m(layout, groups));
    }
    return n;
}

/* Adds the integer sums of a run of group g to the float accumulators. */
ITH_INLINE void fold_run(const ith_layout layout, const int tiles, const int tokens, const int run,
                         const uint8_t *tile, size_t tile_bytes, const block_numbers *numbers,
                         const operands *x, int64_t g, dots_t dots, sums_t acc)
{
    const int runs = ith_tile_forms[layout].runs;
    const uint8_t *small = tile + ith_tile_small_at(layout, g);
    EACH_TILE
    {
        const __m512 scale_w = scale_of(layout, numbers->d[i], small + i * tile_bytes, run);
        EACH_TOKEN
        {
            const int64_t at = t * x->groups + g;
            const __m512 scaled =
                _mm512_fmadd_ps(_mm512_castsi512_ps(dots[i][t]), _mm512_set1_ps(x->scales[at]),
                                _mm512_set1_ps(x->shifts[at]));
            acc[i][t] = _mm512_fmadd_ps(scaled, scale_w, acc[i][t]);
        }
        if (ith_tile_has_minima(layout)) {
            const __m512 min_w = min_of(layout, numbers->m[i], small + i * tile_bytes, run);
            EACH_TOKEN
            {
                const int64_t at = t * x->groups + g;
                const __m512 sum = runs == 2 ? half_sum(x->starts + 2 * at + run, x->scales + at)
                                             : _mm512_set1_ps(x->sums[at]);
                acc[i][t] = _mm512_fmadd_ps(min_w, sum, acc[i][t]);
            }
        }
    }
}

/* Prefetches as many bytes of the blocks as a group has: those PREFETCH ahead, and those at the
 * same place `next` bytes on, in the tiles that follow. Without the latter, the scales that follow
 * the blocks of a tile and the first quants of the next tiles are not in a cache yet. */
ITH_INLINE void fetch(const ith_layout layout, const uint8_t *tile, int64_t groups, int64_t g,
                      size_t next)
{
    const int64_t group_bytes = ith_tile_group_bytes(layout);
    const char *at = (const char *)tile + g * group_bytes;
    const char *d = (const char *)tile + ith_tile_d_at(layout, groups, g) + next;
#pragma GCC unroll 8
    for (int j = 0; j < group_bytes; j += 64) {
        ith_fetch_l1(at + j + PREFETCH);
        ith_fetch_l2(at + j + next);
    }
    if (g % ith_tile_block(layout) != 0)
        return;
    ith_fetch_l1(d);
    if (ith_tile_has_minima(layout))
        ith_fetch_l1(d + ith_tile_d_to_m(layout, groups));
}

/* `tiles` tiles times `tokens` tokens; both are constants after inlining. next: as for fetch(), or
 * 0 to prefetch nothing. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tiles, const int tokens,
                           const uint8_t *tile, const operands *x, size_t next, float *out,
                           int64_t ld_out)
{
    const int64_t groups = x->groups, stride = groups * ITH_GROUP;
    const int runs = ith_tile_forms[layout].runs;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)groups);
    sums_t acc;
    dots_t dots;

    const int block = ith_tile_forms[layout].block;
    EACH_TILE EACH_TOKEN acc[i][t] = _mm512_setzero_ps();
    for (int64_t g = 0; g < groups;) {
        const block_numbers numbers = numbers_of_block(layout, tiles, tile, tile_bytes, groups, g);
        for (int k = 0; k < block; k++, g++) {
            if (next)
                EACH_TILE fetch(layout, tile + i * tile_bytes, groups, g, next);
#pragma GCC unroll 2
            for (int run = 0; run < runs; run++) {
                EACH_TOKEN
                {
                    const __m512i start =
                        begin_dots(layout, x->starts + (t * groups + g) * runs + run);
                    EACH_TILE dots[i][t] = start;
                }
                dot_run(layout, tiles, tokens, run, tile + ith_tile_quants_at(layout, g),
                        tile_bytes, x->quants + g * ITH_GROUP, stride, dots);
                fold_run(layout, tiles, tokens, run, tile, tile_bytes, &numbers, x, g, dots, acc);
            }
        }
    }
    EACH_TOKEN EACH_TILE _mm512_storeu_ps(out + t * ld_out + i * ITH_TILE_ROWS, acc[i][t]);
}

/* Keeps blocks of more than `most` tokens, which never occur, from being compiled. */
#define AT_MOST(n) ((n) < most ? (n) : most)

/* gemm_block for 1 to `most` tokens, a number known at run time. */
ITH_INLINE void gemm_tokens(const ith_layout layout, const int most, const int tiles, int tokens,
                            const uint8_t *tile, const operands *x, size_t next, float *out,
                            int64_t ld_out)
{
    switch (tokens) {
    case 1:
        gemm_block(layout, tiles, 1, tile, x, next, out, ld_out);
        break;
    case 2:
        gemm_block(layout, tiles, 2, tile, x, next, out, ld_out);
        break;
    case 3:
        gemm_block(layout, tiles, 3, tile, x, next, out, ld_out);
        break;
    case 4:
        gemm_block(layout, tiles, 4, tile, x, next, out, ld_out);
        break;
    case 5:
        gemm_block(layout, tiles, AT_MOST(5), tile, x, next, out, ld_out);
        break;
    case 6:
        gemm_block(layout, tiles, AT_MOST(6), tile, x, next, out, ld_out);
        break;
    case 7:
        gemm_block(layout, tiles, AT_MOST(7), tile, x, next, out, ld_out);
        break;
    default:
        gemm_block(layout, tiles, most, tile, x, next, out, ld_out);
    }
}

/* `tiles` tiles times all tokens, in blocks of almost equal size. */
ITH_INLINE void gemm_past(const ith_layout layout, const int most, const int tiles,
                          int64_t n_tokens, const uint8_t *tile, const ith_acts *acts, float *out,
                          int64_t ld_out)
{
    const int64_t blocks = (n_tokens + most - 1) / most;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
        const operands x = operands_at(layout, acts, begin, 0);
        const size_t next =
            b == 0 ? (size_t)tiles * ith_tile_bytes(layout, (size_t)acts->groups) : 0;
        gemm_tokens(layout, most, tiles, (int)(end - begin), tile, &x, next, out + begin * ld_out,
                    ld_out);
    }
}

/* most: tokens of a block, from 4 to MAX_TOKENS; at_once: tiles of a block, 1 or 2. Constants. */
ITH_INLINE void gemm_direct(const ith_layout layout, const int most, const int at_once,
                            int64_t n_tiles, int64_t n_tokens, const void *tiles,
                            const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *weights = tiles;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    int64_t i = 0;

    for (; at_once == 2 && i + 2 <= n_tiles; i += 2)
        gemm_past(layout, most, 2, n_tokens, weights + (size_t)i * tile_bytes, acts,
                  out + i * ITH_TILE_ROWS, ld_out);
    for (; i < n_tiles; i++)
        gemm_past(layout, most, 1, n_tokens, weights + (size_t)i * tile_bytes, acts,
                  out + i * ITH_TILE_ROWS, ld_out);
}

#endif
