/* test_comm_self.c - a world of one rank, and detecting a launcher from the environment. */
#include "comm/comm_open.h"
#include "comm/comm_self.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int open_self(void **state)
{
    return ith_comm_open_self((ith_comm **)state, NULL) == ITH_OK ? 0 : -1;
}

static int close_self(void **state)
{
    ith_comm_close(*state);
    return 0;
}

static void one_rank_on_one_node(void **state)
{
    ith_comm *comm = *state;
    assert_string_equal(comm->ops->name, "self");
    assert_int_equal(comm->rank, 0);
    assert_int_equal(comm->size, 1);
    assert_int_equal(comm->node_rank, 0);
    assert_int_equal(comm->node_size, 1);
    assert_int_equal(comm->n_nodes, 1);
    assert_int_equal(comm->node_of[0], 0);
    assert_true(strlen(ith_comm_library()) > 3);
    ith_comm_close(NULL);
}

static void blocks_are_copied(void **state)
{
    ith_comm *comm = *state;
    const char send[] = "..abcd";
    char recv[10] = "123456789";
    comm->ops->allgatherv(comm, send + 2, recv, (int64_t[]){4}, (int64_t[]){3});
    assert_string_equal(recv, "123abcd89");
    comm->ops->allgatherv(comm, recv + 3, recv, (int64_t[]){4}, (int64_t[]){3});
    assert_string_equal(recv, "123abcd89");
    ith_comm_alltoall(comm, &(ith_alltoall){send, (int64_t[]){2}, (int64_t[]){4}, recv,
                                            (int64_t[]){2}, (int64_t[]){1}, 2});
    assert_string_equal(recv, "1cdabcd89");
    ith_comm_alltoall(comm, &(ith_alltoall){send, (int64_t[]){0}, (int64_t[]){0}, recv,
                                            (int64_t[]){0}, (int64_t[]){0}, 2});
    comm->ops->bcast(comm, recv, sizeof recv, 0);
    assert_string_equal(recv, "1cdabcd89");
    assert_int_equal(comm->ops->max(comm, -5), -5);
    comm->ops->barrier(comm);
    comm->ops->node_barrier(comm);
    assert_int_equal(comm->stats.allgather_calls, 2);
    assert_int_equal(comm->stats.exchange[ITH_EXCHANGE_PAIRWISE].calls, 2);
    assert_int_equal(comm->stats.bcast_calls, 1);
    assert_int_equal(comm->stats.allgather_sent +
                         comm->stats.exchange[ITH_EXCHANGE_PAIRWISE].in_node +
                         comm->stats.bcast_sent,
                     0);
}

