#include "model/linear.h"

#include "simd/half.h"

#include <string.h>

enum {
    CACHE_BYTES =
        512 * 1024,   /* activations of a block of tokens that stay in a level-2 cache while the weights pass by */
    TOKENS_UNIT = 48, /* a multiple of the kernels' register tiles */
    WIDEN_TILES = 4   /* bf16: tiles widened to f32 at a time */
};

ith_acts ith_acts_at(const ith_acts *acts, int64_t token)
{
    ith_acts at = *acts;
    at.quants += token * acts->groups * ITH_GROUP;
    at.scales += token * acts->groups;
    at.sums += token * acts->groups;
    at.zero8 += token * acts->groups;
    at.zero128 += token * acts->groups;
    return at;
}

static void quantized_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in,
                            int64_t n_tokens, float *out, int64_t ld_out)
{
    int64_t block = CACHE_BYTES / (w->groups * ITH_GROUP) / TOKENS_UNIT * TOKENS_UNIT;

    if (block < TOKENS_UNIT)
        block = TOKENS_UNIT;
    for (int64_t t = 0; t < n_tokens; t += block) {
        int64_t n = n_tokens - t < block ? n_tokens - t : block;
        ith_acts acts = ith_acts_at(&in->acts, t);
        const uint8_t *at = ith_matrix_tiles(w, tiles.begin);
        if (w->layout == ITH_W8)
            kernels->gemm_w8(ith_range_size(tiles), n, at, &acts, out + t * ld_out, ld_out);
        else if (w->layout == ITH_W4)
            kernels->gemm_w4(ith_range_size(tiles), n, at, &acts, out + t * ld_out, ld_out);
        else
            kernels->gemm_w4m(ith_range_size(tiles), n, at, &acts, out + t * ld_out, ld_out);
    }
}

/* bf16 and f32 tiles are plain rows, one after another: a row-major matrix with leading dimension 32 * groups. */
static void float_tiles(const ith_matrix *w, ith_range tiles, const ith_input *in, int64_t n_tokens, float *out,
                        int64_t ld_out, float *scratch)
{
    int64_t ldw = w->groups * ITH_GROUP;

    if (w->layout == ITH_F32) {
        ith_blas_gemm(n_tokens, ITH_TILE_ROWS * ith_range_size(tiles), w->cols, in->x, in->ld,
                      (const float *)(const void *)ith_matrix_tiles(w, tiles.begin), ldw, out, ld_out);
        return;
    }
    for (int64_t i = tiles.begin; i < tiles.end; i += WIDEN_TILES) {
        int64_t n = tiles.end - i < WIDEN_TILES ? tiles.end - i : WIDEN_TILES;
        const uint16_t *src = (const uint16_t *)(const void *)ith_matrix_tiles(w, i);
        for (int64_t j = 0; j < n * ITH_TILE_ROWS * ldw; j++)
            scratch[j] = ith_bf16_to_f32(src[j]);
        ith_blas_gemm(n_tokens, ITH_TILE_ROWS * n, w->cols, in->x, in->ld, scratch, ldw,
                      out + (i - tiles.begin) * ITH_TILE_ROWS, ld_out);
    }
}

void ith_linear(ith_member *me, const ith_kernels *kernels, const ith_matrix *w, ith_range rows, const ith_input *in,
                int64_t n_tokens, float *out, int64_t ld_out, float *scratch)
{
    int64_t first = rows.begin / ITH_TILE_ROWS, last = (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS;
    ith_range mine = ith_my_share(me, last - first, 1);

    if (ith_range_size(rows) == 0 || ith_range_size(mine) == 0 || n_tokens == 0)
        return;
    out += mine.begin * ITH_TILE_ROWS;
    mine.begin += first;
    mine.end += first;
    if (w->layout == ITH_BF16 || w->layout == ITH_F32)
        float_tiles(w, mine, in, n_tokens, out, ld_out, scratch);
    else
        quantized_tiles(kernels, w, mine, in, n_tokens, out, ld_out);
}

int64_t ith_linear_scratch(int64_t max_cols)
{
    return WIDEN_TILES * ITH_TILE_ROWS * ith_round_up(max_cols, ITH_GROUP);
}
