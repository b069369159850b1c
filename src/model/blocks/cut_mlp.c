/* cut_mlp.c - the block of an MLP whose gates are cut (Gemma 3n): of the products g of the gate
 * only max(0, g - c) counts, with c the mean of all of a token plus some standard deviations.
 *
 * A token's c depends on all rows of the gate, so ranks gather those of few tokens first. In bits:
 * mean and deviation are sums of doubles in 16 lanes, added in ascending order. */
#include "base/finite.h"
#include "model/blocks/mlp.h"
#include "model/rows.h"

#include <math.h>

enum { STAGE_GATE, STAGE_REST, STAGES = STAGE_REST + ITH_MLP_STAGES };

/* [T][ld]: the products of the gate, then act of what counts. */
typedef struct gates {
    float *x;
    int64_t ld;
} gates;

/* ---- Weights ---- */

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t width = ith_hparams_ffn(hp, b->layer);
    const ith_mlp_form rest = {.up = ITH_ROLE_UP, .down = ITH_ROLE_DOWN, .width = width};
    const ith_matrix_want gate = ith_want(ITH_ROLE_GATE, width, hp->hidden, STAGE_GATE);
    ith_ffn *w = block->weights;
    ith_binder later = *b;

    later.first_stage += STAGE_REST;
    ITH_TRY(ith_bind_matrix(b, &gate, &w->gate, err));
    return ith_mlp_bind(&later, &rest, w, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    (void)hp;
    ith_ffn_each_matrix(block->weights, 1, see, user);
}

/* ---- Workspace and traffic ---- */

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_ffn *w = block->weights;
    ith_mlp_needs(s, w->up->rows, n);
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    gates *g = work;

    /* Tiles of rows may stick out at both ends of a range. */
    g->ld = ith_round_up(ith_hparams_ffn(&s->model->hp, s->model->hp.n_layers - 1), ITH_TILE_ROWS) +
            2 * ITH_TILE_ROWS;
    ith_request(r, s->T * g->ld, sizeof(float), &g->x);
}

/* The gate's rows as floats, the rest as in any MLP. */
static int64_t sends_by_rows(const ith_wire *wire, int layer, int64_t n)
{
    int64_t width = ith_hparams_ffn(wire->hp, layer),
            mine = ith_range_size(ith_mesh_rows(wire->mesh, width, wire->mesh->rank));
    return n * (wire->mesh->ranks - 1) * mine * (int64_t)sizeof(float) +
           ith_ffn_sends_by_rows(wire, width, n);
}

/* ---- Passes ---- */

enum { LANES = 16 };

/* The sum of (x - from)^power, power 1 or 2. */
static double sum(int64_t n, const float *x, double from, int power)
{
    double lanes[LANES] = {0}, all = 0;

    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - from;
        lanes[i % LANES] += power == 2 ? d * d : d;
    }
    for (int i = 0; i < LANES; i++)
        all += lanes[i];
    return all;
}

/* Gates g [n] of a token: rows `mine` become act of what counts. */
static void cut_token(ith_pass *p, int layer, int64_t n, ith_range mine, float *g)
{
    const ith_hparams *hp = &p->model->hp;
    const ith_kernels *kernels = p->model->kernels;
    double mean = sum(n, g, 0, 1) / (double)n, square = sum(n, g, mean, 2) / (double)n;
    float cut = (float)(mean + ith_hparams_cut(hp, layer) * sqrt(square));

    if (!ith_all_finite(g, n) || !isfinite(cut)) /* -INFINITY would count as 0 */
        ith_pass_note_broken_here(p);
    for (int64_t i = mine.begin; i < mine.end; i++)
        g[i] = g[i] > cut ? g[i] - cut : 0;
    (hp->act == ITH_ACT_RELU2 ? kernels->relu2
     : hp->act == ITH_ACT_GELU
         ? kernels->gelu_erf
         : kernels->gelu)(ith_range_size(mine), g + mine.begin, g + mine.begin);
}

/* Products of the gate's rows that this rank computes, each where it belongs. */
static void project(ith_pass *p, int layer, const ith_block *block, const gates *g, ith_member *me)
{
    const ith_ffn *w = block->weights;
    const ith_owners owners = {.n_cols = w->gate->rows};
    int64_t n = ith_range_size(p->mine);
    ith_range rows = p->way->rows(p, w->gate->rows);
    ith_input in = ith_pass_input(p, w->gate->cols);

    ith_pass_show(p, &w->gate, 1, w->gate->cols, false, me);
    ith_pass_enter(p, layer, block, STAGE_GATE, NULL, me);
    ith_linear(me, p->model, w->gate, rows, &in, n, g->x + rows.begin - rows.begin % ITH_TILE_ROWS,
               g->ld);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, block, STAGE_GATE, me);
    if (p->comm->size > 1 && p->way->all_tokens) {
        ith_rows_gather_floats(p, me, g->x, g->ld, n, rows.begin, &owners);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    }
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const ith_ffn *w = block->weights;
    const gates *g = p->ws->of[ITH_BLOCK_cut_mlp];
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1),
              rows = p->way->rows(p, w->gate->rows);
    ith_ffn rest = {.up = w->up, .down = w->down, .given = g->x, .ld_given = g->ld};
    ith_block later = *block;

    later.first_stage += STAGE_REST;
    project(p, layer, block, g, me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        cut_token(p, layer, w->gate->rows, rows, g->x + t * g->ld);
    ith_barrier(me);
    ith_mlp_run(p, layer, &later, &rest, me);
}

const ith_block_kind ith_block_cut_mlp = {
    .name = "cut_mlp",
    .n_stages = STAGES,
    .weight_bytes = sizeof(ith_ffn),
    .bind = bind,
    .each_matrix = each_matrix,
    .needs = needs,
    .work_bytes = sizeof(gates),
    .request = request,
    .sends_by_rows = sends_by_rows,
    .run = run,
};
