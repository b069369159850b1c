/* estimate.c - predicts the memory, traffic and time of a run without loading the model.
 *
 * The engine itself is opened up to its first allocation, on a communicator that only looks like
 * the ranks of the plan (comm/comm.h: planned). So the memory figures are those of a real run.
 */
#include "base/fpenv.h"
#include "base/json.h"
#include "comm/comm_self.h"
#include "engine/cost.h"
#include "engine/engine_open.h"
#include "engine/sizes.h"
#include "ithaca_tools.h"

#include <stdio.h>
#include <stdlib.h>

#define GIGA 1e9

enum { GATHERS = 4 }; /* per layer, in decode */

/* The shares of a machine's ceilings that long prompts and decoding reach (bench/SPEED.md). */
static const double LINEAR = 0.50, ATTENTION = 0.43, STATES = 0.11, DECODE = 0.84;

typedef struct estimate {
    const ith_estimate_params *params;
    ith_engine *engine;
    ith_store_params store;
    ith_error refusal; /* why no weight distribution fits; status ITH_OK: one does */
    double prefill_s;  /* of the whole context */
    double decode_s;   /* of one token after it */
} estimate;

static ith_status check(const ith_estimate_params *p, ith_error *err)
{
    if (p->nodes < 1 || p->ranks_per_node < 1 || (int64_t)p->nodes * p->ranks_per_node > 1 << 16)
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "%d nodes of %d ranks: expected at least one of each, and at most %d ranks in all",
            p->nodes, p->ranks_per_node, 1 << 16);
    return ITH_OK;
}

/* The engine parameters of each rank. Every node is taken to have as many cores as this machine. */
static ith_engine_params of_rank(const ith_estimate_params *p)
{
    ith_engine_params params = p->engine;
    if (params.threads == 0)
        params.threads = ith_cores_available() / p->ranks_per_node > 0
                             ? ith_cores_available() / p->ranks_per_node
                             : 1;
    params.progress = NULL;
    return params;
}

/* ---- Time ---- */

/* Seconds that a rank needs to send `bytes`. The ranks of a node share its network connection;
 * bytes sent within a node count as free. */
static double on_the_wire_s(const estimate *f, double bytes)
{
    const ith_estimate_params *p = f->params;
    double outside = (double)(p->nodes - 1) / p->nodes;
    return p->nodes == 1 || p->network_gbps <= 0
               ? 0
               : bytes * outside * p->ranks_per_node / (p->network_gbps * GIGA);
}

static void predict(estimate *f)
{
    const ith_estimate_params *p = f->params;
    const ith_engine *e = f->engine;
    int64_t ctx = e->info.ctx;
    double layers = e->info.n_layers, nodes = p->nodes, ops = p->integer_gops * GIGA * nodes;
    ith_cost one = ith_pass_cost(e, ctx - 1, 1);
    const ith_depth_cost prompt = ith_prompt_cost(e, LINEAR * ops, ATTENTION * ops, STATES * ops);
    ith_token_traffic traffic = ith_pass_traffic(e);
    double passes = (double)((ctx + e->info.chunk - 1) / e->info.chunk);
    double gathered = f->store.cut ? (double)e->info.weight_bytes / p->ranks_per_node * passes : 0;

    f->prefill_s = ith_depth_cost_s(prompt, 0, ctx) +
                   on_the_wire_s(f, traffic.ulysses * layers * (double)ctx + gathered / nodes);
    f->decode_s = one.bytes / (DECODE * p->read_gbps * GIGA * nodes) +
                  on_the_wire_s(f, traffic.rows * layers) +
                  (p->nodes > 1 ? GATHERS * layers * p->latency_us * 1e-6 : 0);
}

/* ---- The answer ---- */

static const char *distribution_word(const estimate *f)
{
    return f->refusal.status != ITH_OK ? "none"
           : f->store.budget > 0       ? "streamed"
           : f->store.cut              ? "sharded"
                                       : "replicated";
}

