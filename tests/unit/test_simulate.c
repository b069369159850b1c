/* test_simulate.c - simulated runs of models of known shapes: faster machines are never slower,
 * what is sent is what the traffic's formulas count, parts add up, and what is fetched is waited
 * for. */
#include "comm/comm_self.h"
#include "engine/cost.h"
#include "engine/engine_open.h"
#include "engine/sizes.h"
#include "model/traffic.h"
#include "tools/sim_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

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
    {"synthetic:qwen3-8b:bf16", 64, 2},
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
    double linear = 2.0 * (double)(p->model.output.rows * p->model.output.cols), keys = 0;

    for (int i = 0; i < p->model.n_products; i++) {
        const ith_sim_product *q = &p->model.products[i];
        linear += 2.0 * (double)(q->rows * q->cols * q->count) * q->share;
    }
    for (int i = 0; i < p->model.n_keys; i++) {
        const ith_sim_keys *k = &p->model.keys[i];
        keys += (double)k->layers * k->ops * ith_keys_seen(k->window, 100, 1);
    }
    assert_true(fabs(linear - cost.linear_ops) <= 1e-6 * cost.linear_ops);
    assert_true(fabs(keys - cost.key_ops) <= 1e-6 * cost.key_ops + 1e-6);
    assert_true(fabs(p->model.state_ops - cost.state_ops) <= 1e-6 * cost.state_ops + 1e-6);
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

static void sent(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        plan p;
        ith_wire wire;
        int64_t bytes = 0, chunk;

        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, CTX);
        wire = ith_engine_wire(p.engine);
        chunk = p.layout.chunk;
        for (int64_t at = 0, n; at < CTX; at += n) {
            n = CTX - at < chunk ? CTX - at : chunk;
            bytes += n <= p.layout.rows_tokens ? ith_traffic_rows(&wire, n)
                                               : ith_traffic_ulysses(&wire, at, n);
        }
        assert_int_equal(ith_simulate_sent(&p.model, &p.layout, 0, CTX), bytes);
        assert_int_equal(ith_simulate_sent(&p.model, &p.layout, CTX - 1, CTX),
                         p.layout.rows_tokens > 0 ? ith_traffic_rows(&wire, 1)
                                                  : ith_traffic_ulysses(&wire, CTX - 1, 1));
        close_plan(&p);
    }
}

/* The longest pass by rows, and the next one, as a session runs them. */
static void ways(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        plan p;
        ith_wire wire;
        int64_t most;

        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, CTX);
        wire = ith_engine_wire(p.engine);
        most = p.layout.rows_tokens;
        if (most > 0 && most < p.layout.chunk) {
            assert_int_equal(ith_simulate_sent(&p.model, &p.layout, 0, most),
                             ith_traffic_rows(&wire, most));
            assert_int_equal(ith_simulate_sent(&p.model, &p.layout, 0, most + 1),
                             ith_traffic_ulysses(&wire, 0, most + 1));
        }
        close_plan(&p);
    }
}

/* Nothing that becomes faster makes a run slower, and the most important thing makes it faster. */
static void monotone(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        int threads = 4 * cases[i].ranks;
        ith_machine m = machine_of(threads), faster[6];
        plan p;
        double prompt, token;

        for (int j = 0; j < 6; j++)
            faster[j] = m;
        ith_machine_set_read(&faster[0], 2 * 100e9);
        ith_machine_set_integer(&faster[1], 2 * 5e12);
        faster[2].between.bytes *= 2;
        faster[3].between.alpha_s /= 2;
        faster[4].inside.bytes *= 2;
        faster[5].between.gap_s /= 2;
        open_plan(&p, cases[i].model, cases[i].nodes, cases[i].ranks, CTX);
        prompt = prompt_s(&p, &m, CTX);
        token = token_s(&p, &m, CTX - 1);
        assert_true(isfinite(prompt) && isfinite(token) && prompt > token && token > 0);
        for (int j = 0; j < 6; j++) {
            assert_true(prompt_s(&p, &faster[j], CTX) <= prompt);
            assert_true(token_s(&p, &faster[j], CTX - 1) <= token);
        }
        assert_true(token_s(&p, &faster[0], CTX - 1) < token);
        assert_true(prompt_s(&p, &faster[1], CTX) < prompt);
        if (cases[i].nodes > 1) {
            assert_true(prompt_s(&p, &faster[2], CTX) < prompt);
            assert_true(token_s(&p, &faster[3], CTX - 1) < token);
        }
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

/* Of very many chunks some stand for all. */
static void many_chunks(void **state)
{
    ith_machine m = machine_of(4);
    plan p;
    ith_sim_time t = {0};
    double sum = 0, all;
    int64_t chunks = 4 * ITH_SIM_CHUNKS;

    (void)state;
    open_plan(&p, "synthetic:qwen3-0.6b:q4_0", 1, 1, 1 << 27);
    for (int64_t i = 0; i < chunks; i++) {
        t = ith_simulate_pass(&p.model, &m, &p.layout, i * p.layout.chunk, p.layout.chunk);
        sum += ith_sim_seconds(&t);
    }
    all = prompt_s(&p, &m, chunks * p.layout.chunk);
    assert_true(fabs(all - sum) < 1e-3 * sum);
    assert_true(isfinite(prompt_s(&p, &m, 1 << 27)));
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

/* What is fetched is waited for only as far as it takes longer. */
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
    assert_true(fabs(ith_sim_seconds(&t) - 1000) < 1e-6);
    p.layout.gathered = 0;
    p.layout.read_token = m.disk_bytes * 100;
    t = ith_simulate_token(&p.model, &m, &p.layout, 0);
    assert_true(fabs(ith_sim_seconds(&t) - 100) < 1e-6);
    close_plan(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),   cmocka_unit_test(sent),    cmocka_unit_test(ways),
        cmocka_unit_test(monotone), cmocka_unit_test(adds_up), cmocka_unit_test(many_chunks),
        cmocka_unit_test(nodes),    cmocka_unit_test(fetched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
