/* test_spread.c - weights lie in one region for each memory node: mixtures of experts of real size
 * take a few bindings, every unit lies in the region of its home, and huge pages are kept. */
#include "comm/comm_self.h"
#include "model/model.h"
#include "weights/residence_sizes.h"
#include "weights/spread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define HUGE_PAGE ((size_t)2 << 20)

enum { MOST_BOUND = 4096, CELLS = 9 };

/* ---- The system's mbind: what is bound is only noted ---- */

static struct bound {
    uintptr_t begin, end;
    int mode;
    unsigned long nodes;
} bound[MOST_BOUND];
static long n_bound;

long mbind(void *start, unsigned long bytes, int mode, const unsigned long *nodes,
           unsigned long max_node, unsigned flags);
long mbind(void *start, unsigned long bytes, int mode, const unsigned long *nodes,
           unsigned long max_node, unsigned flags)
{
    (void)max_node, (void)flags;
    if (n_bound < MOST_BOUND)
        bound[n_bound] = (struct bound){(uintptr_t)start, (uintptr_t)start + bytes, mode, nodes[0]};
    n_bound++;
    return 0;
}

/* The number of bindings that cover an address; *nodes: of the last one. */
static int bindings_of(uintptr_t at, unsigned long *nodes)
{
    int n = 0;
    for (long i = 0; i < n_bound; i++)
        if (at >= bound[i].begin && at < bound[i].end) {
            *nodes = bound[i].nodes;
            n++;
        }
    return n;
}

/* ---- A model of real size on a recorded machine ---- */

/* Qwen3-235B-A22B; the 30B is a shape that the library has. */
static const char largest[] =
    "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\","
    "\"num_hidden_layers\": 94, \"hidden_size\": 4096, \"intermediate_size\": 12288,"
    "\"moe_intermediate_size\": 1536, \"num_experts\": 128, \"num_experts_per_tok\": 8,"
    "\"norm_topk_prob\": true, \"decoder_sparse_step\": 1, \"mlp_only_layers\": [],"
    "\"num_attention_heads\": 64, \"num_key_value_heads\": 4, \"head_dim\": 128,"
    "\"vocab_size\": 151936, \"max_position_embeddings\": 40960, \"rope_theta\": 1000000,"
    "\"rms_norm_eps\": 1e-06, \"tie_word_embeddings\": false}";

typedef struct planned {
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
    ith_comm *comm;
    ith_mesh mesh;
    ith_topology *topology;
    ith_seat seats[ITH_MAX_MEMORY_NODES];
    ith_homes homes;
    ith_shards shards;
} planned;

static void must(ith_status status, const ith_error *err)
{
    if (status != ITH_OK)
        fail_msg("%s", err->text);
}

/* May this process run on one of the first `n` CPUs? Where a machine pretends to be the running
 * one, the process must run on one of its CPUs. */
static bool runs_below(int n)
{
    cpu_set_t own;
    int cpu = 0;

    if (sched_getaffinity(0, sizeof own, &own) != 0)
        return false;
    while (cpu < n && !CPU_ISSET(cpu, &own))
        cpu++;
    return cpu < n;
}

