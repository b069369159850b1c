/* rates.c - measures the rates of a model's own kernels, from which a prefill is predicted. */
#include "tools/rates.h"

#include "base/grow.h"
#include "base/mem.h"
#include "engine/cost.h"
#include "model/blocks/block.h"
#include "model/linear.h"
#include "tools/lines.h"

#include <math.h>
#include <stdlib.h>

enum { POOL_BYTES = 64 << 20 };

static const double SECONDS = 0.015; /* for each kernel */

/* All matrices, in all layers, of the same layout and shape. */
typedef struct rated_product {
    ith_line line;
    const ith_matrix *like; /* one of them */
    double ops;             /* that all of them need for one token */
} rated_product;

struct ith_rates {
    ith_engine *engine;
    ith_bench_kernels_params params;
    ith_kernel_bench bench; /* only what lines need: team, pool, kernels, seconds */
    void *pool;
    rated_product *products; /* [n_products] */
    int n_products;
    size_t room;           /* in the list */
    ith_line keys;         /* the attention kernel */
    int64_t most_segments; /* in the pool */
};

/* ---- Opening ---- */

static bool alike(const ith_matrix *a, const ith_matrix *b)
{
    return a->layout == b->layout && a->rows == b->rows && a->cols == b->cols;
}

/* The state of a loop over the model's matrices that adds each one's product. */
typedef struct adding {
    ith_rates *rates;
    int64_t tokens;
    ith_status status;
    ith_error *err;
} adding;

/* Adds the product of matrix `w`. Each rank multiplies it with `tokens` tokens of the prompt at a
 * time, or with the share of them that goes to one expert. */
static ith_status add_product(ith_rates *r, const ith_matrix *w, double share, int64_t tokens,
                              ith_error *err)
{
    rated_product *p = r->products;
    int64_t at_a_time = (int64_t)ceil(share * (double)tokens);

    while (p < r->products + r->n_products && !(alike(p->like, w) && p->line.tokens == at_a_time))
        p++;
    if (p == r->products + r->n_products) {
        void *list = r->products;
        if (!ith_grow(&list, &r->room, (size_t)r->n_products + 1, sizeof *r->products))
            return ith_fail(err, ITH_E_MEMORY, "no memory to measure kernels");
        r->products = list;
        p = &r->products[r->n_products++];
        *p = (rated_product){.like = w};
        ITH_TRY(ith_line_product(&r->bench, w->layout, w->rows, w->cols, at_a_time, &p->line, err));
        p->line.block = ith_linear_block(r->engine->model, w, at_a_time);
    }
    p->ops += 2.0 * (double)w->rows * (double)w->cols * share;
    return ITH_OK;
}

static void add_next(void *user, const ith_use *use)
{
    adding *a = user;
    if (a->status == ITH_OK)
        a->status = add_product(a->rates, use->matrix, use->share, a->tokens, a->err);
}

static ith_status add_products(ith_rates *r, int64_t tokens, ith_error *err)
{
    adding a = {.rates = r, .tokens = tokens, .err = err};

    ith_blocks_each_matrix(r->engine->model, add_next, &a);
    return a.status;
}

static ith_status add_lines(ith_rates *r, int64_t tokens, ith_error *err)
{
    const ith_engine *e = r->engine;
    ith_key_tile tile = ith_blocks_key_tile(&e->model->hp, &e->model->caches, e->kv, tokens,
                                            ith_team_size(e->team));

    ITH_TRY(ith_bench_buffer(POOL_BYTES, 1, &r->pool, &r->bench.pool_bytes, err));
    r->bench.pool = r->pool;
    ITH_TRY(add_products(r, tokens, err));
    ITH_TRY(ith_line_attention(&r->bench, e->kv, &tile, &r->keys, err));
    r->most_segments = (int64_t)(r->bench.pool_bytes / ith_line_segment_bytes(&r->keys));
    return ITH_OK;
}

