/* test_simulate.c - simulated runs of models of known shapes: faster machines are never slower,
 * what is sent is what the traffic's formulas count, parts add up, messages are those of the
 * library, and what is fetched is waited for. */
#include "comm/comm_self.h"
#include "engine/cost.h"
#include "engine/engine_open.h"
#include "engine/sizes.h"
#include "model/traffic.h"
#include "tools/machine_file.h"
#include "tools/sim_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A planned engine, and what is simulated of it. */
typedef struct plan {
    ith_world world;
    ith_engine *engine;
    ith_sim_model model;
    ith_sim_layout layout;
} plan;

static ith_machine machine_of(int cores)
{
    ith_machine m = ith_machine_assumed(cores, 100e9, 5e12);

    m.inside = (ith_machine_link){1e-6, 2e-7, 5e9};
    m.between = (ith_machine_link){20e-6, 2e-6, 1.25e9};
    m.disk_bytes = 2e9;
    return m;
}

/* The cores of cluster/machines/zen4-2.json, with what it says of kernels. */
static ith_machine measured_machine(void)
{
    ith_machine m, links = machine_of(2);
    ith_error err;
    json_t *root;

    assert_int_equal(ith_json_read("cluster/machines/zen4-2.json", ITH_MACHINE_BYTES, &root, &err),
                     ITH_OK);
    assert_int_equal(ith_machine_of_json(root, "zen4-2", &m, &err), ITH_OK);
    json_decref(root);
    assert_true(m.n_products > 0 && m.n_attention > 0);
    m.inside = links.inside;
    m.between = links.between;
    m.disk_bytes = links.disk_bytes;
    return m;
}

static void open_plan(plan *p, const char *model, int nodes, int ranks, int64_t ctx)
{
    ith_engine_params params = ith_engine_params_default();
    ith_error err;
    ith_limits limits;

    *p = (plan){0};
    params.model = model;
    params.ctx = ctx;
    params.threads = 4;
    assert_int_equal(ith_comm_open_planned(nodes, ranks, &p->world.comm, &err), ITH_OK);
    assert_int_equal(ith_engine_plan(&p->world, &params, &p->engine, &err), ITH_OK);
    assert_int_equal(ith_sim_model_of(p->engine, &p->model, &err), ITH_OK);
    limits = ith_session_limits(p->engine, ctx, p->engine->info.chunk, false);
    p->layout = (ith_sim_layout){.nodes = nodes,
                                 .ranks_per_node = ranks,
                                 .threads = 4,
                                 .mesh = &p->engine->mesh,
                                 .ctx = ctx,
                                 .chunk = p->engine->info.chunk,
                                 .rows_tokens = limits.rows_tokens};
}

static void close_plan(plan *p)
{
    ith_sim_model_close(&p->model);
    ith_engine_close(p->engine);
    ith_comm_close(p->world.comm);
}

static const struct {
    const char *model;
    int nodes, ranks;
} cases[] = {
    {"synthetic:qwen3-0.6b:q4_0", 1, 1},       {"synthetic:qwen3-0.6b:q8_0", 1, 3},
    {"synthetic:qwen3-8b:q4_0", 4, 1},         {"synthetic:qwen3-8b:q4_0", 3, 2},
    {"synthetic:qwen3-30b-a3b:q4_0", 2, 2},    {"synthetic:gemma-3-12b:q4_0", 5, 1},
    {"synthetic:deepseek-v2-lite:q8_0", 2, 1}, {"synthetic:qwen3.5-9b:q4_0", 2, 1},
    {"synthetic:qwen3-8b:bf16", 64, 2},        {"synthetic:kimi-linear-48b-a3b:q4_0", 2, 1},
};
enum { CASES = sizeof cases / sizeof *cases, CTX = 20000 };

static double prompt_s(const plan *p, const ith_machine *m, int64_t to)
{
    ith_sim_time t = ith_simulate_prompt(&p->model, m, &p->layout, 0, to);
    return ith_sim_seconds(&t);
}

static double token_s(const plan *p, const ith_machine *m, int64_t depth)
{
    ith_sim_time t = ith_simulate_token(&p->model, m, &p->layout, depth);
    return ith_sim_seconds(&t);
}