/* One rank that runs on all nodes, or a rank bound to each of them. */
static void open_planned(const char *model, int nodes, bool bound_ranks, planned *p)
{
    char machine[64], cpus[64];
    ith_error err = {0};

    if (!runs_below(6 * nodes))
        skip();
    *p = (planned){0};
    snprintf(machine, sizeof machine, "numa:%d core:6 pu:1", nodes);
    setenv("ITHACA_TOPOLOGY", machine, 1);
    setenv("HWLOC_THISSYSTEM", "1", 1); /* as if it were the running one: pages are placed */
    must(ith_topology_open(&p->topology, &err), &err);
    assert_int_equal(ith_topology_machine_nodes(p->topology), nodes);
    must(ith_source_open(model, 0, &p->source, &err), &err);
    must(ith_model_open(p->source, &p->plan, ITH_QUANT_AUTO, false, &p->model, &err), &err);
    must(ith_comm_open_self(&p->comm, &err), &err);
    int ranks = bound_ranks ? nodes : 1;
    must(ith_mesh_make(NULL, ranks, 0, 4, &p->mesh, &err), &err);
    p->shards = ith_shards_of(p->comm, &p->mesh, false);
    unsetenv("HWLOC_THISSYSTEM");
    for (int r = 0; r < ranks; r++) {
        ith_topology *own;
        snprintf(cpus, sizeof cpus, "%d-%d", 6 * r, bound_ranks ? 6 * r + 5 : 6 * nodes - 1);
        setenv("ITHACA_CPUS", cpus, 1);
        must(ith_topology_open(&own, &err), &err);
        p->seats[r] = ith_seat_of(own, r, bound_ranks ? 6 : 6 * nodes);
        ith_topology_close(own);
    }
    unsetenv("ITHACA_CPUS");
    unsetenv("ITHACA_TOPOLOGY");
    p->homes =
        (ith_homes){.topology = p->topology, .mesh = p->mesh, .seats = p->seats, .n_seats = ranks};
}

static void close_planned(planned *p)
{
    ith_topology_close(p->topology);
    ith_model_close(p->model);
    ith_load_plan_free(&p->plan);
    ith_source_close(p->source);
    ith_comm_close(p->comm);
}

