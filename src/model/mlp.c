/* mlp.c - down(silu(gate x) * up x). Gate, up, SiLU and quantization run over small blocks of rows and tokens that stay in
 * the first-level cache: the wide intermediate is written once, as the next matrix reads it. */
#include "model/blocking.h"
#include "model/pass.h"

#include <string.h>

/* gate's and up's product, [tokens][rows] each. */
int64_t ith_mlp_scratch(const ith_model *model)
{
    return 2 * ith_block_floats(&model->caches);
}

/* Rows `rows` of tokens [t, t + n) to the form that `down` reads. */
static void write_out(ith_pass *p, const ith_matrix *down, ith_range rows, const ith_input *mid, int64_t t, int64_t n,
                      const float *x, int64_t ld)
{
    for (int64_t i = 0; i < n; i++) {
        if (ith_layout_is_quantized(down->layout))
            p->model->kernels->quantize(ith_range_size(rows), x + i * ld, &mid->acts, t + i, rows.begin / ITH_GROUP);
        else
            memcpy(p->ws->mid + (t + i) * mid->ld + rows.begin, x + i * ld, (size_t)ith_range_size(rows) * sizeof *x);
    }
}

void ith_mlp_block(ith_pass *p, const ith_ffn *w, ith_range rows, const ith_input *in, int64_t t, int64_t n,
                   const ith_input *mid, int64_t to, float *scratch)
{
    const ith_kernels *kernels = p->model->kernels;
    ith_range tiles = {rows.begin / ITH_TILE_ROWS, (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS};
    int64_t ld = ith_range_size(tiles) * ITH_TILE_ROWS;
    float *gate = scratch, *up = scratch + n * ld;

    ith_linear_tiles(kernels, w->gate, tiles, in, t, n, gate, ld);
    ith_linear_tiles(kernels, w->up, tiles, in, t, n, up, ld);
    kernels->silu_mul(n * ld, gate, up, gate);
    write_out(p, w->down, rows, mid, to, n, gate, ld);
}

/* Rows `rows` of gate and up for all my tokens, one at least: a piece is a block of tokens and as many rows as both products have room for. */
static void gate_up(ith_pass *p, const ith_ffn *w, ith_range rows, ith_member *me)
{
    int64_t n = ith_range_size(p->mine), block = ith_linear_block(p->model, w->gate, n),
            width = ith_block_rows(&p->model->caches, block),
            largest = ith_range_size(ith_split(ith_range_size(rows), ITH_GROUP, me->n_threads, 0));
    int blocks = (int)((n + block - 1) / block), runs = (int)((largest + width - 1) / width);
    ith_input in = ith_pass_input(p, w->gate->cols), mid = ith_pass_mid(p, w->down->cols);
    ith_lot lot = ith_lot_open(me, (int64_t)blocks * runs, ith_help_with(n));

    while (ith_lot_next(me, &lot)) {
        ith_range share = ith_split(ith_range_size(rows), ITH_GROUP, me->n_threads, lot.share),
                  tokens = ith_split(n, 1, blocks, (int)lot.piece / runs);
        int64_t begin = share.begin + lot.piece % runs * width,
                end = begin + width < share.end ? begin + width : share.end;
        if (begin < end)
            ith_mlp_block(p, w, (ith_range){rows.begin + begin, rows.begin + end}, &in, tokens.begin,
                          ith_range_size(tokens), &mid, tokens.begin, p->ws->scratch[me->tid]);
    }
}

static void show(ith_pass *p, int layer, ith_member *me)
{
    const ith_matrix *down = p->model->layers[layer].mlp.down;
    bool groups = ith_layout_is_quantized(down->layout);
    ith_seen seen = {.tokens = ith_range_size(p->mine),
                     .cols = down->cols,
                     .x = groups ? NULL : p->ws->mid,
                     .ld = p->ws->ld,
                     .acts = ith_pass_mid(p, down->cols).acts};
    p->probe->see(p->probe->user, ITH_PROBE_DOWN, layer, &seen, me);
}

void ith_mlp(ith_pass *p, int layer, ith_member *me)
{
    const ith_ffn *w = &p->model->layers[layer].mlp;
    ith_input mid = ith_pass_mid(p, w->down->cols);

    ith_pass_enter(p, layer, ITH_STAGE_GATE_UP, me);
    if (ith_range_size(p->mine) > 0)
        gate_up(p, w, p->way->rows(p, w->gate->rows), me);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, ITH_STAGE_GATE_UP, me);
    if (p->comm->size > 1) {
        p->way->gather_mid(p, me, &mid, ith_range_size(p->mine), w->down);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    }
    if (p->probe != NULL)
        show(p, layer, me);
    ith_pass_enter(p, layer, ITH_STAGE_DOWN, me);
    ith_linear(me, p->model, w->down, p->way->rows(p, w->down->rows), &mid, ith_range_size(p->mine), p->ws->y,
               p->ws->ld_y);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, ITH_STAGE_DOWN, me);
}
