/* test_topology.c - memory nodes of recorded machines, which ranks share a node, and where weights
 * and cache segments lie as a result. */
#include "base/threads.h"
#include "base/topology.h"
#include "weights/homes.h"
#include "weights/shards.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ith_topology *machine(const char *recorded, const char *cpus)
{
    ith_topology *t;
    ith_error err;
    setenv("ITHACA_TOPOLOGY", recorded, 1);
    if (cpus != NULL)
        setenv("ITHACA_CPUS", cpus, 1);
    else
        unsetenv("ITHACA_CPUS");
    if (ith_topology_open(&t, &err) != ITH_OK)
        fail_msg("%s: %s", recorded, err.text);
    return t;
}

static void this_machine_has_a_node(void **state)
{
    ith_topology *t;
    static char page[8192];
    (void)state;
    unsetenv("ITHACA_TOPOLOGY");
    memset(page, 1, sizeof page);
    assert_int_equal(ith_topology_open(&t, NULL), ITH_OK);
    assert_in_range(ith_topology_nodes(t), 1, ith_topology_machine_nodes(t));
    assert_in_range(ith_topology_cores(t), 1, ith_topology_cpus(t));
    assert_true(ith_topology_locate(t, page) >= -1); /* -1 where containers forbid to ask */
    ith_topology_close(t);
    ith_topology_close(NULL);
}