/* Addresses without memory. */
static uint8_t *addresses(size_t bytes)
{
    uint8_t *at = mmap(NULL, bytes + HUGE_PAGE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(at != MAP_FAILED);
    return (uint8_t *)(((uintptr_t)at + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
}

/* The first and the last byte of a strip are bound once, to the strip's home. (A last page that the
 * memory does not fill keeps the default.) */
static void assert_at_home(const planned *p, const ith_strip *strip, const ith_entry *e,
                           int64_t unit, int64_t cell, const uint8_t *memory, size_t end)
{
    size_t at = ith_strip_offset(strip, e, unit, cell), last = at + e->unit_bytes - 1;
    int home = ith_home_of(&p->homes, e, unit);
    unsigned long nodes = 0, want = 0;

    assert_true(last < end);
    for (int i = 0; i < ith_topology_machine_nodes(p->topology); i++)
        if (home < 0 || home == i)
            want |= 1ul << i;
    if (at / 4096 < end / 4096) {
        assert_int_equal(bindings_of((uintptr_t)memory + at, &nodes), 1);
        assert_true(nodes == want);
    }
    if (last / 4096 < end / 4096) {
        assert_int_equal(bindings_of((uintptr_t)memory + last, &nodes), 1);
        assert_true(nodes == want);
    }
}

/* Every unit has one place, the edges of strips are at home, and no two strips share a byte. */
static void assert_spread(const planned *p, const ith_spread *s, const uint8_t *memory, size_t end)
{
    size_t bytes = 0, strips = 0;

    for (size_t i = 0; i < p->plan.n_entries; i++) {
        const ith_entry *e = &p->plan.entries[i];
        int64_t next = 0;
        for (int k = 0; k < e->n_strips; k++) {
            const ith_strip *strip = &s->strips[e->strip + (size_t)k];
            assert_int_equal(strip->first, next);
            assert_int_equal(strip->offset % 64, 0);
            next += strip->n;
            bytes += (size_t)strip->n * e->unit_bytes;
            assert_at_home(p, strip, e, strip->first, 0, memory, end);
            assert_at_home(p, strip, e, next - 1, 0, memory, end);
        }
        assert_int_equal(next, e->n_units);
        strips += (size_t)e->n_strips;
    }
    assert_int_equal(strips, s->n);
    assert_in_range(end, bytes, bytes + 64 * strips + ITH_REGIONS * HUGE_PAGE);
}

static void assert_few_bindings(int nodes)
{
    assert_in_range(n_bound, 1, nodes + 1);
    for (long i = 0; i < n_bound; i++)
        assert_int_equal(bound[i].begin % HUGE_PAGE, 0);
}

static void spread_what_stays(const char *model, int nodes, bool bound_ranks)
{
    planned p;
    ith_spread spread = {0};
    ith_error err;
    size_t end;

    open_planned(model, nodes, bound_ranks, &p);
    for (size_t i = 0; i < p.plan.n_entries; i++)
        must(ith_spread_add(&spread, &p.shards, &p.homes, &p.plan.entries[i], &err), &err);
    must(ith_spread_settle(&spread, 0, &end, &err), &err);
    uint8_t *memory = addresses(end);
    n_bound = 0;
    ith_spread_place(&spread, &p.homes, memory);
    assert_few_bindings(nodes);
    assert_spread(&p, &spread, memory, end);
    ith_spread_free(&spread);
    close_planned(&p);
}

/* Ranks that share a memory list their seats in different orders, and number nodes differently:
 * each comes to the same layout. */
static void every_rank_has_the_same_layout(void **state)
{
    planned p;
    ith_spread spread[2] = {{0}, {0}};
    size_t end[2];
    ith_error err;
    (void)state;
    open_planned("synthetic:qwen3-30b-a3b:q4_0", 4, true, &p);
    for (int view = 0; view < 2; view++) {
        for (size_t i = 0; i < p.plan.n_entries; i++)
            must(ith_spread_add(&spread[view], &p.shards, &p.homes, &p.plan.entries[i], &err),
                 &err);
        must(ith_spread_settle(&spread[view], 0, &end[view], &err), &err);
        for (int i = 0; i < 2; i++) {
            ith_seat seat = p.seats[i];
            p.seats[i] = p.seats[3 - i];
            p.seats[3 - i] = seat;
        }
        ith_topology_close(p.topology);
        setenv("ITHACA_TOPOLOGY", "numa:4 core:6 pu:1", 1);
        setenv("ITHACA_CPUS", "18-23", 1); /* its node comes first */
        must(ith_topology_open(&p.topology, &err), &err);
        unsetenv("ITHACA_TOPOLOGY");
        unsetenv("ITHACA_CPUS");
        p.homes.topology = p.topology;
    }
    assert_int_equal(end[0], end[1]);
    assert_int_equal(spread[0].n, spread[1].n);
    for (size_t i = 0; i < spread[0].n; i++) {
        assert_int_equal(spread[0].strips[i].first, spread[1].strips[i].first);
        assert_int_equal(spread[0].strips[i].offset, spread[1].strips[i].offset);
    }
    for (int view = 0; view < 2; view++)
        ith_spread_free(&spread[view]);
    close_planned(&p);
}

/* Entries of experts of a layer, gate and up or down. */
static int list_stage(const planned *p, int layer, bool down, ith_entry **out)
{
    int n = 0;
    for (size_t i = 0; i < p->plan.n_entries; i++) {
        ith_entry *e = &p->plan.entries[i];
        if (e->layer == layer && ith_is_expert(e) && (strstr(e->name, "down") != NULL) == down)
            out[n++] = e;
    }
    return n;
}

/* Shelves of CELLS experts in every layer: any expert fits into any cell, at home. */
static void spread_shelves(const char *model, int nodes)
{
    static ith_entry *entries[1024];
    planned p;
    ith_spread spread = {0};
    ith_error err;
    size_t end;

    open_planned(model, nodes, false, &p);
    int n_layers = ith_count_layers(&p.plan);
    for (int layer = 0; layer < n_layers; layer++)
        for (int down = 0; down < 2; down++) {
            int n = list_stage(&p, layer, down, entries);
            assert_int_equal(n, down ? 128 : 256);
            must(ith_spread_add_cells(&spread, &p.shards, &p.homes, entries, n, CELLS, &err), &err);
        }
    must(ith_spread_settle(&spread, HUGE_PAGE, &end, &err), &err);
    uint8_t *memory = addresses(end);
    n_bound = 0;
    ith_spread_place(&spread, &p.homes, memory);
    assert_few_bindings(nodes);
    for (int layer = 0; layer < n_layers; layer += n_layers - 1) {
        int n = list_stage(&p, layer, false, entries);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < entries[i]->n_strips; k++) {
                const ith_strip *strip = &spread.strips[entries[i]->strip + (size_t)k];
                assert_at_home(&p, strip, entries[i], strip->first, 0, memory, end);
                assert_at_home(&p, strip, entries[i], strip->first + strip->n - 1, CELLS - 1,
                               memory, end);
            }
    }
    ith_spread_free(&spread);
    close_planned(&p);
}

static void with_model(void (*check)(const char *model))
{
    char path[] = "/tmp/ithaca_spread_XXXXXX.json", name[128];
    int fd = mkstemps(path, 5);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, largest, sizeof largest - 1), sizeof largest - 1);
    close(fd);
    snprintf(name, sizeof name, "synthetic:%s:q4_0", path);
    check("synthetic:qwen3-30b-a3b:q4_0");
    check(name);
    unlink(path);
}

