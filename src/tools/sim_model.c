/* sim_model.c - a model's matrices and layers, those that are alike as one. */
#include "tools/sim_model.h"

#include "engine/cost.h"

typedef struct walk {
    const ith_engine *engine;
    ith_sim_model *model;
    bool full; /* there are too many */
} walk;

static ith_sim_product product_of(const ith_matrix *w, double share)
{
    return (ith_sim_product){.layout = w->layout,
                             .rows = w->rows,
                             .cols = w->cols,
                             .count = 1,
                             .share = share,
                             .bytes = (double)w->tile_bytes * (double)w->n_tiles};
}

static void add_matrix(void *user, const ith_use *use)
{
    walk *w = user;
    ith_sim_product p = product_of(use->matrix, use->share), *q = w->model->products,
                    *end = q + w->model->n_products;

    while (q < end && !(q->layout == p.layout && q->rows == p.rows && q->cols == p.cols &&
                        q->share == p.share))
        q++;
    if (q < end) {
        q->count++;
    } else if (w->model->n_products < ITH_SIM_LIST) {
        *q = p;
        w->model->n_products++;
    } else {
        w->full = true;
    }
}

static void add_block(void *user, int layer, const ith_block *block)
{
    walk *w = user;
    ith_sim_model *m = w->model;
    const ith_layer_state *state = &w->engine->model->states[layer];
    ith_sim_keys k = {.layers = 1}, *at = m->keys;

    m->blocks++;
    if (block->kind->key_ops == NULL)
        return;
    k.window = state->window;
    k.ops = block->kind->key_ops(m->hp, layer);
    k.bytes = (double)ith_state_token_bytes(state, 1, m->kv);
    while (at < m->keys + m->n_keys &&
           !(at->window == k.window && at->ops == k.ops && at->bytes == k.bytes))
        at++;
    if (at < m->keys + m->n_keys) {
        at->layers++;
    } else if (m->n_keys < ITH_SIM_LIST) {
        *at = k;
        m->n_keys++;
    } else {
        w->full = true;
    }
}

static void add_states(ith_sim_model *m, const ith_model *model)
{
    for (int64_t i = 0; i < model->hp.n_layers; i++) {
        const ith_recurrent_shape *shape = &model->states[i].recurrent;
        double cells = (double)(shape->heads * shape->cells);
        m->state_ops += (double)shape->cell_ops * cells;
        m->state_bytes += 2 * sizeof(float) * cells;
    }
}

ith_status ith_sim_model_of(const ith_engine *e, ith_sim_model *m, ith_error *err)
{
    walk w = {.engine = e, .model = m};

    *m = (ith_sim_model){.hp = &e->model->hp,
                         .kv = e->kv,
                         .quantized = e->model->quantized,
                         .output = product_of(e->model->output, 1),
                         .activation_bytes = ith_activation_bytes(e->model),
                         .weight_bytes = e->info.weight_bytes};
    ith_blocks_each_matrix(e->model, add_matrix, &w);
    ith_blocks_each(e->model, add_block, &w);
    add_states(m, e->model);
    return w.full ? ith_fail(err, ITH_E_UNSUPPORTED,
                             "the model has more than %d kinds of matrices or attention: too many "
                             "to simulate",
                             ITH_SIM_LIST)
                  : ITH_OK;
}
