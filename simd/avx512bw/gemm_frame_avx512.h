/* gemm_frame_avx512.h - quantized products of the levels with 512-bit registers: 2 tiles of 16 rows
 * x a few tokens.
 *
 * The including file defines first:
 *
 *   MAX_TOKENS   tokens of a register tile, 4 to 8
 *   dots_t       __m512i [MAX_TILES][MAX_TOKENS]
 *   dot_group()  adds the integer products of a group, tiles and tokens, to dots, which holds the
 *                start values
 */
#ifndef ITH_SIMD_AVX512BW_GEMM_FRAME_H
#define ITH_SIMD_AVX512BW_GEMM_FRAME_H

#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

enum { PREFETCH = 2048 }; /* distance in the quants of a tile, into the first-level cache */

/* A block of tokens: arrays as in ith_acts, starting at its first token. */
typedef struct operands {
    const int8_t *quants;
    const float *scales, *shifts, *sums;
    const int32_t *starts;
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
        .starts = (layout == ITH_W8 ? acts->start128 : acts->start8) + at,
        .groups = acts->groups,
    };
}

typedef __m512 sums_t[MAX_TILES][MAX_TOKENS];

/* Adds a group's integer sums to the float accumulators. `scales`: of the rows of the first tile in
 * this group. */
ITH_INLINE void fold_group(const ith_layout layout, const int tiles, const int tokens,
                           const uint16_t *scales, size_t tile_bytes, const operands *x, int64_t g,
                           dots_t dots, sums_t acc)
{
    EACH_TILE
    {
        const uint16_t *row_scales = scales + i * (tile_bytes / 2) + g * ITH_TILE_ROWS;
        const __m512 scale_w = load_f16(row_scales);
        EACH_TOKEN
        {
            const int64_t at = t * x->groups + g;
            const __m512 scaled =
                _mm512_fmadd_ps(_mm512_castsi512_ps(dots[i][t]), _mm512_set1_ps(x->scales[at]),
                                _mm512_set1_ps(x->shifts[at]));
            acc[i][t] = _mm512_fmadd_ps(scaled, scale_w, acc[i][t]);
        }
        if (layout == ITH_W4M) {
            const __m512 min_w = load_f16(row_scales + x->groups * ITH_TILE_ROWS);
            EACH_TOKEN acc[i][t] =
                _mm512_fmadd_ps(min_w, _mm512_set1_ps(x->sums[t * x->groups + g]), acc[i][t]);
        }
    }
}

/* Prefetches as many weights as a group has: those PREFETCH ahead, and those at the same place
 * `next` bytes on, in the tiles that follow. Without the latter, the scales that follow a tile's
 * quants and the first quants of the next tiles are not in a cache yet. */
ITH_INLINE void fetch(const ith_layout layout, const uint8_t *weights, const uint16_t *scales,
                      int64_t groups, size_t next)
{
    const int group_bytes = layout == ITH_W8 ? 512 : 256;
#pragma GCC unroll 8
    for (int j = 0; j < group_bytes; j += 64) {
        _mm_prefetch((const char *)weights + j + PREFETCH, _MM_HINT_T0);
        _mm_prefetch((const char *)weights + j + next, _MM_HINT_T1);
    }
    _mm_prefetch((const char *)scales + next, _MM_HINT_T0);
    if (layout == ITH_W4M)
        _mm_prefetch((const char *)(scales + groups * ITH_TILE_ROWS) + next, _MM_HINT_T0);
}

/* `tiles` tiles times `tokens` tokens; both are constants after inlining. next: as for fetch(), or
 * 0 to prefetch nothing. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tiles, const int tokens,
                           const uint8_t *tile, const operands *x, size_t next, float *out,
                           int64_t ld_out)
{
    const int64_t groups = x->groups, stride = groups * ITH_GROUP;
    const int group_bytes = layout == ITH_W8 ? 512 : 256;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)groups);
    const uint16_t *scales = (const uint16_t *)(const void *)(tile + groups * group_bytes);
    sums_t acc;
    dots_t dots;

    EACH_TILE EACH_TOKEN acc[i][t] = _mm512_setzero_ps();
    for (int64_t g = 0; g < groups; g++) {
        const uint8_t *weights = tile + g * group_bytes;
        EACH_TOKEN
        {
            const __m512i start =
                _mm512_set1_epi32(layout == ITH_W4M ? ITH_START : x->starts[t * groups + g]);
            EACH_TILE dots[i][t] = start;
        }
        if (next)
            EACH_TILE fetch(layout, weights + i * tile_bytes,
                            scales + i * (tile_bytes / 2) + g * ITH_TILE_ROWS, groups, next);
        dot_group(layout, tiles, tokens, weights, tile_bytes, x->quants + g * ITH_GROUP, stride,
                  dots);
        fold_group(layout, tiles, tokens, scales, tile_bytes, x, g, dots, acc);
    }
    EACH_TOKEN EACH_TILE _mm512_storeu_ps(out + t * ld_out + i * ITH_TILE_ROWS, acc[i][t]);
}

/* Keeps blocks of more than MAX_TOKENS tokens, which never occur, from being compiled. */
#define AT_MOST(n) ((n) < MAX_TOKENS ? (n) : MAX_TOKENS)

/* gemm_block for 1 to MAX_TOKENS tokens, a number known at run time. */
ITH_INLINE void gemm_tokens(const ith_layout layout, const int tiles, int tokens,
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
        gemm_block(layout, tiles, MAX_TOKENS, tile, x, next, out, ld_out);
    }
}

/* `tiles` tiles times all tokens, in blocks of almost equal size. */
ITH_INLINE void gemm_past(const ith_layout layout, const int tiles, int64_t n_tokens,
                          const uint8_t *tile, const ith_acts *acts, float *out, int64_t ld_out)
{
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
        const operands x = operands_at(layout, acts, begin, 0);
        const size_t next =
            b == 0 ? (size_t)tiles * ith_tile_bytes(layout, (size_t)acts->groups) : 0;
        gemm_tokens(layout, tiles, (int)(end - begin), tile, &x, next, out + begin * ld_out,
                    ld_out);
    }
}

ITH_INLINE void gemm_direct(const ith_layout layout, int64_t n_tiles, int64_t n_tokens,
                            const void *tiles, const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *weights = tiles;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    int64_t i = 0;

    for (; i + 2 <= n_tiles; i += 2)
        gemm_past(layout, 2, n_tokens, weights + (size_t)i * tile_bytes, acts,
                  out + i * ITH_TILE_ROWS, ld_out);
    if (i < n_tiles)
        gemm_past(layout, 1, n_tokens, weights + (size_t)i * tile_bytes, acts,
                  out + i * ITH_TILE_ROWS, ld_out);
}

#endif
