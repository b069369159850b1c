#include "model/linear.h"

#include "model/blocking.h"

int64_t ith_linear_block(const ith_model *model, const ith_matrix *w, int64_t n)
{
    int64_t size = ith_layout_is_quantized(w->layout) ? 1 : sizeof(float);
    return ith_next_block(n, ith_block_tokens(&model->caches, w->groups * ITH_GROUP * size));
}

static void quantized_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in,
                            int64_t t, int64_t n, float *out, int64_t ld_out)
{
    ith_acts acts = ith_acts_at(&in->acts, t);
    const uint8_t *at = ith_matrix_tiles(w, tiles.begin);
    if (w->layout == ITH_W8)
        kernels->gemm_w8(ith_range_size(tiles), n, at, &acts, out, ld_out);
    else if (w->layout == ITH_W4)
        kernels->gemm_w4(ith_range_size(tiles), n, at, &acts, out, ld_out);
    else
        kernels->gemm_w4m(ith_range_size(tiles), n, at, &acts, out, ld_out);
}

static void float_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in,
                        int64_t t, int64_t n, float *out, int64_t ld_out)
{
    (w->layout == ITH_BF16 ? kernels->gemm_bf16 : kernels->gemm_f32)(
        ith_range_size(tiles), n, w->cols, ith_matrix_tiles(w, tiles.begin), in->x + t * in->ld, in->ld, out, ld_out);
}

/* Tiles of plain rows, one after another, are a row-major matrix with leading dimension 32 * groups. */
static void exact_tiles(const ith_matrix *w, ith_range tiles, const ith_input *in, int64_t t, int64_t n, float *out,
                        int64_t ld_out)
{
    ith_blas_gemm(n, ITH_TILE_ROWS * ith_range_size(tiles), w->cols, in->x + t * in->ld, in->ld,
                  (const float *)(const void *)ith_matrix_tiles(w, tiles.begin), w->groups * ITH_GROUP, out, ld_out);
}

void ith_linear_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in, int64_t t,
                      int64_t n_tokens, float *out, int64_t ld_out)
{
    if (w->layout == ITH_F32)
        exact_tiles(w, tiles, in, t, n_tokens, out, ld_out);
    else if (ith_layout_is_quantized(w->layout))
        quantized_tiles(kernels, w, tiles, in, t, n_tokens, out, ld_out);
    else
        float_tiles(kernels, w, tiles, in, t, n_tokens, out, ld_out);
}

void ith_linear(ith_member *me, const ith_model *model, const ith_matrix *w, ith_range rows, const ith_input *in,
                int64_t n_tokens, float *out, int64_t ld_out)
{
    int64_t first = rows.begin / ITH_TILE_ROWS, last = (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS;
    ith_range mine = ith_my_share(me, last - first, 1), tiles = {mine.begin + first, mine.end + first};

    if (ith_range_size(rows) == 0 || ith_range_size(mine) == 0)
        return;
    out += mine.begin * ITH_TILE_ROWS;
    for (int64_t t = 0, block; t < n_tokens; t += block) {
        block = w->layout == ITH_F32 ? n_tokens : ith_linear_block(model, w, n_tokens - t);
        ith_linear_tiles(model->kernels, w, tiles, in, t, block, out + t * ld_out, ld_out);
    }
}