/* The counted operations and bytes of the engine's own cost model, summed over kinds. */
static void counts_are_the_engines(const plan *p)
{
    ith_cost cost = ith_pass_cost(p->engine, 100, 1);
    double linear = 2.0 * (double)(p->model.output.rows * p->model.output.cols), keys = 0,
           states = 0, cache = 0;

    for (int i = 0; i < p->model.n_products; i++) {
        const ith_sim_product *q = &p->model.products[i];
        linear += 2.0 * (double)(q->rows * q->cols * q->count) * q->share;
    }
    for (int i = 0; i < p->model.n_keys; i++) {
        const ith_sim_keys *k = &p->model.keys[i];
        keys += (double)k->layers * k->ops * ith_keys_seen(k->window, 100, 1);
        cache += (double)k->layers * k->bytes *
                 (double)(k->group > 0 ? p->model.hp->n_heads / k->group : 1);
    }
    for (int i = 0; i < p->model.n_states; i++)
        states += (double)p->model.states[i].layers * p->model.states[i].ops;
    assert_true(fabs(linear - cost.linear_ops) <= 1e-6 * cost.linear_ops);
    assert_true(fabs(keys - cost.key_ops) <= 1e-6 * cost.key_ops + 1e-6);
    assert_true(fabs(states - cost.state_ops) <= 1e-6 * cost.state_ops + 1e-6);
    assert_true(fabs(cache - (double)p->engine->info.kv_bytes_per_token) < 1e-6 * cache + 1e-6);
}

static void counts(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        plan p;
        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, CTX);
        counts_are_the_engines(&p);
        close_plan(&p);
    }
}

/* The longest pass by rows, and the next one, as a session runs them. */
static void ways(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        ith_machine m = machine_of(4);
        plan p;
        ith_wire wire;
        int64_t most;

        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, CTX);
        wire = ith_engine_wire(p.engine);
        most = p.layout.rows_tokens;
        if (most > 0 && most < p.layout.chunk) {
            ith_sim_time rows = ith_simulate_pass(&p.model, &m, &p.layout, 0, most),
                         tokens = ith_simulate_pass(&p.model, &m, &p.layout, 0, most + 1);
            assert_true(rows.sent == (double)ith_traffic_rows(&wire, most));
            assert_true(tokens.sent == (double)ith_traffic_ulysses(&wire, 0, most + 1));
        }
        close_plan(&p);
    }
}

static void faster_is_sooner(const plan *p, const ith_machine *m)
{
    ith_machine_rate all = m->rates[m->n_rates - 1];
    ith_machine faster[6];
    double prompt = prompt_s(p, m, CTX), token = token_s(p, m, CTX - 1);

    for (int j = 0; j < 6; j++)
        faster[j] = *m;
    ith_machine_set_read(&faster[0], 2 * all.read_bytes);
    ith_machine_set_integer(&faster[1], 2 * all.integer_ops);
    faster[2].between.bytes *= 2;
    faster[3].between.alpha_s /= 2;
    faster[4].inside.bytes *= 2;
    faster[5].between.gap_s /= 2;
    assert_true(isfinite(prompt) && isfinite(token) && prompt > token && token > 0);
    for (int j = 0; j < 6; j++) {
        assert_true(prompt_s(p, &faster[j], CTX) <= prompt);
        assert_true(token_s(p, &faster[j], CTX - 1) <= token);
    }
    assert_true(token_s(p, &faster[0], CTX - 1) < token);
    assert_true(prompt_s(p, &faster[1], CTX) < prompt);
    if (p->layout.nodes > 1) {
        assert_true(prompt_s(p, &faster[2], CTX) < prompt);
        assert_true(token_s(p, &faster[3], CTX - 1) < token);
    }
}

/* Nothing that becomes faster makes a run slower, and the most important thing makes it faster. */
static void monotone(void **state)
{
    ith_machine measured = measured_machine();

    (void)state;
    for (int i = 0; i < CASES; i++) {
        ith_machine m = machine_of(4 * cases[i].ranks);
        plan p;

        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, CTX);
        faster_is_sooner(&p, &m);
        faster_is_sooner(&p, &measured);
        close_plan(&p);
    }
}

/* Later tokens cost more; a prompt costs what its chunks cost. */
static void adds_up(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        ith_machine m = machine_of(4 * cases[i].ranks);
        plan p;
        ith_sim_time rest;
        double sum = 0, before = 0, last = 0, chunks = 6;

        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, 1 << 20);
        for (int64_t at = 0; at < (int64_t)chunks * p.layout.chunk; at += p.layout.chunk) {
            ith_sim_time t = ith_simulate_pass(&p.model, &m, &p.layout, at, p.layout.chunk);
            last = ith_sim_seconds(&t);
            assert_true(last >= before);
            before = last;
            sum += last;
        }
        assert_true(fabs(prompt_s(&p, &m, (int64_t)chunks * p.layout.chunk) - sum) < 1e-9 * sum);
        rest = ith_simulate_pass(&p.model, &m, &p.layout, (int64_t)chunks * p.layout.chunk, 37);
        sum += ith_sim_seconds(&rest);
        assert_true(fabs(prompt_s(&p, &m, (int64_t)chunks * p.layout.chunk + 37) - sum) <
                    1e-9 * sum);
        assert_true(token_s(&p, &m, 1000) <= token_s(&p, &m, 100000));
        close_plan(&p);
    }
}

