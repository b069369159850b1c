/* layer.c - one decoder layer, top to bottom. A matrix's result waits in ws->y until the next norm adds it to the residual stream:
 * one pass over a token adds, normalizes and quantizes it. */
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

/* x += y if `add`; h = norm(x), quantized if the model is. */
static void normalize(ith_pass *p, ith_member *me, bool add, const float *weight)
{
    const ith_hparams *hp = &p->model->hp;
    const ith_kernels *kernels = p->model->kernels;
    ith_input in = ith_pass_input(p, hp->hidden);
    ith_range mine = ith_my_share(me, n_mine(p), 1);

    for (int64_t t = mine.begin; t < mine.end; t++) {
        float *x = p->ws->x + t * hp->hidden, *h = p->ws->h + t * p->ws->ld;
        if (add)
            kernels->add(hp->hidden, x, p->ws->y + t * p->ws->ld_y);
        kernels->rmsnorm(hp->hidden, x, weight, (float)hp->rms_eps, h);
        if (p->model->quantized)
            kernels->quantize(hp->hidden, h, &in.acts, t, 0);
    }
    ith_barrier(me);
}

static void project(ith_pass *p, ith_member *me, const ith_matrix *w, ith_range rows, float *out, int64_t ld)
{
    ith_input in = ith_pass_input(p, w->cols);
    ith_linear(me, p->model, w, rows, &in, n_mine(p), out, ld);
}

/* Heads `run` of the `all` that this rank projects, to where they lie among those. */
static void project_heads(ith_pass *p, ith_member *me, const ith_matrix *w, ith_range all, ith_range run, float *out,
                          int64_t ld)
{
    int64_t d = p->model->hp.head_dim;
    ith_range rows = {run.begin * d, run.end * d};
    int64_t at = all.begin * d % ITH_TILE_ROWS + (run.begin - all.begin) * d;

    project(p, me, w, rows, out + at - rows.begin % ITH_TILE_ROWS, ld);
    ith_pass_progress(p, me);
}

static void project_qkv(ith_pass *p, const ith_layer *w, const ith_heads_part *part, ith_member *me)
{
    ith_range q = p->way->q_heads(p), kv = p->way->kv_heads(p);

    for (int i = 0; i < ith_heads_runs(p); i++) {
        ith_range kv_run = ith_heads_run(p, part, kv, 1, i);
        project_heads(p, me, w->q, q, ith_heads_run(p, part, q, p->group, i), p->ws->q, p->ws->ld_q);
        project_heads(p, me, w->k, kv, kv_run, p->ws->k, p->ws->ld_kv);
        project_heads(p, me, w->v, kv, kv_run, p->ws->v, p->ws->ld_kv);
    }
    ith_barrier(me);
}

/* h, or the groups that are there in its place; nobody writes to it before the barrier that follows the next product. */
static void show(ith_pass *p, ith_probe_point point, int layer, int64_t cols, bool groups, ith_member *me)
{
    ith_input in = ith_pass_input(p, cols);
    ith_seen seen = {
        .tokens = n_mine(p), .cols = cols, .x = groups ? NULL : p->ws->h, .ld = p->ws->ld, .acts = in.acts};
    if (p->probe != NULL)
        p->probe->see(p->probe->user, point, layer, &seen, me);
}

void ith_show_output(ith_pass *p, ith_member *me)
{
    normalize(p, me, false, p->model->out_norm);
    show(p, ITH_PROBE_OUTPUT, 0, p->model->hp.hidden, false, me);
    ith_barrier(me);
}

void ith_layer_forward(ith_pass *p, int layer, ith_member *me)
{
    const ith_layer *w = &p->model->layers[layer];

    normalize(p, me, layer > 0, w->attn_norm);
    show(p, ITH_PROBE_ATTN, layer, w->q->cols, false, me);
    ith_pass_lap(p, me, layer, ITH_LAP_REST);
    ith_pass_enter(p, layer, ITH_STAGE_QKV, me);
    for (int i = 0; i < p->n_parts; i++) {
        ith_heads_part part = ith_pass_part(p, i);
        project_qkv(p, w, &part, me);
        ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
        ith_heads_make(p, layer, &part, me);
    }
    ith_pass_leave(p, layer, ITH_STAGE_QKV, me);
    for (int i = 0; i < p->n_parts; i++) {
        ith_heads_part part = ith_pass_part(p, i);
        ith_heads_take(p, layer, &part, me);
        ith_pass_lap(p, me, layer, ITH_LAP_REST);
        ith_attention(p, layer, &part, me);
        ith_pass_lap(p, me, layer, ITH_LAP_ATTENTION);
        p->way->send_back(p, &part, w->o, me);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    }
    p->way->to_tokens(p, w->o, me);
    ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    show(p, ITH_PROBE_O, layer, w->o->cols, ith_heads_are_groups(p->model, w->o), me);
    ith_pass_enter(p, layer, ITH_STAGE_O, me);
    project(p, me, w->o, p->way->rows(p, w->o->rows), p->ws->y, p->ws->ld_y);
    ith_barrier(me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, ITH_STAGE_O, me);
    p->way->gather_y(p, me);
    ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);

    normalize(p, me, true, w->ffn_norm);
    show(p, ITH_PROBE_MLP, layer, p->model->hp.hidden, false, me);
    ith_pass_lap(p, me, layer, ITH_LAP_REST);
    (w->experts != NULL ? ith_experts : ith_mlp)(p, layer, me);
    p->way->gather_y(p, me);
    ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
}
