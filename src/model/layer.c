/* layer.c - one layer: x += block(norm(x)), block after block.
 *
 * A block's output waits in ws->y until the next norm adds it to the residual stream: one walk over
 * a token adds, normalizes and quantizes it.
 */
#include "base/finite.h"
#include "model/blocks/block.h"
#include "model/pass.h"

static int64_t n_mine(const ith_pass *p)
{
    return ith_range_size(p->mine);
}

ith_input ith_pass_input(const ith_pass *p, int64_t cols)
{
    ith_input in = {.x = p->ws->h, .ld = p->ws->ld, .acts = p->ws->acts};
    in.acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    return in;
}

ith_input ith_pass_mid(const ith_pass *p, int64_t cols)
{
    ith_input in = {.x = p->ws->mid, .ld = p->ws->ld, .acts = p->ws->mid_acts};
    in.acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    return in;
}

void ith_pass_enter(const ith_pass *p, int layer, const ith_block *block, int stage,
                    const bool *chosen, ith_member *me)
{
    ith_store_enter(p->model->store, layer, block->first_stage + stage, p->need, chosen, me);
    ith_pass_lap(p, me, layer, ITH_LAP_WEIGHTS);
}

void ith_pass_leave(const ith_pass *p, int layer, const ith_block *block, int stage, ith_member *me)
{
    ith_store_leave(p->model->store, layer, block->first_stage + stage, p->need, me);
}

void ith_quantize_h(ith_pass *p, ith_member *me, int64_t cols)
{
    ith_range mine = ith_my_share(me, n_mine(p), 1);
    ith_input in = ith_pass_input(p, cols);

    if (p->model->quantized)
        for (int64_t t = mine.begin; t < mine.end; t++)
            p->model->kernels->quantize(cols, p->ws->h + t * p->ws->ld, &in.acts, t, 0);
    ith_barrier(me);
}

void ith_add_residual(ith_pass *p, ith_member *me)
{
    int64_t hidden = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        p->model->kernels->add(hidden, p->ws->x + t * hidden, p->ws->y + t * p->ws->ld_y);
    ith_barrier(me);
}

/* Writes the smaller of `place` and what is there. */
static void note_place(int *at, int place)
{
    int seen = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (place < seen &&
           !__atomic_compare_exchange_n(at, &seen, place, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void ith_check_residual(ith_pass *p, const ith_member *me)
{
    int64_t hidden = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    if (ith_all_finite(p->ws->x + mine.begin * hidden, ith_range_size(mine) * hidden))
        return;
    ith_pass_note_not_finite(p);
    if (p->broken_at != NULL)
        note_place(p->broken_at, ith_pass_place((int)p->model->hp.n_layers, 0));
}

/* At ith_pass_place `place`: x += y if `add`; h = norm(x), quantized if the model is. */
static void normalize(ith_pass *p, ith_member *me, int place, bool add, const float *weight)
{
    const ith_hparams *hp = &p->model->hp;
    const ith_kernels *kernels = p->model->kernels;
    ith_input in = ith_pass_input(p, hp->hidden);
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    for (int64_t t = mine.begin; t < mine.end; t++) {
        float *x = p->ws->x + t * hp->hidden, *h = p->ws->h + t * p->ws->ld;
        if (add)
            kernels->add(hp->hidden, x, p->ws->y + t * p->ws->ld_y);
        if (p->broken_at != NULL && !ith_all_finite(x, hp->hidden))
            note_place(p->broken_at, place);
        kernels->rmsnorm(hp->hidden, x, weight, (float)hp->rms_eps, h);
        if (p->model->quantized)
            kernels->quantize(hp->hidden, h, &in.acts, t, 0);
    }
    ith_barrier(me);
}

void ith_pass_show(ith_pass *p, const ith_matrix *const *readers, int n_readers, int64_t cols,
                   bool groups, ith_member *me)
{
    ith_input in = ith_pass_input(p, cols);
    ith_seen seen = {.tokens = n_mine(p),
                     .cols = cols,
                     .x = groups ? NULL : p->ws->h,
                     .ld = p->ws->ld,
                     .acts = in.acts};
    if (p->probe != NULL && p->probe->reads != NULL)
        p->probe->reads(p->probe->user, readers, n_readers, &seen, me);
}

void ith_show_output(ith_pass *p, ith_member *me)
{
    normalize(p, me, ith_pass_place((int)p->model->hp.n_layers, 0), false, p->model->out_norm);
    ith_pass_show(p, &p->model->output, 1, p->model->hp.hidden, false, me);
    ith_barrier(me);
}

void ith_layer_forward(ith_pass *p, int number, ith_member *me)
{
    const ith_layer *layer = &p->model->layers[number];

    for (int i = 0; i < layer->n; i++) {
        const ith_sublayer *sub = &layer->sub[i];
        normalize(p, me, ith_pass_place(number, i), number > 0 || i > 0, sub->norm);
        ith_pass_lap(p, me, number, ITH_LAP_REST);
        sub->block.kind->run(p, number, &sub->block, me);
        p->way->gather_y(p, me);
        ith_pass_lap(p, me, number, ITH_LAP_EXCHANGE);
    }
}
