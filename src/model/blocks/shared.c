/* shared.c - the block of the experts that all tokens go to, beside those that they choose: one
 * MLP. With a gate (as in Qwen2-MoE) its output is multiplied by sigmoid(w h).
 *
 * In bits: the product is that of any small matrix (ith_small_product), the sigmoid that of the
 * router (experts.h), and the output is scaled by the kernel `scale`. */
#include "base/finite.h"
#include "model/blocks/experts.h"
#include "model/blocks/mlp.h"

typedef struct shared {
    ith_ffn ffn;
    const ith_matrix *gate; /* [1, h]; NULL: none */
} shared;

/* [T][ld]: the product of the gate. */
typedef struct gates {
    float *x;
    int64_t ld;
} gates;

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    const ith_mlp_form form = {ITH_ROLE_SHARED_GATE, ITH_ROLE_SHARED_UP, ITH_ROLE_SHARED_GATE_UP,
                               ITH_ROLE_SHARED_DOWN, hp->experts.shared_ffn};
    shared *w = block->weights;

    ITH_TRY(ith_mlp_bind(b, &form, &w->ffn, err));
    if (!hp->experts.shared_gated)
        return ITH_OK;
    return ith_bind_whole_matrix(b, ITH_ROLE_SHARED_WEIGHT, 1, hp->hidden, &w->gate, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const shared *w = block->weights;

    (void)hp;
    ith_ffn_each_matrix(&w->ffn, 1, see, user);
    if (w->gate != NULL)
        see(user, &(ith_use){w->gate, 1});
}

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    (void)block;
    ith_mlp_needs(s, s->model->hp.experts.shared_ffn, n);
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    gates *g = work;

    g->ld = ITH_TILE_ROWS;
    if (s->model->hp.experts.shared_gated)
        ith_request(r, s->T * g->ld, sizeof(float), &g->x);
}

static int64_t sends_by_rows(const ith_wire *wire, int layer, int64_t n)
{
    (void)layer;
    return ith_ffn_sends_by_rows(wire, wire->hp->experts.shared_ffn, n);
}

/* This rank's rows of the output. Ends with a barrier. */
static void weigh(ith_pass *p, const gates *g, ith_member *me)
{
    int64_t rows = ith_range_size(p->way->rows(p, p->model->hp.hidden));
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = mine.begin; t < mine.end; t++) {
        const float *x = g->x + t * g->ld;
        if (!ith_all_finite(x, 1)) /* infinity would count as 0 or 1 */
            ith_pass_note_broken_here(p);
        p->model->kernels->scale(rows, p->ws->y + t * p->ws->ld_y, ith_sigmoid(*x));
    }
    ith_barrier(me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const shared *w = block->weights;
    const gates *g = p->ws->of[ITH_BLOCK_shared];

    if (w->gate != NULL)
        ith_small_product(p, w->gate, g->x, g->ld, me);
    ith_mlp_run(p, layer, block, &w->ffn, me);
    if (w->gate != NULL)
        weigh(p, g, me);
}

const ith_block_kind ith_block_shared = {
    .name = "shared",
    .n_stages = ITH_MLP_STAGES,
    .weight_bytes = sizeof(shared),
    .bind = bind,
    .each_matrix = each_matrix,
    .needs = needs,
    .work_bytes = sizeof(gates),
    .request = request,
    .sends_by_rows = sends_by_rows,
    .run = run,
};
