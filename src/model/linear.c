#include "model/linear.h"

enum {
    CACHE_BYTES =
        512 * 1024,  /* activations of a block of tokens that stay in a level-2 cache while the weights pass by */
    TOKENS_UNIT = 48 /* a multiple of the kernels' register tiles */
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

/* Tokens, of activations of `size` bytes an element, in a block. */
static int64_t block_tokens(const ith_matrix *w, int64_t size)
{
    int64_t tokens = CACHE_BYTES / (w->groups * ITH_GROUP * size) / TOKENS_UNIT * TOKENS_UNIT;
    return tokens < TOKENS_UNIT ? TOKENS_UNIT : tokens;
}

static void quantized_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in,
                            int64_t n_tokens, float *out, int64_t ld_out)
{
    int64_t block = block_tokens(w, 1);

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

static void float_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in,
                        int64_t n_tokens, float *out, int64_t ld_out)
{
    int64_t block = block_tokens(w, sizeof(float));

    for (int64_t t = 0; t < n_tokens; t += block)
        (w->layout == ITH_BF16 ? kernels->gemm_bf16 : kernels->gemm_f32)(
            ith_range_size(tiles), n_tokens - t < block ? n_tokens - t : block, w->cols,
            ith_matrix_tiles(w, tiles.begin), in->x + t * in->ld, in->ld, out + t * ld_out, ld_out);
}

/* Tiles of plain rows, one after another, are a row-major matrix with leading dimension 32 * groups. */
static void exact_tiles(const ith_matrix *w, ith_range tiles, const ith_input *in, int64_t n_tokens, float *out,
                        int64_t ld_out)
{
    ith_blas_gemm(n_tokens, ITH_TILE_ROWS * ith_range_size(tiles), w->cols, in->x, in->ld,
                  (const float *)(const void *)ith_matrix_tiles(w, tiles.begin), w->groups * ITH_GROUP, out, ld_out);
}

void ith_linear(ith_member *me, const ith_kernels *kernels, const ith_matrix *w, ith_range rows, const ith_input *in,
                int64_t n_tokens, float *out, int64_t ld_out)
{
    int64_t first = rows.begin / ITH_TILE_ROWS, last = (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS;
    ith_range mine = ith_my_share(me, last - first, 1);

    if (ith_range_size(rows) == 0 || ith_range_size(mine) == 0 || n_tokens == 0)
        return;
    out += mine.begin * ITH_TILE_ROWS;
    mine.begin += first;
    mine.end += first;
    if (w->layout == ITH_F32)
        exact_tiles(w, mine, in, n_tokens, out, ld_out);
    else if (ith_layout_is_quantized(w->layout))
        quantized_tiles(kernels, w, mine, in, n_tokens, out, ld_out);
    else
        float_tiles(kernels, w, mine, in, n_tokens, out, ld_out);
}