static void shared_memory_is_zeroed(void **state)
{
    ith_comm *comm = *state;
    ith_error err;
    char *p;
    assert_int_equal(comm->ops->shared_alloc(comm, 1000, "weights", NULL, NULL, (void **)&p, &err),
                     ITH_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    comm->ops->shared_free(comm, p);
    comm->ops->shared_free(comm, NULL);
    assert_int_equal(
        comm->ops->shared_alloc(comm, (size_t)1 << 60, "weights", NULL, NULL, (void **)&p, &err),
        ITH_E_MEMORY);
    assert_null(p);
}

static void agreement_of_one(void **state)
{
    ith_comm *comm = *state;
    ith_error err = {.text = "as it was"};
    assert_int_equal(ith_comm_agree(comm, ITH_OK, &err), ITH_OK);
    assert_int_equal(ith_comm_agree(comm, ith_fail(&err, ITH_E_IO, "disk full"), &err), ITH_E_IO);
    assert_string_equal(err.text, "disk full");
}

/* In a child: what does it print, how does it end? */
static void abort_prints_a_line_and_ends(void **state)
{
    ith_comm *comm = *state;
    int fds[2], status;
    char said[100] = "";
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        ith_comm_abort(comm, 3, "tensor missing");
    }
    close(fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(read(fds[0], said, sizeof said - 1) > 0);
    close(fds[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_string_equal(said, "ithaca: error: rank 0: tensor missing\n");
}

/* ---- Launchers: a made-up environment of "NAME=value" strings ---- */

static const char *const *environment;

static const char *get(const char *name)
{
    size_t n = strlen(name);
    for (const char *const *e = environment; *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

#define ASSERT_LAUNCHER(launcher, ranks, ...)                                                      \
    do {                                                                                           \
        environment = (const char *const[]){__VA_ARGS__, NULL};                                    \
        assert_int_equal(ith_comm_launcher(get), launcher);                                        \
        assert_int_equal(ith_comm_promised_ranks(get), ranks);                                     \
    } while (0)

static void launchers_are_recognised(void **state)
{
    (void)state;
    ASSERT_LAUNCHER(ITH_LAUNCHER_NONE, 0, "HOME=/root");
    ASSERT_LAUNCHER(ITH_LAUNCHER_MPI, 4, "OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=1",
                    "PMIX_RANK=1");
    ASSERT_LAUNCHER(ITH_LAUNCHER_MPI, 1, "OMPI_COMM_WORLD_SIZE=1");
    ASSERT_LAUNCHER(ITH_LAUNCHER_MPI, 0, "PMIX_NAMESPACE=prun.1", "PMIX_RANK=0"); /* prun */
    ASSERT_LAUNCHER(ITH_LAUNCHER_MPI, 2, "PMI_RANK=0", "PMI_SIZE=2", "PMI_FD=5"); /* Hydra */
}

static void nodes_of_so_many_ranks(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ITHACA_RANKS_PER_NODE=0", "ITHACA_RANKS_PER_NODE=2x",
                                        "ITHACA_RANKS_PER_NODE="};
    ith_error err;
    int ranks = -1;
    environment = (const char *const[]){"HOME=/root", NULL};
    assert_int_equal(ith_comm_ranks_per_node(get, &ranks, &err), ITH_OK);
    assert_int_equal(ranks, 0);
    environment = (const char *const[]){"ITHACA_RANKS_PER_NODE=12", NULL};
    assert_int_equal(ith_comm_ranks_per_node(get, &ranks, &err), ITH_OK);
    assert_int_equal(ranks, 12);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        environment = (const char *const[]){wrong[i], NULL};
        assert_int_equal(ith_comm_ranks_per_node(get, &ranks, &err), ITH_E_ARGUMENT);
        assert_non_null(strstr(err.text, "ITHACA_RANKS_PER_NODE"));
    }
}

static void network_timeout(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ITHACA_NETWORK_TIMEOUT=-1",
                                        "ITHACA_NETWORK_TIMEOUT=", "ITHACA_NETWORK_TIMEOUT=1m",
                                        "ITHACA_NETWORK_TIMEOUT=86401"};
    ith_error err;
    int seconds = 60;
    environment = (const char *const[]){"HOME=/root", NULL};
    assert_int_equal(ith_comm_network_timeout(get, &seconds, &err), ITH_OK);
    assert_int_equal(seconds, 60);
    environment = (const char *const[]){"ITHACA_NETWORK_TIMEOUT=0", NULL};
    assert_int_equal(ith_comm_network_timeout(get, &seconds, &err), ITH_OK);
    assert_int_equal(seconds, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        environment = (const char *const[]){wrong[i], NULL};
        assert_int_equal(ith_comm_network_timeout(get, &seconds, &err), ITH_E_ARGUMENT);
        assert_non_null(strstr(err.text, "ITHACA_NETWORK_TIMEOUT"));
    }
}

static void slurm_is_told_apart(void **state)
{
    (void)state;
    /* srun --mpi=pmix */
    ASSERT_LAUNCHER(ITH_LAUNCHER_MPI, 8, "SLURM_NTASKS=8", "SLURM_STEP_ID=0", "SLURM_PROCID=3",
                    "SLURM_STEP_NUM_TASKS=8", "PMIX_RANK=3", "PMIX_NAMESPACE=slurm.pmix.1.0");
    /* srun --mpi=none */
    ASSERT_LAUNCHER(ITH_LAUNCHER_SRUN_WITHOUT_PMI, 8, "SLURM_NTASKS=8", "SLURM_STEP_ID=0",
                    "SLURM_PROCID=3", "SLURM_STEP_NUM_TASKS=8");
    /* srun -n 1 */
    ASSERT_LAUNCHER(ITH_LAUNCHER_NONE, 1, "SLURM_NTASKS=1", "SLURM_STEP_ID=0", "SLURM_PROCID=0",
                    "SLURM_STEP_NUM_TASKS=1");
    /* the sbatch script itself */
    ASSERT_LAUNCHER(ITH_LAUNCHER_NONE, 0, "SLURM_JOB_ID=1", "SLURM_NTASKS=8", "SLURM_PROCID=0",
                    "SLURM_NODEID=0");
    /* the shell of salloc, in its interactive step */
    ASSERT_LAUNCHER(ITH_LAUNCHER_NONE, 1, "SLURM_NTASKS=8", "SLURM_STEP_ID=4294967290",
                    "SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1");
    /* mpirun inside an allocation: its daemons are a step, its ranks have Open MPI's variables */
    ASSERT_LAUNCHER(ITH_LAUNCHER_MPI, 16, "SLURM_NTASKS=16", "SLURM_STEP_ID=0", "SLURM_PROCID=1",
                    "SLURM_STEP_NUM_TASKS=2", "OMPI_COMM_WORLD_SIZE=16");
}

static void srun_without_pmi_is_explained(void **state)
{
    ith_comm *comm;
    ith_error err;
    static const char *const pmi[] = {"OMPI_COMM_WORLD_SIZE",
                                      "PMIX_RANK",
                                      "PMIX_NAMESPACE",
                                      "PMI_RANK",
                                      "PMI_SIZE",
                                      "PMI_FD",
                                      "PMI_PORT"};
    (void)state;
    for (size_t i = 0; i < sizeof pmi / sizeof *pmi; i++)
        unsetenv(pmi[i]);
    setenv("SLURM_STEP_ID", "0", 1);
    setenv("SLURM_PROCID", "1", 1);
    setenv("SLURM_STEP_NUM_TASKS", "4", 1);
    assert_int_equal(ith_comm_open_world(&comm, &err), ITH_E_COMM);
    assert_null(comm);
    assert_non_null(strstr(err.text, "srun started 4 tasks"));
    assert_non_null(strstr(err.text, "srun --mpi=pmix"));
    unsetenv("SLURM_STEP_NUM_TASKS");
    assert_int_equal(ith_comm_open_world(&comm, &err), ITH_OK);
    assert_string_equal(comm->ops->name, "self");
    ith_comm_close(comm);
}

#define WITH_SELF(test) cmocka_unit_test_setup_teardown(test, open_self, close_self)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SELF(one_rank_on_one_node),          WITH_SELF(blocks_are_copied),
        WITH_SELF(shared_memory_is_zeroed),       WITH_SELF(agreement_of_one),
        WITH_SELF(abort_prints_a_line_and_ends),  cmocka_unit_test(launchers_are_recognised),
        cmocka_unit_test(nodes_of_so_many_ranks), cmocka_unit_test(network_timeout),
        cmocka_unit_test(slurm_is_told_apart),    cmocka_unit_test(srun_without_pmi_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
