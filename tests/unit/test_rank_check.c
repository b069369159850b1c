/* test_rank_check.c - tables of ranks on recorded machines, and what is said of each. */
#include "base/cpumask.h"
#include "comm/interfaces.h"
#include "engine/rank_check.h"
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RANKS = 8 };

static ith_rank_row table[RANKS];
static char said[4000];

/* Rank r of a machine that hwloc describes, within `cpus` (NULL: all), of machine number `node`. */
static void seat(int r, int node, const char *machine, const char *cpus, int threads)
{
    ith_rank_row *row = &table[r];
    ith_topology *t;
    ith_error err;

    setenv("ITHACA_TOPOLOGY", machine, 1);
    if (cpus != NULL)
        setenv("ITHACA_CPUS", cpus, 1);
    else
        unsetenv("ITHACA_CPUS");
    if (ith_topology_open(&t, &err) != ITH_OK)
        fail_msg("%s: %s", machine, err.text);
    *row = (ith_rank_row){0};
    ith_rank_row_here(row, t);
    ith_topology_close(t);
    row->rank = r;
    row->node = node;
    row->threads = threads;
    row->memory = 1;
    snprintf(row->host, sizeof row->host, "n%d", node + 1);
    snprintf(row->limit, sizeof row->limit, "the SLURM job");
}

static void hear(void *user, const char *line)
{
    (void)user;
    strcat(strcat(said, line), "\n");
}

static const char *check(int n, bool by_srun)
{
    said[0] = 0;
    ith_rank_check(table, n, by_srun, hear, NULL);
    return said;
}

#define SAYS(n, text)     assert_string_equal(check(n, false), text)
#define SAYS_OF(n, ...)   assert_string_equal(check(n, true), __VA_ARGS__)
#define MENTIONS(n, text) assert_non_null(strstr(check(n, false), text))

static void well_placed_ranks(void **state)
{
    (void)state;
    seat(0, 0, "numa:2 core:8 pu:1", "0-7", 8);
    seat(1, 0, "numa:2 core:8 pu:1", "8-15", 8);
    seat(2, 1, "numa:2 core:8 pu:1", "0-7", 8);
    seat(3, 1, "numa:2 core:8 pu:1", "8-15", 8);
    SAYS(4, "");
    /* Unbound ranks that share all cores, and do not exceed them. */
    for (int r = 0; r < 4; r++)
        seat(r, 0, "core:16 pu:1", NULL, 4);
    SAYS(4, "");
    /* Fewer ranks than memory nodes span several. */
    seat(0, 0, "pack:2 numa:4 core:4 pu:1", "0-15", 16);
    seat(1, 0, "pack:2 numa:4 core:4 pu:1", "16-31", 16);
    SAYS(2, "");
}

static void cores_that_ranks_compete_for(void **state)
{
    (void)state;
    for (int r = 0; r < 4; r++)
        seat(r, 0, "core:2 pu:1", NULL, 1);
    SAYS(4, "n1: ranks 0-3 have 4 threads for 2 cores: start fewer ranks, or give fewer threads "
            "(-t)\n");

    /* Both on the first half; of the second machine, one whose cores lie within another's. */
    seat(0, 0, "core:16 pu:1", "0-7", 8);
    seat(1, 0, "core:16 pu:1", "0-7", 8);
    seat(2, 1, "core:16 pu:1", "0-7", 8);
    seat(3, 1, "core:16 pu:1", "4-7", 4);
    SAYS_OF(4, "n1: ranks 0 and 1 share 8 of the machine's 16 cores (0-7) and have 16 threads: try "
               "srun --cpus-per-task=8 --cpu-bind=cores\n"
               "n2: ranks 2 and 3 share 8 of the machine's 16 cores (0-7) and have 12 threads: try "
               "srun --cpus-per-task=8 --cpu-bind=cores\n");

    /* Ranks of a machine need not have consecutive numbers. */
    seat(0, 0, "core:4 pu:1", "0", 2);
    seat(1, 1, "core:4 pu:1", "0-3", 4);
    seat(2, 0, "core:4 pu:1", "0", 2);
    SAYS(3, "n1: ranks 0 and 2 share 1 of the machine's 4 cores (0) and have 4 threads: try mpirun "
            "--bind-to none\n");
}

/* Two hardware threads of each core: CPUs 2 c and 2 c + 1 of core c. */
static void hardware_threads_taken_for_cores(void **state)
{
    (void)state;
    seat(0, 0, "core:8 pu:2", NULL, 16);
    SAYS_OF(1, "n1: rank 0: 16 threads on 8 cores use both hardware threads of a core, which "
               "rarely pays: -t 8, or sbatch --hint=nomultithread\n");
    seat(0, 0, "core:8 pu:2", NULL, 8);
    SAYS(1, "");
    /* Disjoint CPUs of the same cores. */
    seat(0, 0, "core:4 pu:2", "0,2,4,6", 4);
    seat(1, 0, "core:4 pu:2", "1,3,5,7", 4);
    SAYS(2, "n1: ranks 0 and 1 have 8 threads for 4 cores: start fewer ranks, or give fewer "
            "threads (-t)\n");
}