/* Very many chunks are summed in closed form: to a thousandth what they are one by one. With
 * windows, with segments that travel, and where weights are waited for in the first passes
 * alone. */
static void many_chunks(void **state)
{
    static const struct {
        const char *model;
        int nodes;
        double gathered;
    } of[] = {{"synthetic:qwen3-0.6b:q4_0", 1, 0},
              {"synthetic:gemma-3-12b:q4_0", 5, 0},
              {"synthetic:qwen3-0.6b:q4_0", 16, 0},
              {"synthetic:qwen3-0.6b:q4_0", 4, 2e9}};
    ith_machine m = machine_of(4);

    (void)state;
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        plan p;
        ith_sim_time sum = {0}, all;
        int64_t chunks = 30 * ITH_SIM_CHUNKS, to;

        open_plan(&p, of[k].model, of[k].nodes, 1, 1 << 27);
        p.layout.gathered = of[k].gathered;
        to = chunks * p.layout.chunk;
        for (int64_t i = 0; i < chunks; i++) {
            ith_sim_time t =
                ith_simulate_pass(&p.model, &m, &p.layout, i * p.layout.chunk, p.layout.chunk);
            sum.attention += ith_sim_seconds(&t); /* the sum of all */
            sum.waiting += t.waiting;
            sum.sent += t.sent;
        }
        all = ith_simulate_prompt(&p.model, &m, &p.layout, 0, to);
        assert_true(fabs(ith_sim_seconds(&all) - sum.attention) < 1e-3 * sum.attention);
        assert_true(fabs(all.sent - sum.sent) <= 1e-3 * sum.sent);
        assert_true((of[k].gathered > 0) == (sum.waiting > 0));
        assert_true(isfinite(prompt_s(&p, &m, 1 << 27)));
        close_plan(&p);
    }
}

/* The algorithms of MPI_Allgatherv, one of each: told, neighbours two by two, a ring, doubling. */
static void gathers(void **state)
{
    static const struct {
        int n;
        double bytes, messages;
        bool twice;
    } of[] = {{2, 64, 1, false},       {2, 1e6, 1, false},       {4, 100, 3, true},
              {4, 1000, 2, false},     {5, 1000, 4, false},      {8, 5000, 3, false},
              {64, 1e5, 63, false},    {128, 5000, 64, false},   {129, 5000, 128, false},
              {1024, 1000, 10, false}, {1024, 5000, 512, false}, {1025, 5000, 1024, false}};

    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        bool twice;
        assert_true(ith_simulate_gather_messages(of[i].n, of[i].bytes, &twice) == of[i].messages);
        assert_true(twice == of[i].twice);
    }
}

/* All-to-alls of a pass by tokens: three for a block with keys, two for one with states, none for
 * an MLP (tests/parallel/test_traffic.c counts those of real passes). */
static void exchanges(void **state)
{
    static const struct {
        const char *model;
        double messages;
    } of[] = {{"synthetic:qwen3-0.6b:q4_0", 28 * 3}, {"synthetic:qwen3.5-9b:q4_0", 24 * 2 + 8 * 3}};
    ith_machine m = machine_of(4);

    (void)state;
    m.between.bytes = 1e30;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        plan p;
        ith_sim_time t;
        open_plan(&p, of[i].model, 2, 1, 8192);
        t = ith_simulate_pass(&p.model, &m, &p.layout, 0, p.layout.chunk);
        assert_true(fabs(t.network / m.between.alpha_s - of[i].messages) < 1e-6);
        close_plan(&p);
    }
}

/* A head's state is on one rank: more ranks than heads are no faster. */
static void states_of_whole_heads(void **state)
{
    ith_machine m = machine_of(4);
    plan few, many;
    ith_sim_time t[2];
    int heads;

    (void)state;
    open_plan(&few, "synthetic:qwen3.5-9b:q4_0", 1, 1, 8192);
    heads = (int)few.model.states[0].heads;
    t[0] = ith_simulate_pass(&few.model, &m, &few.layout, 0, 512);
    close_plan(&few);
    open_plan(&few, "synthetic:qwen3.5-9b:q4_0", 2 * heads, 1, 8192);
    open_plan(&many, "synthetic:qwen3.5-9b:q4_0", 4 * heads, 1, 8192);
    assert_int_equal(few.model.n_states, 1);
    t[1] = ith_simulate_pass(&few.model, &m, &few.layout, 0, 512);
    assert_true(fabs(t[1].states * heads / t[0].states - 1) < 1e-9);
    t[1] = ith_simulate_pass(&many.model, &m, &many.layout, 0, 512);
    assert_true(fabs(t[1].states * heads / t[0].states - 1) < 1e-9);
    close_plan(&few);
    close_plan(&many);
}

