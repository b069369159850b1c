/* mlp.c - the block of an MLP: down(act(gate x) * up x), or without a gate down(act(up x)). */
#include "model/blocks/mlp.h"

#include "model/blocking.h"

enum { STAGE_GATE_UP, STAGE_DOWN, STAGES = ITH_MLP_STAGES };

/* ---- Weights ---- */

ith_status ith_mlp_bind(const ith_binder *b, const ith_mlp_form *form, ith_ffn *w, ith_error *err)
{
    int64_t h = b->model->hp.hidden, f = form->width;
    ith_matrix_want gate = ith_want(form->gate, f, h, STAGE_GATE_UP),
                    up = ith_want(form->up, f, h, STAGE_GATE_UP),
                    down = ith_want(form->down, h, f, STAGE_DOWN);

    gate.fused = up.fused = form->gate_up;
    gate.fused_rows = up.fused_rows = 2 * f;
    up.first_row = f;
    if (b->model->hp.ungated || form->gate == ITH_ROLE_NONE)
        up.fused = ITH_ROLE_NONE;
    else
        ITH_TRY(ith_bind_matrix(b, &gate, &w->gate, err));
    if (form->up != ITH_ROLE_NONE)
        ITH_TRY(ith_bind_matrix(b, &up, &w->up, err));
    return ith_bind_matrix(b, &down, &w->down, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t width = ith_hparams_ffn(hp, b->layer);
    const ith_mlp_form form = {ITH_ROLE_GATE, ITH_ROLE_UP, ITH_ROLE_GATE_UP, ITH_ROLE_DOWN, width};
    ith_ffn *w = block->weights;

    block->scale = hp->ffn_out_scale == 1 ? 0 : (float)hp->ffn_out_scale;
    ITH_TRY(ith_mlp_bind(b, &form, w, err));
    if (!hp->mlp_bias)
        return ITH_OK;
    if (!hp->ungated)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_GATE_BIAS, width, &w->gate_bias, err));
    ITH_TRY(ith_bind_vector(b, ITH_ROLE_UP_BIAS, width, &w->up_bias, err));
    return ith_bind_vector(b, ITH_ROLE_DOWN_BIAS, hp->hidden, &block->bias, err);
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    const ith_ffn *w = block->weights;
    return hp->mlp_bias ? (hp->ungated ? 1 : 2) * w->up->rows + hp->hidden : 0;
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    (void)hp;
    ith_ffn_each_matrix(block->weights, 1, see, user);
}

/* ---- Workspace and traffic ---- */

void ith_mlp_needs(const ith_work_sizes *s, int64_t width, ith_work_needs *n)
{
    int64_t mid = ith_round_up(width, ITH_GROUP), scratch = ith_ffn_scratch(&s->model->caches);

    n->mid_values = mid > n->mid_values ? mid : n->mid_values;
    n->scratch = scratch > n->scratch ? scratch : n->scratch;
}

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_ffn *w = block->weights;
    ith_mlp_needs(s, w->up->rows, n);
}

static int64_t sends_by_rows(const ith_wire *wire, int layer, int64_t n)
{
    return ith_ffn_sends_by_rows(wire, ith_hparams_ffn(wire->hp, layer), n);
}

/* ---- Passes ---- */

/* Rows `rows` of gate and up for all my tokens, one at least: a task is a block of tokens and as
 * many rows as both products have room for. */
static void gate_up(ith_pass *p, const ith_ffn *w, ith_range rows, ith_member *me)
{
    int64_t n = ith_range_size(p->mine), block = ith_linear_block(p->model, ith_ffn_wide(w), n),
            width = ith_block_rows(&p->model->caches, block),
            largest = ith_range_size(ith_split(ith_range_size(rows), ITH_GROUP, me->n_threads, 0));
    int blocks = (int)((n + block - 1) / block), runs = (int)((largest + width - 1) / width);
    ith_input in = ith_pass_input(p, ith_ffn_wide(w)->cols), mid = ith_pass_mid(p, w->down->cols);
    ith_lot lot = ith_lot_open(me, (int64_t)blocks * runs, ith_help_with(n));

    while (ith_lot_next(me, &lot)) {
        ith_range share = ith_split(ith_range_size(rows), ITH_GROUP, me->n_threads, lot.share),
                  tokens = ith_split(n, 1, blocks, (int)lot.task / runs);
        int64_t begin = share.begin + lot.task % runs * width,
                end = begin + width < share.end ? begin + width : share.end;
        if (begin < end)
            ith_ffn_block(p, w, (ith_range){rows.begin + begin, rows.begin + end}, &in,
                          tokens.begin, ith_range_size(tokens), &mid, tokens.begin,
                          p->ws->scratch[me->tid]);
    }
}

static void show_mid(ith_pass *p, const ith_ffn *w, ith_member *me)
{
    bool groups = ith_layout_is_quantized(w->down->layout);
    ith_seen seen = {.tokens = ith_range_size(p->mine),
                     .cols = w->down->cols,
                     .x = groups ? NULL : p->ws->mid,
                     .ld = p->ws->ld,
                     .acts = ith_pass_mid(p, w->down->cols).acts};
    if (p->probe != NULL && p->probe->reads != NULL)
        p->probe->reads(p->probe->user, &w->down, 1, &seen, me);
}

void ith_mlp_run(ith_pass *p, int layer, const ith_block *block, const ith_ffn *w, ith_member *me)
{
    const ith_matrix *const readers[] = {w->gate, w->up}, *wide = ith_ffn_wide(w);
    int first = w->gate == NULL, n_readers = first || w->up == NULL ? 1 : 2;
    int64_t n = ith_range_size(p->mine);
    ith_input mid = ith_pass_mid(p, w->down->cols);

    ith_pass_show(p, readers + first, n_readers, wide->cols, false, me);
    ith_pass_enter(p, layer, block, STAGE_GATE_UP, NULL, me);
    if (n > 0)
        gate_up(p, w, p->way->rows(p, wide->rows), me);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, block, STAGE_GATE_UP, me);
    if (p->comm->size > 1) {
        p->way->gather_mid(p, me, &mid, n, w->down);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    }
    show_mid(p, w, me);
    ith_pass_enter(p, layer, block, STAGE_DOWN, NULL, me);
    ith_linear(me, p->model, w->down, p->way->rows(p, w->down->rows), &mid, n, p->ws->y,
               p->ws->ld_y);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, block, STAGE_DOWN, me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    ith_mlp_run(p, layer, block, block->weights, me);
}

const ith_block_kind ith_block_mlp = {
    .name = "mlp",
    .n_stages = STAGES,
    .weight_bytes = sizeof(ith_ffn),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .needs = needs,
    .sends_by_rows = sends_by_rows,
    .run = run,
};
