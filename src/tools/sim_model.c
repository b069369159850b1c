/* sim_model.c - a model's matrices and layers, those that are alike as one. */
#include "tools/sim_model.h"

#include "base/grow.h"
#include "engine/cost.h"

#include <stdlib.h>

typedef struct walk {
    const ith_engine *engine;
    ith_sim_model *model;
    size_t products, keys, states; /* room in the model's lists */
    bool failed;                   /* there is no memory */
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
    ith_sim_model *m = w->model;
    ith_sim_product p = product_of(use->matrix, use->share);
    void *list = m->products;

    for (int i = 0; i < m->n_products; i++) {
        ith_sim_product *q = &m->products[i];
        if (q->layout == p.layout && q->rows == p.rows && q->cols == p.cols &&
            q->share == p.share) {
            q->count++;
            return;
        }
    }
    w->failed |= !ith_grow(&list, &w->products, (size_t)m->n_products + 1, sizeof p);
    m->products = list;
    if (!w->failed)
        m->products[m->n_products++] = p;
}

static void add_keys(walk *w, const ith_layer_state *state, double ops)
{
    ith_sim_model *m = w->model;
    ith_sim_keys k = {.layers = 1, .window = state->window, .ops = ops};
    void *list = m->keys;

    k.bytes = (double)ith_state_token_bytes(state, 1, m->kv) / (double)state->heads;
    if (!state->latent) {
        k.head_dim = state->head_dim;
        k.group = m->hp->n_heads / state->heads;
    }
    for (int i = 0; i < m->n_keys; i++) {
        ith_sim_keys *at = &m->keys[i];
        if (at->window == k.window && at->head_dim == k.head_dim && at->group == k.group &&
            at->ops == k.ops && at->bytes == k.bytes) {
            at->layers++;
            return;
        }
    }
    w->failed |= !ith_grow(&list, &w->keys, (size_t)m->n_keys + 1, sizeof k);
    m->keys = list;
    if (!w->failed)
        m->keys[m->n_keys++] = k;
}

static void add_states(walk *w, ith_recurrent_shape shape)
{
    ith_sim_model *m = w->model;
    double cells = (double)(shape.heads * shape.cells);
    ith_sim_states s = {.layers = 1,
                        .heads = shape.heads,
                        .ops = (double)shape.cell_ops * cells,
                        .bytes = 2 * sizeof(float) * cells};
    void *list = m->states;

    for (int i = 0; i < m->n_states; i++) {
        ith_sim_states *at = &m->states[i];
        if (at->heads == s.heads && at->ops == s.ops && at->bytes == s.bytes) {
            at->layers++;
            return;
        }
    }
    w->failed |= !ith_grow(&list, &w->states, (size_t)m->n_states + 1, sizeof s);
    m->states = list;
    if (!w->failed)
        m->states[m->n_states++] = s;
}

static void add_block(void *user, int layer, const ith_block *block)
{
    enum { OF_KEYS = 3, OF_STATES = 2 }; /* queries, keys and results; rows and results */
    walk *w = user;
    const ith_block_kind *kind = block->kind;
    bool keys = kind->key_ops != NULL;

    w->model->blocks++;
    if (kind->sends_by_tokens != NULL)
        w->model->exchanges += keys ? OF_KEYS : OF_STATES;
    if (keys)
        add_keys(w, &w->engine->model->states[layer], kind->key_ops(w->model->hp, layer));
    if (kind->recurrent != NULL)
        add_states(w, kind->recurrent(w->model->hp));
}

ith_status ith_sim_model_of(const ith_engine *e, ith_sim_model *m, ith_error *err)
{
    walk w = {.engine = e, .model = m};

    *m = (ith_sim_model){.hp = &e->model->hp,
                         .kv = e->kv,
                         .quantized = e->model->quantized,
                         .output = product_of(e->model->output, 1),
                         .activation_bytes = ith_activation_bytes(e->model)};
    ith_blocks_each_matrix(e->model, add_matrix, &w);
    ith_blocks_each(e->model, add_block, &w);
    return w.failed ? ith_fail(err, ITH_E_MEMORY, "no memory to simulate the model") : ITH_OK;
}

void ith_sim_model_close(ith_sim_model *m)
{
    free(m->products);
    free(m->keys);
    free(m->states);
}