static void nodes_and_cores_are_counted(void **state)
{
    static const struct {
        const char *machine, *cpus;
        int nodes, machine_nodes, cores, cpus_n, machine_cores, first_os, first_cores;
    } cases[] = {
        {"core:4 pu:1", NULL, 1, 1, 4, 4, 4, 0, 4},
        {"numa:2 core:4 pu:2", NULL, 2, 2, 8, 16, 8, 0, 4},
        {"numa:4 core:6 pu:1", NULL, 4, 4, 24, 24, 24, 0, 6},
        {"pack:2 numa:4 core:8 pu:2", NULL, 8, 8, 64, 128, 64, 0, 8},

        /* Bound to a node; to part of one node and all of the other. */
        {"numa:2 core:4 pu:2", "8-15", 1, 2, 4, 8, 8, 1, 4},
        {"numa:2 core:4 pu:2", "2,4,6,8-15", 2, 2, 7, 11, 8, 0, 3},
        {"numa:4 core:4 pu:1", "5", 1, 4, 1, 1, 16, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ith_topology *t = machine(cases[i].machine, cases[i].cpus);
        assert_int_equal(ith_topology_nodes(t), cases[i].nodes);
        assert_int_equal(ith_topology_machine_nodes(t), cases[i].machine_nodes);
        assert_int_equal(ith_topology_cores(t), cases[i].cores);
        assert_int_equal(ith_topology_cpus(t), cases[i].cpus_n);
        assert_int_equal(ith_topology_machine_cores(t), cases[i].machine_cores);
        assert_int_equal(ith_topology_node(t, 0)->os_index, cases[i].first_os);
        assert_int_equal(ith_topology_node(t, 0)->cores, cases[i].first_cores);
        assert_int_equal(ith_topology_locate(t, &t), -1);
        ith_topology_close(t);
    }
}

/* As hwloc recorded it inside the machine of tests/numa/qemu_numa.sh. */
static void a_recorded_machine(void **state)
{
    ith_topology *t = machine("tests/topologies/qemu-2-nodes.xml", NULL);
    (void)state;
    assert_int_equal(ith_topology_nodes(t), 2);
    assert_int_equal(ith_topology_node(t, 0)->cores, 2);
    assert_int_equal(ith_topology_node(t, 1)->os_index, 1);
    assert_true(ith_topology_node(t, 0)->bytes == 790978560);
    ith_topology_close(t);
    t = machine("tests/topologies/qemu-2-nodes.xml", "2");
    assert_int_equal(ith_topology_nodes(t), 1);
    assert_int_equal(ith_topology_node(t, 0)->os_index, 1);
    ith_topology_close(t);
}

static void what_cannot_be_read_is_named(void **state)
{
    ith_topology *t;
    ith_error err;
    (void)state;
    setenv("ITHACA_TOPOLOGY", "no/such/file.xml", 1);
    assert_int_equal(ith_topology_open(&t, &err), ITH_E_ARGUMENT);
    assert_null(t);
    assert_non_null(strstr(err.text, "no/such/file.xml"));
    setenv("ITHACA_TOPOLOGY", "numa:2 core:2 pu:1", 1);
    setenv("ITHACA_CPUS", "90-95", 1);
    assert_int_equal(ith_topology_open(&t, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "90-95"));
    setenv("ITHACA_CPUS", "many", 1);
    assert_int_equal(ith_topology_open(&t, &err), ITH_E_ARGUMENT);
    unsetenv("ITHACA_CPUS");
    setenv("ITHACA_CACHES", "large", 1);
    assert_int_equal(ith_topology_open(&t, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "ITHACA_CACHES='large'"));
    unsetenv("ITHACA_CACHES");
}

static void caches_are_shared_by_cores(void **state)
{
    static const struct {
        const char *machine, *cpus, *given;
        int64_t l1, l2, l3;
    } cases[] = {
        {"numa:2 l3:1(size=32MB) core:4 l2:1(size=1MB) l1d:1(size=48KB) pu:2", NULL, NULL, 48000,
         1000000, 8000000},
        {"numa:2 l3:1(size=32MB) core:4 l2:1(size=1MB) l1d:1(size=48KB) pu:2", "3", NULL, 48000,
         1000000, 8000000},
        {"l2:2(size=4MB) core:4 l1d:1(size=32KB) pu:1", NULL, NULL, 32000, 1000000, 1000000},
        {"numa:2 core:4 pu:1", NULL, NULL, 32 << 10, 512 << 10, 1 << 20},
        {"l2:2(size=4MB) core:4 l1d:1(size=32KB) pu:1", NULL, "1KiB,3MiB,2MiB", 1 << 10, 3 << 20,
         2 << 20},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].given != NULL)
            setenv("ITHACA_CACHES", cases[i].given, 1);
        ith_topology *t = machine(cases[i].machine, cases[i].cpus);
        ith_caches caches = ith_topology_caches(t);
        assert_int_equal(caches.l1, cases[i].l1);
        assert_int_equal(caches.l2, cases[i].l2);
        assert_int_equal(caches.l3, cases[i].l3);
        ith_topology_close(t);
        unsetenv("ITHACA_CACHES");
    }
}

/* With as many threads as cores, each node has the threads of its cores. Otherwise shares are
 * proportional. All are contiguous. */
static void threads_are_dealt_by_cores(void **state)
{
    static const char *const machines[] = {"core:3 pu:1", "numa:2 core:4 pu:1",
                                           "numa:4 core:2 pu:1", "numa:8 core:3 pu:1"};
    (void)state;
    for (int m = 0; m < 4; m++) {
        ith_topology *t = machine(machines[m], NULL);
        int nodes = ith_topology_nodes(t), cores = ith_topology_cores(t);
        for (int n = 1; n <= 2 * cores + 3; n++) {
            int64_t before = 0;
            for (int node = 0; node < nodes; node++) {
                ith_range r = ith_topology_node_threads(t, n, node);
                double fair = (double)n * ith_topology_node(t, node)->cores / cores;
                assert_int_equal(r.begin, before);
                assert_true((double)ith_range_size(r) < fair + 1 &&
                            (double)ith_range_size(r) > fair - 1);
                before = r.end;
            }
            assert_int_equal(before, n);
        }
        ith_topology_close(t);
    }
    ith_topology *uneven = machine("numa:2 core:4 pu:1", "0,4-7");
    assert_int_equal(ith_range_size(ith_topology_node_threads(uneven, 5, 0)), 1);
    assert_int_equal(ith_range_size(ith_topology_node_threads(uneven, 10, 1)), 8);
    ith_topology_close(uneven);
}

