/* estimate.c - predicts the memory, traffic and time of a run without loading the model.
 *
 * The engine itself is opened up to its first allocation, on a communicator that only looks like
 * the ranks of the plan (comm/comm.h: planned). So the memory figures are those of a real run.
 * Times are simulated (simulate.h).
 */
#include "base/fpenv.h"
#include "comm/comm_self.h"
#include "engine/cost.h"
#include "engine/distribution.h"
#include "engine/domains.h"
#include "engine/engine_open.h"
#include "engine/sizes.h"
#include "ithaca_tools.h"
#include "tools/machine_file.h"
#include "tools/sim_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIGA 1e9

/* Of a machine's memory, what its system keeps. */
static const double SPARE = 0.05;

typedef struct estimate {
    const ith_estimate_params *params;
    ith_engine_params rank; /* of each rank */
    ith_machine machine;
    bool timed;        /* is the machine known well enough? */
    bool assumes_link; /* between nodes, in part at least */
    ith_engine *engine;
    ith_store_params store;
    ith_error refusal; /* why no weight distribution fits; status ITH_OK: one does */
    ith_sim_model model;
    ith_sim_layout layout;
} estimate;

static ith_status check(const ith_estimate_params *p, ith_error *err)
{
    if (p->nodes < 1 || p->ranks_per_node < 1 || (int64_t)p->nodes * p->ranks_per_node > 1 << 16)
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "%d nodes of %d ranks: expected at least one of each, and at most %d ranks in all",
            p->nodes, p->ranks_per_node, 1 << 16);
    if (p->answer < 0)
        return ith_fail(err, ITH_E_ARGUMENT, "an answer of %lld tokens: expected 0 or more",
                        (long long)p->answer);
    return ITH_OK;
}

/* ---- The machine ---- */

static ith_status read_machine(const char *text, ith_machine *machine, ith_error *err)
{
    json_t *root;
    ith_status status;

    ITH_TRY(ith_json_parse(text, strlen(text), "the machine", &root, err));
    status = ith_machine_of_json(root, "the machine", machine, err);
    json_decref(root);
    return status;
}

ith_status ith_machine_read(const char *path, char **json, ith_error *err)
{
    ITH_NEED_ERROR(err);
    ith_machine machine;
    json_t *root;
    ith_status status;

    *json = NULL;
    ITH_TRY(ith_json_read(path, ITH_MACHINE_BYTES, &root, err));
    status = ith_machine_of_json(root, path, &machine, err);
    if (status == ITH_OK) {
        *json = ith_json_exact_text(root, false);
        status = *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "%s: no memory", path);
    }
    json_decref(root);
    return status;
}

/* What the caller says of the machine counts more than its file. */
static void correct_machine(estimate *f)
{
    const ith_estimate_params *p = f->params;
    ith_machine *m = &f->machine;

    if (p->read_gbps > 0)
        ith_machine_set_read(m, p->read_gbps * GIGA);
    if (p->integer_gops > 0)
        ith_machine_set_integer(m, p->integer_gops * GIGA);
    f->assumes_link = m->between.bytes <= 0 && (p->network_gbps <= 0 || p->latency_us <= 0);
    if (m->between.bytes <= 0)
        m->between = (ith_machine_link){ITH_ASSUMED_LINK_US * 1e-6,
                                        ITH_ASSUMED_GAP * ITH_ASSUMED_LINK_US * 1e-6,
                                        ITH_ASSUMED_LINK_BYTES};
    if (p->network_gbps > 0)
        m->between.bytes = p->network_gbps * GIGA;
    if (p->latency_us > 0)
        m->between = (ith_machine_link){p->latency_us * 1e-6,
                                        ITH_ASSUMED_GAP * p->latency_us * 1e-6, m->between.bytes};
}

static ith_status find_machine(estimate *f, ith_error *err)
{
    const ith_estimate_params *p = f->params;

    if (p->machine != NULL)
        ITH_TRY(read_machine(p->machine, &f->machine, err));
    else
        f->machine =
            ith_machine_assumed(ith_cores_available(), p->read_gbps * GIGA, p->integer_gops * GIGA);
    f->timed = p->machine != NULL || (p->read_gbps > 0 && p->integer_gops > 0);
    if (f->timed)
        correct_machine(f);
    return ITH_OK;
}

