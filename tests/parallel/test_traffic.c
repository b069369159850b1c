/* RANKS: 1 3 5, long: 2 4 8
 *
 * test_traffic.c - what every rank sends in prefill is within 5% of the formulas of
 * model/traffic.h.
 *
 * By ulysses, on any mesh, with an empty cache or not, and by rows. All strategies send the same,
 * in one head slice or in several. Also of models whose layers are unlike in heads, and of those
 * with recurrent states; what the attention of such layers costs is counted layer by layer.
 */
#include "tests/parallel/golden_model.h"

#include "engine/cost.h"
#include "engine/session.h"
#include "model/traffic.h"
#include "tools/sim_model.h"

static int64_t sent(void)
{
    ith_traffic t = ith_world_traffic(world);
    int64_t sum = t.allgather + t.messages;
    for (int i = 0; i <= ITH_EXCHANGE_NODE; i++)
        sum += t.exchange[i].in_node + t.exchange[i].cross_node;
    return sum;
}

/* Of a pass of n tokens after `depth`; the logits go to rank 0. */
static int64_t expected(const ith_engine *e, int64_t depth, int64_t n, bool rows)
{
    const ith_hparams *hp = &e->model->hp;
    ith_wire wire = ith_engine_wire(e);
    int64_t layers = rows ? ith_traffic_rows(&wire, n) : ith_traffic_ulysses(&wire, depth, n),
            logits = ith_range_size(ith_mesh_rows(&e->mesh, hp->n_vocab, e->mesh.rank)) *
                     (int64_t)sizeof(float);
    return layers + (e->mesh.rank == 0 ? 0 : logits);
}

static ith_engine_params by(ith_prefill way)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = NEEDLE_MODEL;
    params.threads = 1;
    params.chunk = 480;
    params.prefill = way;
    return params;
}

static void prefill(const ith_engine_params *params)
{
    bool rows = params->prefill == ITH_PREFILL_ROWS;
    ith_engine *engine = must_open(params);
    ith_session *session = must_open_session(engine);
    int64_t depth = 0, chunk = params->chunk;

    for (int i = 0; i < 2; i++, depth += chunk) {
        int64_t before = sent(), formula = expected(engine, depth, chunk, rows), is;
        must_prefill(session, ids + depth, (size_t)chunk);
        is = sent() - before;
        if (rows && engine->mesh.context > 1)
            must(is >= formula, "a group exchanges more than the formula's", NULL);
        else
            must(llabs(is - formula) * 20 <= formula, "bytes sent are within 5% of the formula",
                 NULL);
    }
    ith_session_close(session);
    ith_engine_close(engine);
}

static void prefill_exact(ith_prefill way, int parts)
{
    ith_engine_params params = by(way);
    params.exact = true;
    params.head_slices = parts;
    prefill(&params);
}

static void prefill_weighed(ith_prefill way)
{
    static const char *const weights[] = {"1",         "3,1", "0,1,2", "3,1,0,2",
                                          "2,0,3,1,1", NULL,  NULL,    "1,0,2,5,1,3,0,4"};
    ith_engine_params params = by(way);
    params.shares = weights[ith_world_size(world) - 1];
    prefill(&params);
}

static void prefill_synthetic(ith_prefill way, const char *model)
{
    ith_engine_params params = by(way);
    params.model = model;
    prefill(&params);
}

/* 8 ranks exchange with all others, and share no head. */
static void prefill_eight_heads(ith_prefill way)
{
    prefill_synthetic(way, "synthetic:tests/models/eight-heads/config.json:q8_0");
}

/* Layers with experts. In the second model every second layer is dense, with an MLP eight times as
 * wide as the experts of a token. */
static void prefill_experts(ith_prefill way)
{
    prefill_synthetic(way, "synthetic:tests/models/experts/config.json:q8_0");
    prefill_synthetic(way, "synthetic:tests/models/experts-dense/config.json:q8_0");
}

static void by_tokens(void)
{
    for (int exchange = ITH_EXCHANGE_AUTO; exchange <= ITH_EXCHANGE_NODE; exchange++)
        for (int parts = 1; parts <= 3; parts += 2) {
            ith_engine_params params = by(ITH_PREFILL_ULYSSES);
            params.exchange = (ith_exchange)exchange;
            params.head_slices = parts;
            prefill(&params);
        }
    prefill_exact(ITH_PREFILL_ULYSSES, 2);
    prefill_weighed(ITH_PREFILL_ULYSSES);
    prefill_eight_heads(ITH_PREFILL_ULYSSES);
    prefill_experts(ITH_PREFILL_ULYSSES);
}

