/* pass.c - a pass from its first token to its logits. */
#include "model/pass.h"

#include "model/blocks/block.h"

/* What of a layer's matrices the pass reads on this rank. */
static ith_need need_of(const ith_pass *p)
{
    for (int k = 0; k < ITH_BLOCKS; k++)
        if (ith_block_kinds[k]->chooses != NULL && ith_blocks_have(p->model, k) &&
            ith_block_kinds[k]->chooses(p))
            return ITH_NEED_CHOSEN;
    return p->way->all_tokens ? ITH_NEED_HELD : ITH_NEED_ALL;
}

ith_pass ith_pass_make(const ith_pass_env *env, bool by_rows, const ith_span *spans, int n_spans,
                       const int32_t *ids)
{
    ith_pass p = {.model = env->model,
                  .way = by_rows ? &ith_way_rows : &ith_way_ulysses,
                  .comm = env->comm,
                  .mesh = *env->mesh,
                  .kv = env->kv,
                  .ws = env->ws,
                  .head_slices = env->head_slices,
                  .spans = spans,
                  .n_spans = n_spans,
                  .ids = ids};

    for (int i = 0; i < n_spans; i++) {
        p.n += spans[i].n;
        ith_state_enter(spans[i].state, spans[i].pos, spans[i].n);
    }
    p.mine = by_rows ? (ith_range){0, p.n} : ith_mesh_slots(env->mesh, p.n, env->comm->rank);
    p.need = need_of(&p);
    return p;
}

/* ---- The run ---- */

/* Embeddings of my tokens, and what blocks prepare for all layers. */
static void begin(ith_pass *p, ith_member *me)
{
    const ith_model *m = p->model;
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = share.begin; t < share.end; t++) {
        float *x = p->ws->x + t * m->hp.hidden;
        ith_store_embed(m->store, p->ids[ith_pass_token(p, t)], me, x);
        if (m->hp.embed_scale != 1)
            m->kernels->scale(m->hp.hidden, x, (float)m->hp.embed_scale);
    }
    for (int k = 0; k < ITH_BLOCKS; k++)
        if (ith_block_kinds[k]->begin != NULL && ith_blocks_have(m, k))
            ith_block_kinds[k]->begin(p, me);
    ith_barrier(me);
}

/* tid 0 asks, all hear it. Nobody is asked again before all have: there are barriers inside a
 * layer. */
static bool is_stopped(ith_pass *p, int layers, ith_member *me)
{
    if (p->goes_on == NULL)
        return false;
    if (me->tid == 0)
        p->stopped = !p->goes_on(p->user, layers);
    ith_barrier(me);
    return p->stopped;
}

static void run(void *arg, ith_member *me)
{
    ith_pass *p = arg;
    int outside = (int)p->model->hp.n_layers;

    begin(p, me);
    ith_pass_lap(p, me, outside, ITH_LAP_REST);
    for (int layer = 0; layer < p->model->hp.n_layers; layer++) {
        if (is_stopped(p, layer, me))
            return;
        ith_layer_forward(p, layer, me);
    }
    if (is_stopped(p, outside, me))
        return;
    ith_add_residual(p, me);
    for (int k = 0; k < ITH_BLOCKS; k++)
        if (ith_block_kinds[k]->end != NULL && ith_blocks_have(p->model, k))
            ith_block_kinds[k]->end(p, me);
    ith_check_residual(p, me);
    if (p->probe != NULL)
        ith_show_output(p, me);
    if (p->targets != NULL)
        ith_score(p, me);
    ith_pass_lap(p, me, outside, ITH_LAP_REST);
    if (p->n_logits > 0)
        ith_logits(p, me);
    ith_pass_lap(p, me, outside, ITH_LAP_EXCHANGE);
}

void ith_pass_run(void *arg, ith_member *me)
{
    const ith_kernels *kernels = ((const ith_pass *)arg)->model->kernels;

    kernels->enter();
    run(arg, me);
    kernels->leave();
}