/* Memory of 0 would stand for this machine's. */
int64_t ith_estimate_memory(int64_t machine_bytes, int ranks_per_node)
{
    return machine_bytes > 0 && ranks_per_node > 0
               ? ith_max((int64_t)((double)machine_bytes * (1 - SPARE)) / ranks_per_node, 1)
               : 0;
}

/* The engine parameters of each rank. */
static ith_engine_params of_rank(const estimate *f)
{
    const ith_estimate_params *p = f->params;
    ith_engine_params params = p->engine;
    int cores = f->machine.cores / p->ranks_per_node;

    if (params.threads == 0)
        params.threads = cores > 0 ? cores : 1;
    if (params.memory == 0 && f->machine.memory > 0)
        params.memory = ith_estimate_memory(f->machine.memory, p->ranks_per_node);
    params.progress = NULL;
    return params;
}

/* The engine is planned on this machine, but for another. Ranks that can be bound to one memory
 * node each, as many to each node, take a copy of the weights for each, where there is room. */
static void use_machine(estimate *f, ith_comm *comm)
{
    int of_each = f->params->ranks_per_node / f->machine.memory_nodes;

    f->engine->node_memory =
        f->machine.memory > 0 ? f->machine.memory : f->rank.memory * f->params->ranks_per_node;
    if (f->params->machine == NULL)
        return;
    f->engine->model->caches = f->machine.caches;
    if (of_each * f->machine.memory_nodes == f->params->ranks_per_node)
        comm->domain_size = of_each;
    if (!ith_engine_copies_fit(f->engine, &f->rank))
        comm->domain_size = comm->node_size;
}

/* ---- What is simulated ---- */

static bool is_streamed(const estimate *f)
{
    return f->store.budget > 0;
}

/* A machine without a file counts as having as many cores as the ranks have threads. */
static void use_all_threads(estimate *f)
{
    int threads = f->engine->info.threads * f->params->ranks_per_node;

    if (f->params->machine != NULL)
        return;
    f->machine.cores = f->machine.rates[0].threads = threads;
    snprintf(f->machine.name, sizeof f->machine.name, "%d threads", threads);
}

static ith_status prepare(estimate *f, ith_error *err)
{
    const ith_estimate_params *p = f->params;
    const ith_engine *e = f->engine;
    const ith_store_forecast *s = &e->streamed;
    ith_limits limits = ith_session_limits(e, e->info.ctx, e->info.chunk, false);

    f->layout = (ith_sim_layout){.nodes = p->nodes,
                                 .ranks_per_node = p->ranks_per_node,
                                 .threads = e->info.threads,
                                 .mesh = &e->mesh,
                                 .ctx = e->info.ctx,
                                 .chunk = e->info.chunk,
                                 .rows_tokens = limits.rows_tokens,
                                 .head_slices = e->head_slices};
    ITH_TRY(ith_sim_model_of(e, &f->model, err));
    if (is_streamed(f)) {
        f->layout.read = s->read;
        f->layout.read_token = s->read_chosen;
        f->timed &= f->machine.disk_bytes > 0;
    }
    /* Where each node has its own rows, the others' come through the network. */
    for (int i = 0; f->store.cut && i < f->model.n_products; i++)
        f->layout.gathered += f->model.products[i].bytes * (double)f->model.products[i].count *
                              (p->nodes - 1) / p->nodes;
    f->timed &= f->refusal.status == ITH_OK;
    use_all_threads(f);
    return ITH_OK;
}

/* ---- The answer ---- */

static const char *distribution_word(const estimate *f)
{
    return f->refusal.status != ITH_OK ? "none"
           : is_streamed(f)            ? "streamed"
           : f->store.cut              ? "sharded"
                                       : "replicated";
}

/* Bytes of weights in the memory of one node, all copies. */
static int64_t weights_of_node(const estimate *f)
{
    const ith_engine *e = f->engine;
    const ith_comm *comm = e->world->comm;
    if (is_streamed(f) && f->store.ram_level < 0 && f->refusal.status == ITH_OK)
        return (int64_t)e->streamed.memory;
    int64_t whole = f->store.cut ? (int64_t)ith_store_needs(e->store, &f->store)
                                 : e->info.weight_bytes * (comm->node_size / comm->domain_size);
    return is_streamed(f) && (int64_t)f->store.budget < whole ? (int64_t)f->store.budget : whole;
}