static void ranks_on_the_wrong_memory_node(void **state)
{
    (void)state;
    for (int r = 0; r < 2; r++)
        seat(r, 0, "numa:2 core:8 pu:1", NULL, 8);
    SAYS(2, "n1: ranks 0 and 1 run beside several of the 2 memory nodes: try mpirun --map-by numa "
            "--bind-to numa\n");

    seat(0, 0, "numa:2 core:8 pu:1", "0-3", 4);
    seat(1, 0, "numa:2 core:8 pu:1", "4-7", 4);
    SAYS(2, "n1: ranks 0 and 1 run beside memory node 0, and none beside 1: try mpirun --map-by "
            "numa --bind-to numa\n");

    seat(0, 0, "numa:2 core:8 pu:1", "0-7", 8);
    seat(1, 0, "numa:2 core:8 pu:1", "8-15", 8);
    table[0].allowed = table[1].allowed = 1;
    SAYS(2, "n1: rank 1 runs beside memory node 1, but may take memory on 0 only: bind both to one "
            "(numactl --cpunodebind and --membind; srun --mem-bind=local)\n");
    table[1].allowed = 3;
    SAYS(2, "");
}

static void memory_below_the_plan(void **state)
{
    (void)state;
    seat(0, 0, "core:4 pu:1", "0-1", 2);
    seat(1, 0, "core:4 pu:1", "2-3", 2);
    table[0].memory = table[1].memory = INT64_C(8) << 30;
    table[0].plan = INT64_C(8) << 30;
    table[1].plan = INT64_C(9) << 30;
    SAYS(2, "n1: rank 1 may take 8.0 GiB of memory (limited by the SLURM job), and needs 9.0 GiB "
            "for weights and context: the system may end the run\n");
    table[1].streamed = 1;
    MENTIONS(2, "weights will be read from disk in every pass");
    table[1].streaming = 1; /* as the user wants it */
    SAYS(2, "");
    table[1].streaming = 0;
    table[1].memory = -1;
    MENTIONS(2, "rank 1 may take 0.0 GiB");
}

static void slow_networks(void **state)
{
    (void)state;
    for (int r = 0; r < 2; r++) {
        seat(r, r, "core:4 pu:1", NULL, 4);
        table[r].used = (ith_interface){"eth0", 1000};
        table[r].fastest = (ith_interface){"eth0", 1000};
    }
    SAYS(2, "");
    table[0].fastest = (ith_interface){"ib0", 100000};
    SAYS(2, "n1: MPI reaches other machines through eth0 (1 Gbit/s), though ib0 has 100: "
            "OMPI_MCA_btl_tcp_if_include=ib0 chooses it\n");
    table[0].fastest = (ith_interface){"eth1", 1999};
    SAYS(2, "");
    table[1].measured_mbps = 94;
    SAYS(2, "n2: eth0 has 1 Gbit/s, but a message between machines reached 0.094\n");
    table[1].measured_mbps = 940;
    SAYS(2, "");
}

static void long_lists_end(void **state)
{
    uint8_t bits[64];
    char text[16];
    (void)state;
    memset(bits, 0x55, sizeof bits);
    ith_bits_text(bits, sizeof bits, text, sizeof text);
    assert_string_equal(text, "0,2,4,6,8,10...");
    memset(bits, 0, sizeof bits);
    ith_bits_text(bits, sizeof bits, text, sizeof text);
    assert_string_equal(text, "");
    bits[0] = 0x67;
    bits[63] = 0x80;
    ith_bits_text(bits, sizeof bits, text, sizeof text);
    assert_string_equal(text, "0-2,5,6,511");
}

/* ---- What the system says, from folders like its own ---- */

static char root[64];

static void make(const char *path, const char *text)
{
    char whole[300];
    FILE *file;

    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        mkdir(whole, 0700);
        *at = '/';
    }
    file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void cores_of_hardware_threads(void **state)
{
    (void)state;
    make("sys/devices/system/cpu/cpu35/topology/thread_siblings_list", "3,35\n");
    make("sys/devices/system/cpu/cpu7/topology/thread_siblings_list", "6-7\n");
    make("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "9\n");
    assert_int_equal(ith_cpu_core(root, 35), 3);
    assert_int_equal(ith_cpu_core(root, 7), 6);
    assert_int_equal(ith_cpu_core(root, 2), 2); /* nonsense */
    assert_int_equal(ith_cpu_core(root, 8), 8); /* not said */
}

static void speeds_of_interfaces(void **state)
{
    (void)state;
    make("net/eth0/speed", "25000\n");
    make("net/eth1/speed", "-1\n");
    make("net/ib0/device/infiniband/mlx5_0/ports/1/rate", "40 Gb/sec (4X QDR)\n");
    make("net/ib0/device/infiniband/mlx5_0/ports/2/rate", "100 Gb/sec (4X EDR)\n");
    char folder[80];
    snprintf(folder, sizeof folder, "%s/net", root);
    assert_int_equal(ith_interface_mbps(folder, "eth0"), 25000);
    assert_int_equal(ith_interface_mbps(folder, "eth1"), 0);
    assert_int_equal(ith_interface_mbps(folder, "ib0"), 100000);
    assert_int_equal(ith_interface_mbps(folder, "absent"), 0);
}

static int begin(void **state)
{
    (void)state;
    folder_make(root);
    return 0;
}

static int end(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_placed_ranks),
        cmocka_unit_test(cores_that_ranks_compete_for),
        cmocka_unit_test(hardware_threads_taken_for_cores),
        cmocka_unit_test(ranks_on_the_wrong_memory_node),
        cmocka_unit_test(memory_below_the_plan),
        cmocka_unit_test(slow_networks),
        cmocka_unit_test(long_lists_end),
        cmocka_unit_test(cores_of_hardware_threads),
        cmocka_unit_test(speeds_of_interfaces),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
