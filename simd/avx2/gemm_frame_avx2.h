/* gemm_frame_avx2.h - quantized products of the levels with 256-bit registers: half a tile (8 rows)
 * x a few tokens.
 *
 * The including file defines first:
 *
 *   MAX_TOKENS   tokens of a register tile, at most 6
 *   EVEN_TOKENS  with at most this many tokens, the halves of a tile alternate from group to group
 *                instead of every STRETCH groups: a product that waits for memory is fastest when
 *                it reads one even stream
 *   ZERO_BITS()  of a layout: its zero point, in what dot_run multiplies, is 128 >> this
 *   dot_run()    adds the integer products of a run, 8 rows and the tokens, to dots[], which holds
 *                the start values
 */
#ifndef ITH_SIMD_AVX2_GEMM_FRAME_H
#define ITH_SIMD_AVX2_GEMM_FRAME_H

#include "simd/avx2/unpack_avx2.h"
#include "simd/variants.h"

enum {
    HALF = ITH_TILE_ROWS / 2,
    STRETCH = 16, /* groups: 8 KiB of weights, still in the first-level cache for the second half */
    PREFETCH = 2048 /* distance in the quants of a tile, into the first-level cache */
};

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
ITH_INLINE __m256i begin_dots(const ith_layout layout, const int32_t *start)
{
    const int bits = ZERO_BITS(layout);
    if (ith_tile_has_minima(layout))
        return _mm256_set1_epi32(ITH_START);
    if (bits == 0)
        return _mm256_set1_epi32(*start);
    /* ITH_START is a multiple of all 2^bits. */
    return _mm256_set1_epi32((*start >> bits) + (ITH_START - (ITH_START >> bits)));
}

/* sum_a of a run. */
ITH_INLINE __m256 sum_of_run(const ith_layout layout, const operands *x, int64_t at, const int run)
{
    if (ith_tile_forms[layout].runs == 1)
        return _mm256_set1_ps(x->sums[at]);
    const int32_t sum = (ITH_START - x->starts[2 * at + run]) >> 7;
    return _mm256_set1_ps(x->scales[at] * (float)sum);
}

/* Adds the integer sums of 8 rows, from `row` on, in a run of group g to the float accumulators. */
ITH_INLINE void fold_run(const ith_layout layout, const int tokens, const int run, const int row,
                         const uint8_t *tile, const operands *x, int64_t g,
                         const __m256i dots[MAX_TOKENS], __m256 acc[MAX_TOKENS])
{
    const __m256 scale_w = load_scale(layout, tile, x->groups, g, run, row);
    EACH_TOKEN
    {
        const int64_t at = t * x->groups + g;
        const __m256 scaled =
            _mm256_fmadd_ps(_mm256_castsi256_ps(dots[t]), _mm256_set1_ps(x->scales[at]),
                            _mm256_set1_ps(x->shifts[at]));
        acc[t] = _mm256_fmadd_ps(scaled, scale_w, acc[t]);
    }
    if (ith_tile_has_minima(layout)) {
        const __m256 min_w = load_min(layout, tile, x->groups, g, run, row);
        EACH_TOKEN acc[t] =
            _mm256_fmadd_ps(min_w, sum_of_run(layout, x, t * x->groups + g, run), acc[t]);
    }
}

/* Prefetches as many bytes of the blocks as a group has, half of the lines for each half of the
 * tile: those PREFETCH ahead, and those at the same place in the next tile. Without the latter, the
 * scales that follow the blocks of a tile and the first quants of the next tile are not in a cache
 * yet. */