static int64_t bytes_of_node(const estimate *f)
{
    return weights_of_node(f) + ith_session_bytes(f->engine) * f->params->ranks_per_node;
}

/* Memory of a node that its ranks may take. */
static int64_t room_of_node(const estimate *f)
{
    return ith_engine_memory(f->engine, &f->rank) * f->params->ranks_per_node;
}

/* A distribution that the user has chosen may need more than there is. */
static bool fits(const estimate *f)
{
    return f->refusal.status == ITH_OK && !is_streamed(f) && bytes_of_node(f) <= room_of_node(f);
}

static json_t *memory_json(const estimate *f)
{
    const ith_engine *e = f->engine;
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "node_weights_bytes",
                     (json_int_t)weights_of_node(f), "rank_kv_bytes",
                     (json_int_t)ith_session_kv_bytes(e), "rank_workspace_bytes",
                     (json_int_t)ith_session_workspace_bytes(e), "rank_session_bytes",
                     (json_int_t)ith_session_bytes(e), "node_bytes", (json_int_t)bytes_of_node(f));
}

/* Bytes that a node reads per pass; null unless weights are streamed. */
static json_t *reading_json(const estimate *f)
{
    const ith_store_forecast *s = &f->engine->streamed;
    if (s->read == 0 || f->refusal.status != ITH_OK)
        return json_null();
    return json_pack("{s:f, s:f}", "prompt_pass", s->read, "answer_token", s->read_chosen);
}

static json_t *wire_json(const estimate *f)
{
    ith_token_traffic traffic = ith_pass_traffic(f->engine);
    return json_pack("{s:f, s:f, s:f}", "ulysses_prefill", traffic.ulysses, "rows_decode",
                     traffic.rows, "tensor_parallel", traffic.tensor_parallel);
}

static json_t *breakdown_json(const ith_sim_time *t)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "products_s",
                     ith_json_number(t->products), "attention_s", ith_json_number(t->attention),
                     "states_s", ith_json_number(t->states), "memory_s", ith_json_number(t->memory),
                     "barriers_s", ith_json_number(t->barriers), "network_s",
                     ith_json_number(t->network), "waiting_s", ith_json_number(t->waiting));
}

/* What of the machine is not known. */
static json_t *assumed_json(const estimate *f)
{
    const ith_machine *m = &f->machine;
    json_t *list = json_array();
    char text[120];

    for (int i = 0; i < f->model.n_products; i++) {
        ith_layout layout = f->model.products[i].layout;
        bool told = ith_machine_knows_product(m, layout);
        for (int j = 0; j < i; j++)
            told |= f->model.products[j].layout == layout;
        snprintf(text, sizeof text, "the rate of products with %s", ith_layout_name(layout));
        if (!told)
            json_array_append_new(list, json_string(text));
    }
    snprintf(text, sizeof text, "the rate of attention with a cache in %s",
             ith_kv_layout_name(f->model.kv));
    if (f->model.n_keys > 0 && !ith_machine_knows_attention(m, f->model.kv))
        json_array_append_new(list, json_string(text));
    if (m->n_barriers == 0 && f->layout.threads > 1)
        json_array_append_new(list, json_string("how long threads wait for each other"));
    if (m->inside.bytes <= 0 && f->layout.ranks_per_node > 1)
        json_array_append_new(list, json_string("links between the ranks of a node, as free"));
    if (f->assumes_link && f->params->nodes > 1)
        json_array_append_new(list, json_string("links between nodes"));
    if (f->params->machine != NULL && f->rank.memory == 0)
        json_array_append_new(list, json_string("the memory of a node, as this machine's"));
    if (f->timed && m->disk_bytes <= 0)
        json_array_append_new(list, json_string("the time to load, as none"));
    return list;
}

static json_t *number_or_null(double x, bool known)
{
    return known ? ith_json_number(x) : json_null();
}

