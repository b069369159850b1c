/* test_shards.c - which node holds what: every unit is held, extents lie where they should, and no
 * node holds much more than its share. */
#include "base/range.h"
#include "model/model.h"
#include "weights/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_RANKS = 8, EXTENT = 100000 };

static const int one_each[MAX_RANKS] = {0, 1, 2, 3, 4, 5, 6, 7},
                 scattered[MAX_RANKS] = {0, 1, 0, 2, 1, 1, 2, 0};

typedef struct planned {
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
} planned;

static void open_planned(planned *p, const char *name)
{
    ith_error err = {0};
    *p = (planned){0};
    if (ith_source_open(name, 0, &p->source, &err) != ITH_OK ||
        ith_model_open(p->source, &p->plan, ITH_QUANT_W8, false, &p->model, &err) != ITH_OK)
        fail_msg("%s: %s", name, err.text);
}

static void close_planned(planned *p)
{
    ith_model_close(p->model);
    ith_load_plan_free(&p->plan);
    ith_source_close(p->source);
}

static ith_comm comm_of(int ranks, const int *node_of, int node)
{
    ith_comm comm = {.size = ranks, .node_of = node_of, .node = node};
    for (int r = 0; r < ranks; r++)
        comm.n_nodes = node_of[r] >= comm.n_nodes ? node_of[r] + 1 : comm.n_nodes;
    return comm;
}

/* The extents of a node are what its ranks hold, in their order, without gaps. */
static size_t assert_extents(const ith_shards *s, const ith_entry *e, uint8_t *held)
{
    ith_shard_extent extent = {0};
    size_t bytes = 0;

    while (ith_shard_next(s, e, s->node, (ith_range){0, e->n_units}, EXTENT, &extent)) {
        ith_range of_rank = ith_shard_held(s, e, s->node, extent.rank);
        assert_true(extent.first >= of_rank.begin && extent.first + extent.n <= of_rank.end);
        assert_true(extent.n == 1 || (size_t)extent.n * e->unit_bytes <= EXTENT);
        for (int64_t i = 0; i < extent.n; i++)
            held[extent.first + i] = 1;
        bytes += (size_t)extent.n * e->unit_bytes;
    }
    return bytes;
}

static void assert_all_held(const planned *p, int ranks, const int *node_of)
{
    static uint8_t by_node[1 << 15], by_any[1 << 15];
    ith_mesh mesh;

    assert_int_equal(ith_mesh_make(NULL, ranks, 0, (int)p->model->hp.n_kv_heads, &mesh, NULL),
                     ITH_OK);
    for (size_t i = 0; i < p->plan.n_entries; i++) {
        const ith_entry *e = &p->plan.entries[i];
        ith_comm comm = comm_of(ranks, node_of, 0);
        size_t most = 0;
        assert_true(e->n_units <= (int64_t)sizeof by_any);
        memset(by_any, 0, sizeof by_any);
        for (comm.node = 0; comm.node < comm.n_nodes; comm.node++) {
            ith_shards s = ith_shards_of(&comm, &mesh, true);
            memset(by_node, 0, sizeof by_node);
            size_t bytes = assert_extents(&s, e, by_node);
            assert_int_equal(ith_shard_bytes(&s, e, comm.node), (bytes + 63) / 64 * 64);
            most = bytes > most ? bytes : most;
            assert_true(bytes <= ith_shard_most(&s, e));
            for (int64_t u = 0; u < e->n_units; u++)
                by_any[u] |= by_node[u];
        }
        ith_shards all = ith_shards_of(&comm, &mesh, true);
        assert_int_equal(ith_shard_most(&all, e), (most + 63) / 64 * 64);
        for (int64_t u = 0; u < e->n_units; u++)
            assert_int_equal(by_any[u], 1);
    }
}

static void every_unit_is_held(void **state)
{
    static const char *const models[] = {"tests/models/needle-qwen3", "tests/golden/qwen3-headdim",
                                         "tests/golden/llama-gqa3", "synthetic:qwen3-0.6b:q4_0"};
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        planned p;
        open_planned(&p, models[i]);
        for (int ranks = 1; ranks <= MAX_RANKS; ranks++) {
            assert_all_held(&p, ranks, one_each);
            assert_all_held(&p, ranks, scattered);
        }
        close_planned(&p);
    }
}

static void uncut_is_everything(void **state)
{
    (void)state;
    planned p;
    ith_mesh mesh;
    ith_comm comm = comm_of(MAX_RANKS, one_each, 3);

    open_planned(&p, "tests/models/needle-qwen3");
    assert_int_equal(ith_mesh_make(NULL, MAX_RANKS, 3, (int)p.model->hp.n_kv_heads, &mesh, NULL),
                     ITH_OK);
    ith_shards s = ith_shards_of(&comm, &mesh, false);
    for (size_t i = 0; i < p.plan.n_entries; i++)
        assert_int_equal(ith_shard_bytes(&s, &p.plan.entries[i], s.node),
                         ith_entry_bytes(&p.plan.entries[i]));
    close_planned(&p);
}

/* Four nodes of a rank: a quarter and 5% of all weights, what comes and goes included. */
static void assert_share(const char *name)
{
    planned p;
    ith_mesh mesh;
    ith_comm comm = comm_of(4, one_each, 0);
    size_t all = 0;

    open_planned(&p, name);
    assert_int_equal(ith_mesh_make(NULL, 4, 0, (int)p.model->hp.n_kv_heads, &mesh, NULL), ITH_OK);
    ith_residence_params params = {.shards = ith_shards_of(&comm, &mesh, true),
                                   .embed = p.model->embed,
                                   .output = p.model->output};
    for (size_t i = 0; i < p.plan.n_entries; i++)
        all += ith_entry_bytes(&p.plan.entries[i]);
    if (ith_residence_whole(&p.plan, &params) > all / 100 * 30)
        fail_msg("%s: %.1f%% of the weights", name,
                 100.0 * (double)ith_residence_whole(&p.plan, &params) / (double)all);
    close_planned(&p);
}

static void a_node_takes_its_share(void **state)
{
    static const char *const shapes[] = {"qwen3-0.6b",   "qwen3-1.7b",  "qwen3-4b",
                                         "qwen3-8b",     "qwen3-14b",   "qwen3-32b",
                                         "llama-3.1-8b", "smollm2-135m"};
    static const char *const types[] = {"q4_0", "bf16"};
    char name[64];
    (void)state;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "synthetic:%s:%s", shapes[i], types[k]);
            assert_share(name);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_held),
        cmocka_unit_test(uncut_is_everything),
        cmocka_unit_test(a_node_takes_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