ith_status ith_rates_open(ith_engine *e, int64_t tokens, ith_rates **out, ith_error *err)
{
    int64_t chunk = tokens < e->info.chunk ? tokens : e->info.chunk;
    ith_rates *r;
    ith_status status;

    *out = NULL;
    if (e->model->exact)
        return ITH_OK;
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to measure kernels");
    r->engine = e;
    r->params.seconds = SECONDS;
    r->bench =
        (ith_kernel_bench){.params = &r->params, .team = e->team, .kernels = e->model->kernels};
    status = add_lines(r, (chunk + e->info.ranks - 1) / e->info.ranks, err);
    if (status != ITH_OK) {
        ith_rates_close(r);
        return status;
    }
    *out = r;
    return ITH_OK;
}

void ith_rates_close(ith_rates *r)
{
    if (r == NULL)
        return;
    for (int i = 0; i < r->n_products; i++)
        ith_line_close(&r->products[i].line);
    free(r->products);
    ith_line_close(&r->keys);
    ith_mem_free(r->pool);
    free(r);
}

/* ---- Measuring ---- */

/* Operations per second that this rank's team reaches. */
static double product_rate(const ith_rates *r, rated_product *p)
{
    ith_line_run(&r->bench, &p->line);
    return ith_line_product_ops(&p->line) / ith_line_mean_s(&p->line);
}

/* Operations per second of the attention kernel. It runs over the KV cache of all heads of a layer,
 * of those that the tile is of, as far as the pool holds it, because the rate depends on how much
 * of it stays in the CPU's caches. */
static double key_rate(ith_rates *r, int64_t keys)
{
    const ith_engine *e = r->engine;
    int64_t heads = e->model->hp.n_heads / r->keys.group;
    int64_t segments = ith_kv_segments(keys) * heads / ith_mesh_for_heads(&e->mesh, heads).ulysses;
    int64_t least = ith_team_size(e->team);

    segments = segments < least ? least : segments;
    r->keys.n_segments = segments < r->most_segments ? segments : r->most_segments;
    ith_line_run(&r->bench, &r->keys);
    return ith_line_attention_ops(&r->keys) / ith_line_mean_s(&r->keys);
}

/* Keys that a token costs on average beyond those that it sees: a tile runs to the last key of its
 * last token, in whole blocks. */
static double keys_unseen(const ith_rates *r)
{
    return (double)(r->keys.tokens + ITH_KV_BLOCK) / 2;
}

/* The cost of a prompt if this rank did all the work. Ranks share it evenly. */
static ith_depth_cost measure_alone(ith_rates *r, int64_t keys)
{
    const ith_engine *e = r->engine;
    double rate = key_rate(r, keys);
    ith_depth_cost cost = ith_keys_cost(e, rate);

    cost.token_s += ith_key_ops(e) / rate * keys_unseen(r);
    for (int i = 0; i < r->n_products; i++)
        cost.token_s += r->products[i].ops / product_rate(r, &r->products[i]);
    return cost;
}

ith_depth_cost ith_rates_measure(ith_rates *r, int64_t keys, double read_bytes, double state_rate)
{
    double states_s = ith_pass_cost(r->engine, 0, 1).state_ops / state_rate;
    ith_comm *comm = r->engine->world->comm;
    ith_depth_cost mine, slowest = {0};

    comm->ops->barrier(comm);
    mine = measure_alone(r, keys);
    for (int i = 0; i < comm->size; i++) {
        ith_depth_cost c = mine;
        comm->ops->bcast(comm, &c, sizeof c, i);
        slowest.token_s = c.token_s > slowest.token_s ? c.token_s : slowest.token_s;
        slowest.key_s = c.key_s > slowest.key_s ? c.key_s : slowest.key_s;
    }
    return (ith_depth_cost){slowest.token_s / comm->size + states_s +
                                ith_activation_bytes(r->engine->model) / read_bytes,
                            slowest.key_s / comm->size};
}