/* The machine as it was used. */
static json_t *node_json(const estimate *f)
{
    const ith_machine *m = &f->machine;
    const ith_machine_rate *all = &m->rates[m->n_rates - 1];

    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "name", m->name, "cores", m->cores,
                     "read_gbps", number_or_null(all->read_bytes / GIGA, all->read_bytes > 0),
                     "integer_gops", number_or_null(all->integer_ops / GIGA, all->integer_ops > 0),
                     "network_gbps", number_or_null(m->between.bytes / GIGA, m->between.bytes > 0),
                     "latency_us", number_or_null(m->between.alpha_s * 1e6, m->between.bytes > 0));
}

/* Seconds of a prompt and its logits. */
static double prompt_s(const estimate *f, int64_t tokens)
{
    ith_sim_time prompt = ith_simulate_prompt(&f->model, &f->machine, &f->layout, 0, tokens),
                 logits = ith_simulate_logits(&f->model, &f->machine, &f->layout);
    return ith_sim_seconds(&prompt) + ith_sim_seconds(&logits);
}

/* Prompts of 1,024, 2,048, ... tokens and of the whole context, and the rate of their last
 * chunks. A prompt begins as those do that are shorter by whole chunks. */
static json_t *depths_json(const estimate *f)
{
    int64_t ctx = f->layout.ctx, chunk = f->layout.chunk, done = 0, from = 0;
    ith_sim_time logits = ith_simulate_logits(&f->model, &f->machine, &f->layout);
    json_t *list = json_array();
    double before = 0;

    for (int64_t to = ctx < 1024 ? ctx : 1024; done < ctx; to = to < ctx - to ? 2 * to : ctx) {
        int64_t n = chunk < to ? chunk : to;
        ith_sim_time more = ith_simulate_prompt(&f->model, &f->machine, &f->layout, from, to),
                     last = ith_simulate_pass(&f->model, &f->machine, &f->layout, to - n, n);
        double seconds = before + ith_sim_seconds(&more);

        json_array_append_new(list,
                              json_pack("{s:I, s:o, s:o}", "tokens", (json_int_t)to, "seconds",
                                        ith_json_number(seconds + ith_sim_seconds(&logits)), "tps",
                                        ith_json_number((double)n / ith_sim_seconds(&last))));
        done = to;
        if (to % chunk == 0) {
            from = to;
            before = seconds;
        }
    }
    return list;
}

/* Seconds until all nodes have their weights; 0: unknown. */
static double load_s(const estimate *f)
{
    return f->machine.disk_bytes > 0 ? (double)weights_of_node(f) / f->machine.disk_bytes : 0;
}

/* A prompt and an answer that fill the context together. */
static json_t *run_json(const estimate *f)
{
    const ith_estimate_params *p = f->params;
    int64_t ctx = f->layout.ctx, answer = p->answer < ctx ? p->answer : ctx - 1,
            prompt = ctx - answer;
    ith_sim_time token =
        ith_simulate_token(&f->model, &f->machine, &f->layout, prompt + answer / 2);
    double seconds = load_s(f) + prompt_s(f, prompt) + (double)answer * ith_sim_seconds(&token),
           hours = seconds / 3600 * p->nodes;

    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "prompt", (json_int_t)prompt, "answer",
                     (json_int_t)answer, "seconds", ith_json_number(seconds), "cost",
                     number_or_null(hours * p->price, p->price > 0), "energy_wh",
                     number_or_null(hours * p->watts, p->watts > 0));
}

static json_t *prefill_json(const estimate *f, const ith_sim_time *t)
{
    return json_pack("{s:o, s:I, s:o}", "parts", breakdown_json(t), "sent_bytes",
                     (json_int_t)t->sent, "depths", depths_json(f));
}

static json_t *decode_json(const estimate *f, const ith_sim_time *t)
{
    bool alone = f->engine->info.ranks == 1;

    return json_pack("{s:o, s:I, s:I, s:I}", "parts", breakdown_json(t), "gathers",
                     (json_int_t)(alone ? 0 : ith_simulate_gathers(&f->model)), "collectives",
                     (json_int_t)(alone ? 0 : ith_simulate_collectives(&f->model)), "sent_bytes",
                     (json_int_t)t->sent);
}