ITH_INLINE void fetch(const ith_layout layout, const int half, const uint8_t *tile, int64_t groups,
                      int64_t g)
{
    const int64_t group_bytes = ith_tile_group_bytes(layout);
    const size_t next = ith_tile_bytes(layout, (size_t)groups);
    const char *at = (const char *)tile + g * group_bytes;
    const char *d = (const char *)tile + ith_tile_d_at(layout, groups, g) + next;
#pragma GCC unroll 4
    for (int64_t j = half * 64; j < group_bytes; j += 128) {
        ith_fetch_l1(at + j + PREFETCH);
        ith_fetch_l2(at + j + next);
    }
    if (!half || g % ith_tile_block(layout) != 0)
        return;
    ith_fetch_l1(d);
    if (ith_tile_has_minima(layout))
        ith_fetch_l1(d + ith_tile_d_to_m(layout, groups));
}

/* 8 rows (half of the tile) over groups [begin, end). acc carries over from call to call. */
ITH_INLINE void gemm_half(const ith_layout layout, const int tokens, const int half,
                          const uint8_t *tile, const operands *x, int64_t begin, int64_t end,
                          __m256 acc[MAX_TOKENS])
{
    const int64_t stride = x->groups * ITH_GROUP;
    const int runs = ith_tile_forms[layout].runs;
    __m256 sum[MAX_TOKENS];

    EACH_TOKEN sum[t] = acc[t];
    for (int64_t g = begin; g < end; g++) {
        const uint8_t *group = tile + ith_tile_quants_at(layout, g) + half * 32;
        fetch(layout, half, tile, x->groups, g);
#pragma GCC unroll 2
        for (int run = 0; run < runs; run++) {
            __m256i dots[MAX_TOKENS];
            EACH_TOKEN dots[t] = begin_dots(layout, x->starts + (t * x->groups + g) * runs + run);
            dot_run(layout, tokens, run, group, x->quants + g * ITH_GROUP, stride, dots);
            fold_run(layout, tokens, run, half * HALF, tile, x, g, dots, sum);
        }
    }
    EACH_TOKEN acc[t] = sum[t];
}

/* One tile times `tokens` tokens, a constant after inlining. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tokens, const uint8_t *tile,
                           const operands *x, float *out, int64_t ld_out)
{
    __m256 acc[2][MAX_TOKENS];

    EACH_TOKEN acc[0][t] = acc[1][t] = _mm256_setzero_ps();
    const int64_t stretch = tokens <= EVEN_TOKENS ? 1 : STRETCH;
    for (int64_t g = 0; g < x->groups; g += stretch) {
        const int64_t end = x->groups - g < stretch ? x->groups : g + stretch;
        gemm_half(layout, tokens, 0, tile, x, g, end, acc[0]);
        gemm_half(layout, tokens, 1, tile, x, g, end, acc[1]);
    }
    EACH_TOKEN
    {
        _mm256_storeu_ps(out + t * ld_out, acc[0][t]);
        _mm256_storeu_ps(out + t * ld_out + HALF, acc[1][t]);
    }
}

/* One tile times all tokens, in blocks of almost equal size. */
ITH_INLINE void gemm_past(const ith_layout layout, int64_t n_tokens, const uint8_t *tile,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
        const operands x = operands_at(layout, acts, begin, 0);
        float *to = out + begin * ld_out;
        switch (end - begin) {
        case 1:
            gemm_block(layout, 1, tile, &x, to, ld_out);
            break;
        case 2:
            gemm_block(layout, 2, tile, &x, to, ld_out);
            break;
        case 3:
            gemm_block(layout, 3, tile, &x, to, ld_out);
            break;
        case 4:
            gemm_block(layout, 4, tile, &x, to, ld_out);
            break;
        case 5:
            /* only reached if MAX_TOKENS is 6 */
            gemm_block(layout, MAX_TOKENS - 1, tile, &x, to, ld_out);
            break;
        default:
            gemm_block(layout, MAX_TOKENS, tile, &x, to, ld_out);
        }
    }
}

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *weights = tiles;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    for (int64_t i = 0; i < n_tiles; i++)
        gemm_past(layout, n_tokens, weights + (size_t)i * tile_bytes, acts, out + i * ITH_TILE_ROWS,
                  ld_out);
}

#endif
