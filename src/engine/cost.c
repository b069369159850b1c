/* cost.c - what a pass costs, summed over the blocks of the model's layers. */
#include "engine/cost.h"

#include "model/traffic.h"

#include <math.h>

static double matrix_ops(const ith_matrix *m)
{
    return 2.0 * (double)m->rows * (double)m->cols;
}

static double matrix_bytes(const ith_matrix *m)
{
    return (double)m->tile_bytes * (double)m->n_tiles;
}

/* Sums over the layers' matrices, for a pass of `tokens`. */
typedef struct sums {
    double tokens, ops, bytes;
} sums;

/* A matrix is read if any token uses it. Tokens choose their experts independently. */
static void add_matrix(void *user, const ith_use *use)
{
    sums *s = user;
    s->ops += matrix_ops(use->matrix) * use->share * s->tokens;
    s->bytes += matrix_bytes(use->matrix) * (1 - pow(1 - use->share, s->tokens));
}

static sums sum_layers(const ith_model *m, int64_t tokens)
{
    sums s = {.tokens = (double)tokens};
    ith_blocks_each_matrix(m, add_matrix, &s);
    return s;
}

double ith_keys_seen(int64_t window, int64_t depth, int64_t n)
{
    int64_t few = window == 0 ? n : ith_clamp(window - depth, 0, n); /* tokens that see all keys */
    return (double)few * (double)depth + (double)few * (double)(few + 1) / 2 +
           (double)(n - few) * (double)window;
}

double ith_activation_bytes(const ith_model *m)
{
    const ith_hparams *hp = &m->hp;
    int64_t floats = 0;

    for (int i = 0; i < hp->n_layers; i++) {
        const ith_layer_state *state = &m->states[i];
        const ith_recurrent_shape *shape = &state->recurrent;
        floats += m->layers[i].n * 4 * hp->hidden;
        if (state->form != ITH_STATE_NONE)
            floats += (hp->n_heads + 2 * ith_hparams_kv_heads(hp, i)) * ith_hparams_head_dim(hp, i);
        if (shape->heads > 0)
            floats += ith_recurrent_width(shape, 1, 0) + shape->heads * shape->out;
    }
    return (double)floats * sizeof(float);
}

/* Keys that a pass of n tokens after `depth` reads. */
static double keys_read(int64_t window, int64_t depth, int64_t n)
{
    return (double)(window == 0 ? depth + n : ith_min(depth + n, window - 1 + n));
}

/* Sums over the layers' blocks of attention, for a pass of n tokens after `depth`. */
typedef struct key_sums {
    const ith_engine *engine;
    int64_t depth, n;
    double ops, bytes;
    double each_ops;   /* of one token with one key, in the layers that see all keys */
    double window_ops; /* in the others, of the pass's tokens */
} key_sums;

static void add_keys(void *user, int layer, const ith_block *block)
{
    key_sums *s = user;
    const ith_model *m = s->engine->model;
    const ith_layer_state *state = &m->states[layer];
    double each, ops;

    if (block->kind->key_ops == NULL)
        return;
    each = block->kind->key_ops(&m->hp, layer);
    ops = each * ith_keys_seen(state->window, s->depth, s->n);
    s->ops += ops;
    s->bytes += keys_read(state->window, s->depth, s->n) *
                (double)ith_state_token_bytes(state, 1, s->engine->kv);
    if (state->window == 0)
        s->each_ops += each;
    else
        s->window_ops += ops;
}

static key_sums sum_keys(const ith_engine *e, int64_t depth, int64_t n)
{
    key_sums s = {.engine = e, .depth = depth, .n = n};
    ith_blocks_each(e->model, add_keys, &s);
    return s;
}

/* Of all layers' recurrent states: bytes that a pass reads and writes, operations of a token. */
typedef struct state_sums {
    double bytes, ops;
} state_sums;

static state_sums sum_states(const ith_model *m)
{
    state_sums s = {0};

    for (int64_t i = 0; i < m->hp.n_layers; i++) {
        const ith_recurrent_shape *shape = &m->states[i].recurrent;
        double cells = (double)(shape->heads * shape->cells);
        s.bytes += 2 * sizeof(float) * cells;
        s.ops += (double)shape->cell_ops * cells;
    }
    return s;
}

ith_cost ith_pass_cost(const ith_engine *e, int64_t depth, int64_t n)
{
    const ith_model *m = e->model;
    sums layers = sum_layers(m, n);
    key_sums keys = sum_keys(e, depth, n);
    state_sums states = sum_states(m);

    return (ith_cost){
        .linear_ops = layers.ops + matrix_ops(m->output),
        .key_ops = keys.ops,
        .state_ops = states.ops * (double)n,
        .bytes = layers.bytes + matrix_bytes(m->output) + keys.bytes + states.bytes,
    };
}

double ith_key_ops(const ith_engine *e)
{
    return sum_keys(e, 0, 1).ops;
}

ith_depth_cost ith_keys_cost(const ith_engine *e, double key_rate)
{
    key_sums all = sum_keys(e, 0, e->info.ctx);
    return (ith_depth_cost){all.window_ops / (double)e->info.ctx / key_rate,
                            all.each_ops / key_rate};
}

ith_depth_cost ith_prompt_cost(const ith_engine *e, double linear_rate, double key_rate,
                               double state_rate)
{
    ith_depth_cost cost = ith_keys_cost(e, key_rate);
    cost.token_s += sum_layers(e->model, 1).ops / linear_rate;
    cost.token_s += sum_states(e->model).ops / state_rate;
    return cost;
}

/* The average over a prompt is the pass in its middle: what a pass sends grows linearly with the
 * depth, if at all. */
ith_token_traffic ith_pass_traffic(const ith_engine *e)
{
    const ith_hparams *hp = &e->model->hp;
    ith_wire wire = ith_engine_wire(e);
    int64_t n = e->info.chunk < e->info.ctx ? e->info.chunk : e->info.ctx,
            depth = (e->info.ctx - n) / 2;
    double P = e->mesh.ranks, each = (double)(n * hp->n_layers);

    return (ith_token_traffic){.ulysses = (double)ith_traffic_ulysses(&wire, depth, n) / each,
                               .rows = (double)ith_traffic_rows(&wire, n) / each,
                               .tensor_parallel = 2 * 2 * (double)hp->hidden * 2 * (P - 1) / P};
}
