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

typedef struct key_sum {
    const ith_hparams *hp;
    double ops;
} key_sum;

static void add_key_ops(void *user, int layer, const ith_block *block)
{
    key_sum *s = user;
    (void)layer;
    if (block->kind->key_ops != NULL)
        s->ops += block->kind->key_ops(s->hp);
}

/* Operations of one token with one earlier key, in all layers. */
static double key_ops(const ith_model *m)
{
    key_sum s = {.hp = &m->hp};
    ith_blocks_each(m, add_key_ops, &s);
    return s.ops;
}

/* Keys that n tokens after `depth` attend to, themselves included. */
static double keys_seen(int64_t depth, int64_t n)
{
    return (double)n * (double)depth + (double)n * (double)(n + 1) / 2;
}

ith_cost ith_pass_cost(const ith_engine *e, int64_t depth, int64_t n)
{
    const ith_model *m = e->model;
    sums layers = sum_layers(m, n);
    return (ith_cost){
        .linear_ops = layers.ops + matrix_ops(m->output),
        .key_ops = keys_seen(depth, n) * key_ops(m),
        .bytes = layers.bytes + matrix_bytes(m->output) +
                 (double)e->info.kv_bytes_per_token * (double)(depth + n),
    };
}

ith_depth_cost ith_prompt_cost(const ith_engine *e, double linear_rate, double key_rate)
{
    return (ith_depth_cost){sum_layers(e->model, 1).ops / linear_rate,
                            key_ops(e->model) / key_rate};
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