static void check_stay(const char *model)
{
    for (int nodes = 2; nodes <= 8; nodes *= 2)
        spread_what_stays(model, nodes, false);
}

static void check_bound(const char *model)
{
    for (int nodes = 2; nodes <= 4; nodes *= 2)
        spread_what_stays(model, nodes, true);
}

static void check_shelves(const char *model)
{
    for (int nodes = 2; nodes <= 8; nodes *= 2)
        spread_shelves(model, nodes);
}

static void a_few_bindings_for_what_stays(void **state)
{
    (void)state;
    with_model(check_stay);
}

static void a_few_bindings_for_ranks_that_share_a_memory(void **state)
{
    (void)state;
    with_model(check_bound);
}

static void a_few_bindings_for_experts_on_shelves(void **state)
{
    (void)state;
    with_model(check_shelves);
}

/* Tiles are found across strips, in any cell. */
static void tiles_of_several_strips_are_found(void **state)
{
    static uint8_t memory[4096];
    const ith_strip strips[] = {{.first = 3, .n = 2, .offset = 640, .cell_bytes = 1000},
                                {.first = 5, .n = 1, .offset = 64, .cell_bytes = 100},
                                {.first = 6, .n = 4, .offset = 1280, .cell_bytes = 10}};
    ith_matrix m = {.tile_bytes = 64,
                    .tiles = memory + 640 + 2 * 1000,
                    .first_tile = 3,
                    .strips = strips,
                    .n_strips = 3,
                    .cell = 2};
    (void)state;
    assert_ptr_equal(ith_matrix_tiles(&m, 3), memory + 2640);
    assert_ptr_equal(ith_matrix_tiles(&m, 4), memory + 2640 + 64);
    assert_ptr_equal(ith_matrix_tiles(&m, 5), memory + 264);
    assert_ptr_equal(ith_matrix_tiles(&m, 9), memory + 1300 + 3 * 64);
    assert_int_equal(ith_matrix_run(&m, (ith_range){3, 10}), 2);
    assert_int_equal(ith_matrix_run(&m, (ith_range){4, 10}), 1);
    assert_int_equal(ith_matrix_run(&m, (ith_range){5, 10}), 1);
    assert_int_equal(ith_matrix_run(&m, (ith_range){6, 8}), 2);
    m.n_strips = 0;
    assert_ptr_equal(ith_matrix_tiles(&m, 9), memory + 2640 + 6 * 64);
    assert_int_equal(ith_matrix_run(&m, (ith_range){3, 10}), 7);
}

static void rows_without_tiles(void **state)
{
    (void)state;
    static const struct {
        ith_range rows, tiles;
    } cases[] = {{{0, 0}, {0, 0}},   {{100, 100}, {0, 0}}, {{96, 96}, {0, 0}}, {{96, 100}, {6, 7}},
                 {{15, 17}, {0, 2}}, {{16, 32}, {1, 2}},   {{0, 1}, {0, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ith_range tiles = ith_tiles_of(cases[i].rows);
        assert_int_equal(tiles.begin, cases[i].tiles.begin);
        assert_int_equal(tiles.end, cases[i].tiles.end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_bindings_for_what_stays),
        cmocka_unit_test(a_few_bindings_for_ranks_that_share_a_memory),
        cmocka_unit_test(every_rank_has_the_same_layout),
        cmocka_unit_test(a_few_bindings_for_experts_on_shelves),
        cmocka_unit_test(tiles_of_several_strips_are_found),
        cmocka_unit_test(rows_without_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