static const char *const timed_keys[] = {"load_s",  "prefill_s", "decode_tps",
                                         "prefill", "decode",    "run"};

static void add_times(const estimate *f, json_t *root)
{
    int64_t ctx = f->layout.ctx;
    ith_sim_time prefill, token;
    json_t *whole;
    const json_t *depths;

    for (size_t i = 0; i < sizeof timed_keys / sizeof *timed_keys; i++)
        json_object_set_new(root, timed_keys[i], json_null());
    if (!f->timed)
        return;
    prefill = ith_simulate_prompt(&f->model, &f->machine, &f->layout, 0, ctx);
    token = ith_simulate_token(&f->model, &f->machine, &f->layout, ctx - 1);
    whole = prefill_json(f, &prefill);
    depths = json_object_get(whole, "depths");
    json_object_set_new(root, "load_s", number_or_null(load_s(f), load_s(f) > 0));
    json_object_set(
        root, "prefill_s",
        json_object_get(json_array_get(depths, json_array_size(depths) - 1), "seconds"));
    json_object_set_new(root, "decode_tps", ith_json_number(1 / ith_sim_seconds(&token)));
    json_object_set_new(root, "prefill", whole);
    json_object_set_new(root, "decode", decode_json(f, &token));
    json_object_set_new(root, "run", run_json(f));
}

/* How weights are distributed, or why no way fits. */
static void explain(const estimate *f, char *why, size_t size)
{
    bool refused = f->refusal.status != ITH_OK;
    double MiB = 1 << 20;

    snprintf(why, size, "%s", refused ? f->refusal.text : f->engine->info.distribution);
    if (!refused && !is_streamed(f) && !fits(f))
        snprintf(why + strlen(why), size - strlen(why),
                 "; that is %.0f MiB of a node, which has %.0f MiB for it",
                 (double)bytes_of_node(f) / MiB, (double)ith_max(room_of_node(f), 0) / MiB);
}

static json_t *answer(const estimate *f)
{
    const ith_engine *e = f->engine;
    const ith_estimate_params *p = f->params;
    char why[sizeof f->refusal.text + 100];
    json_t *root;

    explain(f, why, sizeof why);
    root = json_pack(
        "{s:s, s:o, s:i, s:i, s:i, s:i, s:s, s:o, s:I, s:I, s:I, s:s, s:b, s:s, s:o, s:o, s:o, "
        "s:I, s:o}",
        "model", e->info.name, "node", node_json(f), "nodes", p->nodes, "ranks_per_node",
        p->ranks_per_node, "ranks", e->info.ranks, "threads", e->info.threads, "mesh", e->info.mesh,
        "shares", ith_json_numbers(e->info.shares, e->info.ranks), "ctx", (json_int_t)e->info.ctx,
        "chunk", (json_int_t)e->info.chunk, "weight_bytes", (json_int_t)e->info.weight_bytes,
        "distribution", distribution_word(f), "fits", fits(f), "why", why, "memory", memory_json(f),
        "node_reads_bytes", reading_json(f), "token_layer_bytes", wire_json(f), "rows_tokens",
        (json_int_t)f->layout.rows_tokens, "assumed", assumed_json(f));

    if (root != NULL)
        add_times(f, root);
    return root;
}

ith_status ith_estimate(const ith_estimate_params *params, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    estimate f = {.params = params};
    ith_world world = {0};
    json_t *root = NULL;
    ith_status status;

    *json = NULL;
    ITH_CHECK(check(params, err));
    ITH_CHECK(find_machine(&f, err));
    f.rank = of_rank(&f);
    ITH_CHECK(ith_comm_open_planned(params->nodes, params->ranks_per_node, &world.comm, err));
    ITH_CHECK(ith_engine_plan(&world, &f.rank, &f.engine, err));
    use_machine(&f, world.comm);
    f.refusal.status = ith_engine_choose(f.engine, &f.rank, &f.store, &f.refusal);
    ITH_CHECK(prepare(&f, err));
    root = answer(&f);
    *json = root == NULL ? NULL : ith_json_text(root, false);
    status = *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the plan");
done:
    json_decref(root);
    ith_sim_model_close(&f.model);
    ith_engine_close(f.engine);
    ith_comm_close(world.comm);
    return status;
}