typedef struct seen {
    int node[16];
    atomic_int taken[4];
} seen;

static void take_by_nodes(void *arg, ith_member *me)
{
    seen *s = arg;
    s->node[me->tid] = me->node;
    for (int node = 0; node < me->n_nodes; node++)
        while (ith_counter_next_of(me, node) < 10 + node)
            atomic_fetch_add(&s->taken[node], 1);
}

static void a_bound_team_knows_its_nodes(void **state)
{
    ith_topology *t = machine("numa:4 core:2 pu:1", NULL);
    ith_team *team;
    (void)state;
    assert_int_equal(ith_team_open(8, &team, NULL), ITH_OK);
    ith_team_bind(team, t);
    for (int runs = 0; runs < 3; runs++) {
        seen s = {0};
        ith_team_run(team, take_by_nodes, &s);
        for (int i = 0; i < 8; i++)
            assert_int_equal(s.node[i], i / 2);
        for (int node = 0; node < 4; node++)
            assert_int_equal(atomic_load(&s.taken[node]), 10 + node);
    }
    ith_team_close(team);
    ith_topology_close(t);
}

/* The home of a tile against the arithmetic of ith_linear: the thread and rank that compute it in
 * decode. */
static void tiles_lie_where_decode_reads_them(void **state)
{
    static const char *const machines[] = {"core:4 pu:1", "numa:2 core:2 pu:1",
                                           "numa:4 core:3 pu:1", "numa:8 core:1 pu:1"};
    static const int64_t rows[] = {16, 1024, 1000, 4096};
    (void)state;
    for (int m = 0; m < 4; m++) {
        ith_topology *t = machine(machines[m], NULL);
        for (int c = 0; c < 24; c++) {
            int ranks = 1 + c % 3, threads = 1 + c % 7;
            ith_matrix matrix = {.rows = rows[c % 4], .n_tiles = (rows[c % 4] + 15) / 16};
            ith_entry entry = {.matrix = &matrix, .n_units = matrix.n_tiles, .unit_bytes = 640};
            ith_seat seat = ith_seat_of(t, ranks - 1, threads);
            ith_homes homes = {.topology = t, .seats = &seat, .n_seats = 1};
            assert_int_equal(ith_mesh_make(NULL, ranks, ranks - 1, 8, &homes.mesh, NULL), ITH_OK);
            ith_range mine = ith_mesh_rows(&homes.mesh, matrix.rows, ranks - 1);
            int64_t first = mine.begin / 16, n = (mine.end + 15) / 16 - first;
            for (int tid = 0; tid < threads; tid++) {
                ith_range share = ith_split(n, 1, threads, tid);
                for (int64_t i = share.begin; i < share.end; i++)
                    assert_int_equal(ith_home_of(&homes, &entry, first + i),
                                     ith_topology_thread_node(t, threads, tid));
            }

            /* Runs cover all units, and each has one home. */
            for (int64_t unit = 0; unit < entry.n_units;) {
                int64_t run = ith_home_run(&homes, &entry, unit, entry.n_units - unit);
                assert_in_range(run, 1, entry.n_units - unit);
                assert_int_equal(ith_home_of(&homes, &entry, unit),
                                 ith_home_of(&homes, &entry, unit + run - 1));
                unit += run;
            }
        }
        ith_topology_close(t);
    }
}

enum { SEATS = 3, ROWS = 1280, HEADS = 4 };

/* Seats of ranks 0 .. SEATS - 1 of four: bound to a node each, as `cpus` has it, or not. */
static void sit(const char *name, const char *const cpus[SEATS], int threads, ith_seat seats[SEATS])
{
    for (int r = 0; r < SEATS; r++) {
        ith_topology *own = machine(name, cpus[r]);
        seats[r] = ith_seat_of(own, r, threads);
        ith_topology_close(own);
    }
}

