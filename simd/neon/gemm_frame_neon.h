/* gemm_frame_neon.h - quantized products of all NEON levels.
 *
 * The including file includes the dots_*.h of its level first. A register tile is 8 rows (half a
 * tile of weights) x up to MAX_TOKENS tokens. For one or two tokens it is 16 rows, so that the
 * weights are read as one stream. Layouts other than w8, w4 and w4m are unpacked first, a group at
 * a time, to bytes as in w8.
 */
#ifndef ITH_SIMD_NEON_GEMM_FRAME_H
#define ITH_SIMD_NEON_GEMM_FRAME_H

#include "simd/neon/unpack_neon.h"
#include "simd/variants.h"

enum {
    STRETCH = 16, /* groups: 8 KiB of weights, still in the first-level cache for the second half */
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

#define EACH_TOKEN _Pragma("GCC unroll 6") for (int t = 0; t < tokens; t++)
#define EACH_FOUR  _Pragma("GCC unroll 4") for (int i = 0; i < fours; i++)

/* sum_a of a run. */
ITH_INLINE float sum_of_run(const ith_layout layout, const operands *x, int64_t at, const int run)
{
    if (ith_tile_forms[layout].runs == 1)
        return x->sums[at];
    return x->scales[at] * (float)((ITH_START - x->starts[2 * at + run]) >> 7);
}

/* Adds the integer sums of 4 * fours rows, from `row` on, in a run of group g to the float
 * accumulators. */
ITH_INLINE void fold_run(const ith_layout layout, const int tokens, const int fours, const int run,
                         int row, const uint8_t *tile, const operands *x, int64_t g,
                         int32x4_t (*dots)[4], float32x4_t (*acc)[4])
{
    EACH_FOUR
    {
        const float32x4_t scale_w = load_scale(layout, tile, x->groups, g, run, row + 4 * i);
        EACH_TOKEN
        {
            const int64_t at = t * x->groups + g;
            const int32x4_t start = vdupq_n_s32(layout == ITH_W4 ? x->starts[at] : ITH_START);
            const float32x4_t shifted = vreinterpretq_f32_s32(vaddq_s32(dots[t][i], start));
            const float32x4_t scaled =
                vfmaq_n_f32(vdupq_n_f32(x->shifts[at]), shifted, x->scales[at]);
            acc[t][i] = vfmaq_f32(acc[t][i], scaled, scale_w);
        }
        if (ith_tile_has_minima(layout)) {
            const float32x4_t min_w = load_min(layout, tile, x->groups, g, run, row + 4 * i);
            EACH_TOKEN acc[t][i] =
                vfmaq_n_f32(acc[t][i], min_w, sum_of_run(layout, x, t * x->groups + g, run));
        }
    }
}

/* The integer sums of rows, whose bytes start at `weights`, in a run of group g. */
ITH_INLINE void dot_run(const ith_layout layout, const int tokens, const int fours, const int run,
                        const uint8_t *weights, const operands *x, int64_t g, int32x4_t (*dots)[4])
{
    const int runs = ith_tile_forms[layout].runs, n = ITH_GROUP / runs, quad_stride = 64;
    const int64_t stride = x->groups * ITH_GROUP;
    const int8_t *quants[MAX_TOKENS];

    EACH_TOKEN quants[t] = x->quants + t * stride + g * ITH_GROUP + run * n;
    if (layout == ITH_W4 || layout == ITH_W4M) {
        dot_nibbles(tokens, fours, weights, quad_stride, quants, dots);
        return;
    }
    int32_t zeros[MAX_TOKENS];
    EACH_TOKEN zeros[t] = x->starts[(t * x->groups + g) * runs + run] - ITH_START;
    dot_biased(tokens, fours, weights + run * n / 4 * quad_stride, quad_stride, n, quants, zeros,
               dots);
}

/* Rows from `row` on over groups [begin, end). acc carries over from call to call. */
ITH_INLINE void gemm_rows(const ith_layout layout, const int tokens, const int fours, int row,
                          const uint8_t *tile, const operands *x, int64_t begin, int64_t end,
                          float32x4_t (*acc)[4])
{
    const bool direct = layout == ITH_W8 || layout == ITH_W4 || layout == ITH_W4M;
    const int runs = ith_tile_forms[layout].runs;
    float32x4_t sum[MAX_TOKENS][4];
    uint8_t wide[QUADS * 64];

    EACH_TOKEN EACH_FOUR sum[t][i] = acc[t][i];
    for (int64_t g = begin; g < end; g++) {
        const uint8_t *group = tile + ith_tile_quants_at(layout, g) + row * 4;
        if (!direct)
            unpack_group(layout, fours, group, wide);
#pragma GCC unroll 2
        for (int run = 0; run < runs; run++) {
            int32x4_t dots[MAX_TOKENS][4];
            dot_run(layout, tokens, fours, run, direct ? group : wide, x, g, dots);
            fold_run(layout, tokens, fours, run, row, tile, x, g, dots, sum);
        }
    }
    EACH_TOKEN EACH_FOUR acc[t][i] = sum[t][i];
}

/* One tile times `tokens` tokens, a constant after inlining. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tokens, const uint8_t *tile,
                           const operands *x, float *out, int64_t ld_out)
{
    const int fours = tokens <= 2 ? 4 : 2;
    float32x4_t acc[2][MAX_TOKENS][4];

    EACH_TOKEN EACH_FOUR acc[0][t][i] = acc[1][t][i] = vdupq_n_f32(0.0f);
    if (fours == 4)
        gemm_rows(layout, tokens, 4, 0, tile, x, 0, x->groups, acc[0]);
    else
        for (int64_t g = 0; g < x->groups; g += STRETCH) {
            const int64_t end = x->groups - g < STRETCH ? x->groups : g + STRETCH;
            gemm_rows(layout, tokens, 2, 0, tile, x, g, end, acc[0]);
            gemm_rows(layout, tokens, 2, 8, tile, x, g, end, acc[1]);
        }
    EACH_TOKEN EACH_FOUR
    {
        vst1q_f32(out + t * ld_out + 4 * i, acc[0][t][i]);
        if (fours == 2)
            vst1q_f32(out + t * ld_out + 8 + 4 * i, acc[1][t][i]);
    }
}

/* gemm_block for 1 to MAX_TOKENS tokens, a number known at run time. */
ITH_INLINE void gemm_tokens(const ith_layout layout, int tokens, const uint8_t *tile,
                            const operands *x, float *out, int64_t ld_out)
{
    if (tokens == 1)
        gemm_block(layout, 1, tile, x, out, ld_out);
    else if (tokens == 2)
        gemm_block(layout, 2, tile, x, out, ld_out);
    else if (tokens == 3)
        gemm_block(layout, 3, tile, x, out, ld_out);
    else if (MAX_TOKENS > 4 && tokens == 4)
        gemm_block(layout, 4, tile, x, out, ld_out);
    else if (MAX_TOKENS > 5 && tokens == 5)
        gemm_block(layout, MAX_TOKENS - 1, tile, x, out, ld_out);
    else
        gemm_block(layout, MAX_TOKENS, tile, x, out, ld_out);
}

/* One tile times all tokens, in blocks of almost equal size. */
ITH_INLINE void gemm_past(const ith_layout layout, int64_t n_tokens, const uint8_t *tile,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
        const operands x = operands_at(layout, acts, begin, 0);
        gemm_tokens(layout, (int)(end - begin), tile, &x, out + begin * ld_out, ld_out);
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