/* Bytes of weights in the memory of one node. */
static int64_t weights_of_node(const estimate *f)
{
    const ith_engine *e = f->engine;
    if (f->store.budget > 0 && f->store.ram_level < 0 && f->refusal.status == ITH_OK)
        return (int64_t)e->streamed.memory;
    int64_t whole =
        f->store.cut ? (int64_t)ith_store_needs(e->store, &f->store) : e->info.weight_bytes;
    return f->store.budget > 0 && (int64_t)f->store.budget < whole ? (int64_t)f->store.budget
                                                                   : whole;
}

static json_t *memory_json(const estimate *f)
{
    const ith_engine *e = f->engine;
    int64_t weights = weights_of_node(f), session = ith_session_bytes(e);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "node_weights_bytes", (json_int_t)weights,
                     "rank_kv_bytes", (json_int_t)ith_session_kv_bytes(e), "rank_workspace_bytes",
                     (json_int_t)ith_session_workspace_bytes(e), "rank_session_bytes",
                     (json_int_t)session, "node_bytes",
                     (json_int_t)(weights + session * f->params->ranks_per_node));
}

/* Bytes that a node reads per pass; null unless weights are streamed. */
static json_t *reading_json(const estimate *f)
{
    const ith_store_forecast *s = &f->engine->streamed;
    if (s->read == 0 || f->refusal.status != ITH_OK)
        return json_null();
    return json_pack("{s:f, s:f}", "prompt_pass", s->read, "answer_token", s->read_chosen);
}

static json_t *answer(const estimate *f)
{
    const ith_engine *e = f->engine;
    const ith_estimate_params *p = f->params;
    ith_token_traffic traffic = ith_pass_traffic(e);
    json_t *wire = json_pack("{s:f, s:f, s:f}", "ulysses_prefill", traffic.ulysses, "rows_decode",
                             traffic.rows, "tensor_parallel", traffic.tensor_parallel);
    bool timed = p->integer_gops > 0 && p->read_gbps > 0 && f->refusal.status == ITH_OK &&
                 f->store.budget == 0;

    return json_pack(
        "{s:s, s:i, s:i, s:i, s:i, s:s, s:o, s:I, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
        "model", e->info.name, "nodes", p->nodes, "ranks_per_node", p->ranks_per_node, "ranks",
        e->info.ranks, "threads", e->info.threads, "mesh", e->info.mesh, "shares",
        ith_json_numbers(e->info.shares, e->info.ranks), "ctx", (json_int_t)e->info.ctx, "chunk",
        (json_int_t)e->info.chunk, "weight_bytes", (json_int_t)e->info.weight_bytes, "distribution",
        distribution_word(f), "why",
        f->refusal.status != ITH_OK ? f->refusal.text : e->info.distribution, "memory",
        memory_json(f), "node_reads_bytes", reading_json(f), "token_layer_bytes", wire, "prefill_s",
        timed ? ith_json_number(f->prefill_s) : json_null(), "decode_tps",
        timed ? ith_json_number(1 / f->decode_s) : json_null());
}

ith_status ith_estimate(const ith_estimate_params *params, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    estimate f = {.params = params};
    ith_engine_params rank;
    ith_world world = {0};
    json_t *root = NULL;
    ith_status status;

    *json = NULL;
    ITH_CHECK(check(params, err));
    rank = of_rank(params);
    ITH_CHECK(ith_comm_open_planned(params->nodes, params->ranks_per_node, &world.comm, err));
    ITH_CHECK(ith_engine_plan(&world, &rank, &f.engine, err));
    f.refusal.status = ith_engine_choose(f.engine, &rank, &f.store, &f.refusal);
    if (params->integer_gops > 0 && params->read_gbps > 0)
        predict(&f);
    root = answer(&f);
    *json = root == NULL ? NULL : ith_json_text(root, false);
    status = *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the plan");
done:
    json_decref(root);
    ith_engine_close(f.engine);
    ith_comm_close(world.comm);
    return status;
}