/* Ranks that share a memory: the rows of each lie beside its own threads, and those of a rank on
 * another machine are interleaved. Where ranks share whole heads, rows are divided by heads. */
static void ranks_that_share_a_memory_have_their_rows_beside_them(void **state)
{
    static const char two[] = "numa:2 core:4 pu:1";
    static const char *const bound[SEATS] = {"4-7", "0-3", "4-7"};
    static const char *const both[SEATS] = {NULL, NULL, NULL};
    ith_matrix matrix = {.rows = ROWS, .n_tiles = ROWS / 16};
    (void)state;
    for (int c = 0; c < 4; c++) {
        const char *const *cpus = c < 2 ? bound : both;
        ith_entry entry = {.matrix = &matrix, .n_units = matrix.n_tiles, .heads = c % 2 * HEADS};
        ith_topology *t = machine(two, cpus[0]);
        ith_seat seats[SEATS];
        sit(two, cpus, 4, seats);
        ith_homes homes = {.topology = t, .seats = seats, .n_seats = SEATS};
        assert_int_equal(ith_mesh_make(NULL, SEATS + 1, 0, HEADS, &homes.mesh, NULL), ITH_OK);
        for (int r = 0; r < SEATS; r++) {
            ith_range tiles = ith_shard_tiles(&homes.mesh, &entry, r);
            assert_int_equal(ith_range_size(tiles), ROWS / 16 / 4);
            for (int64_t i = tiles.begin; i < tiles.end; i++) {
                int os = c < 2 ? r != 1
                               : ith_split_holder(ith_range_size(tiles), 1, 4, i - tiles.begin) / 2;
                assert_int_equal(ith_home_of(&homes, &entry, i), os);
            }
        }
        ith_range elsewhere = ith_shard_tiles(&homes.mesh, &entry, SEATS);
        assert_int_equal(ith_home_of(&homes, &entry, elsewhere.begin), -1);
        assert_int_equal(ith_home_run(&homes, &entry, elsewhere.begin, ith_range_size(elsewhere)),
                         ith_range_size(elsewhere));
        ith_topology_close(t);
    }
}

static void other_homes(void **state)
{
    ith_topology *t = machine("numa:2 core:2 pu:1", "2-3");
    ith_entry vector = {.n_units = 1, .unit_bytes = 64};
    ith_seat seats[2] = {ith_seat_of(t, 0, 2), ith_seat_of(t, 1, 2)};
    ith_homes homes = {.topology = t, .seats = seats, .n_seats = 2};
    (void)state;
    assert_int_equal(ith_home_of(&homes, &vector, 0), 1); /* of bound ranks, all beside node 1 */
    assert_int_equal(ith_homes_node(&homes, 1), 0);
    assert_int_equal(ith_homes_machine_nodes(&homes), 2);
    assert_int_equal(ith_topology_node(t, 0)->os_index, 1);
    assert_int_equal(ith_topology_node(t, 1)->os_index, 0); /* another's */
    assert_int_equal(ith_topology_node(t, 1)->cores, 0);
    assert_int_equal(ith_topology_find(t, 0), 1);
    assert_int_equal(ith_topology_find(t, 2), -1);
    seats[1].os_index[0] = 0;
    assert_int_equal(ith_home_of(&homes, &vector, 0), -1);
    ith_topology_close(t);
    assert_int_equal(ith_topology_turn(2, 5), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine_has_a_node),
        cmocka_unit_test(nodes_and_cores_are_counted),
        cmocka_unit_test(a_recorded_machine),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(caches_are_shared_by_cores),
        cmocka_unit_test(threads_are_dealt_by_cores),
        cmocka_unit_test(a_bound_team_knows_its_nodes),
        cmocka_unit_test(tiles_lie_where_decode_reads_them),
        cmocka_unit_test(ranks_that_share_a_memory_have_their_rows_beside_them),
        cmocka_unit_test(other_homes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
