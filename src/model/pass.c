#include "model/pass.h"

/* Embeddings and rotary angles of my tokens. */
static void begin(ith_pass *p, ith_member *me)
{
    const ith_model *m = p->model;
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = share.begin; t < share.end; t++) {
        int64_t token = ith_pass_token(p, t);
        ith_store_embed(m->store, p->ids[token], me, p->ws->x + t * m->hp.hidden);
        ith_rope_angles(&m->rope, p->pos + token, p->ws->cos + t * m->rope.half, p->ws->sin + t * m->rope.half);
    }
    ith_barrier(me);
}

/* tid 0 asks, all hear it. Nobody is asked again before all have: there are barriers inside a layer. */
static bool is_stopped(ith_pass *p, int layers, ith_member *me)
{
    if (p->goes_on == NULL)
        return false;
    if (me->tid == 0)
        p->stopped = !p->goes_on(p->user, layers);
    ith_barrier(me);
    return p->stopped;
}

void ith_pass_run(void *arg, ith_member *me)
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
    if (p->probe != NULL)
        ith_show_output(p, me);
    if (p->targets != NULL)
        ith_score(p, me);
    ith_pass_lap(p, me, outside, ITH_LAP_REST);
    if (p->n_logits > 0)
        ith_logits(p, me);
    ith_pass_lap(p, me, outside, ITH_LAP_EXCHANGE);
}