static void by_rows(void)
{
    ith_engine_params params = by(ITH_PREFILL_ROWS);
    prefill(&params);
    prefill_exact(ITH_PREFILL_ROWS, 0);
    prefill_weighed(ITH_PREFILL_ROWS);
    prefill_eight_heads(ITH_PREFILL_ROWS);
    prefill_experts(ITH_PREFILL_ROWS);
}

/* ---- Models whose layers are unlike ---- */

/* Six heads: 2 layers with 3 KV heads of 32 channels and a window of 36 tokens, 2 with 2 of
 * 48 that see all. */
static void check_costs(const ith_engine *e)
{
    enum { DEPTH = 20, TOKENS = 30, WINDOW = 36, HEADS = 6 };
    double ops = 0;

    for (int t = 0; t < TOKENS; t++) {
        int keys = DEPTH + t + 1, near = keys < WINDOW ? keys : WINDOW;
        ops += 2.0 * 4 * HEADS * (32 * near + 48 * keys);
    }
    must(ith_pass_cost(e, DEPTH, TOKENS).key_ops == ops, "operations of unlike layers", NULL);
    ops = 4 * (2 * 4 * 64) + 2 * (HEADS + 2 * 3) * 32 + 2 * (HEADS + 2 * 2) * 48;
    must(ith_activation_bytes(e->model) == 4 * ops, "bytes of unlike heads", NULL);
    ops = ith_pass_cost(e, 101, 1).bytes - ith_pass_cost(e, 100, 1).bytes;
    must(ops == 2 * 2 * (2 * 48 + 4), "bytes of a key that only some layers see", NULL);
}

static int64_t exchanges(void)
{
    ith_traffic t = ith_world_traffic(world);
    int64_t calls = 0;
    for (int i = 0; i <= ITH_EXCHANGE_NODE; i++)
        calls += t.exchange[i].calls;
    return calls;
}

/* What a plan's simulation knows of the model: the all-to-alls of a pass by tokens in whole heads,
 * and one for the logits; a token's keys and values. */
static void check_simulated(const ith_engine_params *params)
{
    ith_engine *engine = must_open(params);
    ith_session *session = must_open_session(engine);
    ith_sim_model model;
    ith_error err;
    double bytes = 0;
    int64_t before = exchanges();

    must(ith_sim_model_of(engine, &model, &err) == ITH_OK, "what is simulated", &err);
    must_prefill(session, ids, (size_t)params->chunk);
    if (ith_world_size(world) > 1 && engine->mesh.context == 1)
        must(exchanges() - before == model.exchanges + 1, "all-to-alls of a pass", NULL);
    for (int i = 0; i < model.n_keys; i++)
        bytes += (double)model.keys[i].layers * model.keys[i].bytes *
                 (double)(engine->model->hp.n_heads / model.keys[i].group);
    must(bytes == (double)engine->info.kv_bytes_per_token, "bytes of a token's keys", NULL);
    ith_sim_model_close(&model);
    ith_session_close(session);
    ith_engine_close(engine);
}

static void prefill_golden(const char *name)
{
    json_t *golden = must_read_golden(name);
    char own[100], folder[300];
    ith_engine_params params = by(ITH_PREFILL_ULYSSES);

    snprintf(own, sizeof own, "traffic-%s", name);
    must_write_model(golden, own, NULL, folder);
    json_decref(golden);
    params.model = folder;
    params.chunk = 100;
    prefill(&params);
    params.head_slices = 2;
    prefill(&params);
    params.head_slices = 1;
    check_simulated(&params);
    params.prefill = ITH_PREFILL_ROWS;
    prefill(&params);
    if (strcmp(name, "gemma4") == 0) {
        ith_engine *engine = must_open(&params);
        check_costs(engine);
        ith_engine_close(engine);
    }
}

static void unlike_layers(void)
{
    static const char *const names[] = {"gemma4", "gemma4-even", "qwen3_5",   "bamba",
                                        "lfm2",   "falcon_h1",   "nemotron_h"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        prefill_golden(names[i]);
}

int main(void)
{
    if (!open_needle())
        return 1;
    by_tokens();
    if (ith_world_rank(world) == 0)
        printf("ok by tokens: within 5%% of the formula\n");
    by_rows();
    if (ith_world_rank(world) == 0)
        printf("ok by rows: within 5%% of the formula\n");
    unlike_layers();
    if (ith_world_rank(world) == 0)
        printf(
            "ok layers with unlike heads and with recurrent states: within 5%% of the formula\n");
    ith_world_close(world);
    return 0;
}
