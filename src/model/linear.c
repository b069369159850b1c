/* linear.c - y = W x in every layout, whole tiles shared out among the threads of a team. */
#include "model/linear.h"

#include "model/blas.h"
#include "model/blocking.h"

int64_t ith_linear_block(const ith_model *model, const ith_matrix *w, int64_t n)
{
    int64_t size = ith_layout_is_quantized(w->layout) ? 1 : sizeof(float);
    return ith_next_block(n, ith_block_tokens(&model->caches, w->groups * ITH_GROUP * size));
}

/* The activations of tokens from t on, in the form that a product with w takes. */
static ith_acts operand(const ith_matrix *w, const ith_input *in, int64_t t)
{
    if (ith_layout_is_quantized(w->layout))
        return ith_acts_at(&in->acts, t);
    return (ith_acts){.x = in->x + t * in->ld, .ld_x = in->ld, .n_cols = w->cols};
}

/* Consecutive tiles of plain rows are a row-major matrix with leading dimension 32 * groups. */
static void exact_tiles(const ith_matrix *w, ith_range tiles, const ith_input *in, int64_t t,
                        int64_t n, float *out, int64_t ld_out)
{
    ith_blas_gemm(n, ITH_TILE_ROWS * ith_range_size(tiles), w->cols, in->x + t * in->ld, in->ld,
                  (const float *)(const void *)ith_matrix_tiles(w, tiles.begin),
                  w->groups * ITH_GROUP, out, ld_out);
}

/* Tiles that follow each other in memory. */
static void run_of_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles,
                         const ith_input *in, int64_t t, int64_t n_tokens, float *out,
                         int64_t ld_out)
{
    if (w->layout == ITH_F32) {
        exact_tiles(w, tiles, in, t, n_tokens, out, ld_out);
        return;
    }
    const ith_acts acts = operand(w, in, t);
    kernels->gemm[w->layout](ith_range_size(tiles), n_tokens, ith_matrix_tiles(w, tiles.begin),
                             &acts, out, ld_out);
}

void ith_linear_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles,
                      const ith_input *in, int64_t t, int64_t n_tokens, float *out, int64_t ld_out)
{
    for (int64_t n; tiles.begin < tiles.end; tiles.begin += n, out += n * ITH_TILE_ROWS) {
        n = ith_matrix_run(w, tiles);
        run_of_tiles(kernels, w, (ith_range){tiles.begin, tiles.begin + n}, in, t, n_tokens, out,
                     ld_out);
    }
}

/* How a thread's share of the tiles is divided into tasks of about equal cost: each is a run of
 * tiles times a block of tokens, and the tasks of a block precede those of the next. */
typedef struct tasks {
    int blocks, runs; /* of tokens; of tiles */
} tasks;

static tasks divide(const ith_model *model, const ith_matrix *w, int64_t share, int64_t n)
{
    /* OpenBLAS may choose another order of operations for another shape: f32 products keep
     * theirs. */
    if (w->layout == ITH_F32 || !ith_help_with(n))
        return (tasks){1, 1};
    int64_t block = ith_linear_block(model, w, n), blocks = (n + block - 1) / block;
    return (tasks){(int)blocks, (int)ith_tile_runs(share, blocks)};
}

void ith_linear(ith_member *me, const ith_model *model, const ith_matrix *w, ith_range rows,
                const ith_input *in, int64_t n_tokens, float *out, int64_t ld_out)
{
    const ith_range all = ith_tiles_of(rows);
    const int64_t n_tiles = ith_range_size(all);

    if (n_tiles == 0 || n_tokens == 0)
        return;
    tasks p = divide(model, w, (n_tiles + me->n_threads - 1) / me->n_threads, n_tokens);
    ith_lot lot = ith_lot_open(me, p.blocks * p.runs, ith_help_with(n_tokens));
    while (ith_lot_next(me, &lot)) {
        ith_range share = ith_split(n_tiles, 1, me->n_threads, lot.share),
                  tokens = ith_split(n_tokens, 1, p.blocks, (int)lot.task / p.runs),
                  run = ith_split(ith_range_size(share), 2, p.runs, (int)lot.task % p.runs);
        ith_range tiles = {all.begin + share.begin + run.begin, all.begin + share.begin + run.end};
        if (run.begin < run.end)
            ith_linear_tiles(
                model->kernels, w, tiles, in, tokens.begin, ith_range_size(tokens),
                out + tokens.begin * ld_out + (tiles.begin - all.begin) * ITH_TILE_ROWS, ld_out);
    }
}