/* Heads in one slice hide nothing; so do those that are too few, or of too few tokens. */
static void slices(void **state)
{
    ith_machine m = machine_of(4);
    plan p;
    ith_sim_time some, one;

    (void)state;
    m.between.alpha_s = m.between.gap_s = 0;
    open_plan(&p, "synthetic:qwen3-8b:q4_0", 4, 1, 8192);
    some = ith_simulate_pass(&p.model, &m, &p.layout, 0, 2048);
    p.layout.head_slices = 1;
    one = ith_simulate_pass(&p.model, &m, &p.layout, 0, 2048);
    assert_true(fabs(one.network / some.network - 2) < 1e-9);
    p.layout.head_slices = 0;
    p.layout.rows_tokens = 0;
    some = ith_simulate_pass(&p.model, &m, &p.layout, 0, 8); /* a slice of less than 128 KiB */
    p.layout.head_slices = 1;
    one = ith_simulate_pass(&p.model, &m, &p.layout, 0, 8);
    assert_true(one.network == some.network && one.network > 0);
    close_plan(&p);
}

/* Every matrix is of another shape, as in files of mixed types. */
static void make_unlike(void *user, const ith_use *use)
{
    ((ith_matrix *)(uintptr_t)use->matrix)->rows += 16 * ++*(int64_t *)user;
}

static void many_kinds(void **state)
{
    int64_t n = 0, count = 0;
    ith_error err;
    plan p;

    (void)state;
    open_plan(&p, "synthetic:qwen3-0.6b:q4_0", 1, 1, 8192);
    ith_blocks_each_matrix(p.engine->model, make_unlike, &n);
    ith_sim_model_close(&p.model);
    assert_int_equal(ith_sim_model_of(p.engine, &p.model, &err), ITH_OK);
    for (int i = 0; i < p.model.n_products; i++)
        count += p.model.products[i].count;
    assert_int_equal(count, n);
    assert_true(p.model.n_products > 64);
    close_plan(&p);
}

/* Two nodes take longer than half of one's time, and less than the whole. */
static void nodes(void **state)
{
    ith_machine m = machine_of(4);
    double before = 0, first = 0;

    (void)state;
    for (int n = 1; n <= 8; n *= 2) {
        plan p;
        double s;
        open_plan(&p, "synthetic:qwen3-8b:q4_0", n, 1, 65536);
        s = prompt_s(&p, &m, 65536);
        first = n == 1 ? s : first;
        assert_true(n == 1 || (s < before && s > first / n));
        before = s;
        close_plan(&p);
    }
}

/* What is fetched is waited for only as far as it takes longer. A link carries what ranks exchange
 * besides. */
static void fetched(void **state)
{
    ith_machine m = machine_of(4);
    plan p;
    ith_sim_time t, without;
    int64_t n;

    (void)state;
    open_plan(&p, "synthetic:qwen3-8b:q4_0", 2, 1, 8192);
    n = p.layout.chunk;
    without = ith_simulate_pass(&p.model, &m, &p.layout, 0, n);
    assert_true(without.waiting == 0);
    p.layout.gathered = 1;
    t = ith_simulate_pass(&p.model, &m, &p.layout, 0, n);
    assert_true(t.waiting == 0);
    p.layout.gathered = m.between.bytes * 1000;
    t = ith_simulate_pass(&p.model, &m, &p.layout, 0, n);
    assert_true(fabs(ith_sim_seconds(&t) - 1000 - t.sent / m.between.bytes) < 1e-6);
    p.layout.gathered = m.between.bytes * ith_sim_seconds(&without);
    t = ith_simulate_pass(&p.model, &m, &p.layout, 0, n);
    assert_true(fabs(t.waiting - t.sent / m.between.bytes) < 1e-9 && t.waiting > 0);
    p.layout.gathered = 0;
    p.layout.read_token = m.disk_bytes * 100;
    t = ith_simulate_token(&p.model, &m, &p.layout, 0);
    assert_true(fabs(ith_sim_seconds(&t) - 100) < 1e-6);
    close_plan(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),    cmocka_unit_test(ways),
        cmocka_unit_test(monotone),  cmocka_unit_test(adds_up),
        cmocka_unit_test(gathers),   cmocka_unit_test(many_chunks),
        cmocka_unit_test(exchanges), cmocka_unit_test(states_of_whole_heads),
        cmocka_unit_test(slices),    cmocka_unit_test(many_kinds),
        cmocka_unit_test(nodes),     cmocka_unit_test(fetched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
