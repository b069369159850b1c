/* RANKS: 1 2 3 5, long: 4 7 8
 *
 * test_comm_nodes.c - what the ranks of a node share, machines divided into nodes, a second thread
 * that communicates, and how all ranks agree on an error.
 */
#include "parallel/comm_blocks.h"

#include <pthread.h>

static const ith_mpi_options by_windows = {.message_bytes = 1 << 30, .windows_only = true};

/* ---- Shared memory ---- */

enum { WINDOWS = 3 };

static bool all_zero(const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0)
            return false;
    return true;
}

/* Each rank of the node writes its bytes of every window; all see them. */
static void write_and_see(ith_comm *comm, uint8_t *const *p, const size_t *bytes)
{
    for (int w = 0; w < WINDOWS; w++)
        for (size_t i = (size_t)comm->node_rank; i < bytes[w]; i += (size_t)comm->node_size)
            p[w][i] = byte_of(comm->node_rank, w, (int64_t)i);
    comm->ops->node_barrier(comm);
    for (int w = 0; w < WINDOWS; w++)
        for (size_t i = 0; i < bytes[w]; i++)
            CHECK(comm, p[w][i] == byte_of((int)(i % (size_t)comm->node_size), w, (int64_t)i));
    comm->ops->node_barrier(comm);
}

static void share(ith_comm *comm)
{
    static const size_t bytes[WINDOWS] = {1, 100003, 5000000};

    /* Twice: reused pages are zeroed too. */
    for (int again = 0; again < 2; again++) {
        uint8_t *p[WINDOWS];
        for (int w = 0; w < WINDOWS; w++) {
            CHECK(comm, comm->ops->shared_alloc(comm, bytes[w], "test", NULL, NULL, (void **)&p[w],
                                                NULL) == ITH_OK);
            CHECK(comm, (uintptr_t)p[w] % 64 == 0);
            CHECK(comm, all_zero(p[w], bytes[w]));
        }
        comm->ops->node_barrier(comm);
        write_and_see(comm, p, bytes);
        comm->ops->shared_free(comm, p[1]); /* in an order of their own */
        comm->ops->shared_free(comm, p[0]);
        comm->ops->shared_free(comm, p[2]);
        comm->ops->shared_free(comm, NULL);
    }
}

static void memory_of_a_node(ith_comm *comm)
{
    share(comm);
    CASE_OK(comm);
}

static void memory_of_a_node_by_windows(ith_comm *comm)
{
    ith_comm *other;
    CHECK(comm, ith_comm_open_mpi(&by_windows, &other, NULL) == ITH_OK);
    share(other);
    ith_comm_close(other);
    CASE_OK(comm);
}

static void too_much_memory_is_refused_on_all_ranks(ith_comm *comm)
{
    void *p = comm;
    ith_error err;
    CHECK(comm, comm->ops->shared_alloc(comm, (size_t)1 << 55, "weights", NULL, NULL, &p, &err) ==
                    ITH_E_MEMORY);
    CHECK(comm, p == NULL);
    CHECK(comm, strstr(err.text, "weights: 33554432.000 GiB needed") != NULL);
    CHECK(comm,
          comm->ops->shared_alloc(comm, SIZE_MAX, "weights", NULL, NULL, &p, &err) == ITH_E_MEMORY);
    CASE_OK(comm);
}

/* /proc has no room for files: as a /dev/shm that is too small. */
static void full_file_system_is_refused_on_all_ranks(ith_comm *comm)
{
    ith_comm *other;
    void *p = comm;
    ith_error err;
    CHECK(comm, ith_comm_open_mpi(&by_windows, &other, NULL) == ITH_OK);
    setenv("OMPI_MCA_osc_sm_backing_directory", "/proc", 1);
    ith_status status = other->ops->shared_alloc(other, 1 << 20, "weights", NULL, NULL, &p, &err);
    if (comm->node_size > 1) {
        CHECK(comm, status == ITH_E_MEMORY && p == NULL);
        CHECK(comm, strstr(err.text, "/proc has 0.000 GiB left") != NULL);
    } else {
        CHECK(comm, status == ITH_OK); /* a rank alone needs no file */
    }
    CHECK(comm, comm->ops->shared_alloc(comm, 1 << 20, "weights", NULL, NULL, &p, &err) ==
                    ITH_OK); /* nor do anonymous files */
    comm->ops->shared_free(comm, p);
    unsetenv("OMPI_MCA_osc_sm_backing_directory");
    ith_comm_close(other);
    CASE_OK(comm);
}

static void buffers_left_open_are_closed(ith_comm *comm)
{
    ith_comm *other;
    void *p;
    for (int i = 0; i < 2; i++) {
        CHECK(comm,
              ith_comm_open_mpi(i == 0 ? &ith_mpi_defaults : &by_windows, &other, NULL) == ITH_OK);
        CHECK(comm, other->ops->shared_alloc(other, 1000, "test", NULL, NULL, &p, NULL) == ITH_OK);
        ith_comm_close(other);
    }
    CASE_OK(comm);
}

/* ---- Nodes, and a second thread that speaks ---- */

static void machines_are_cut_into_nodes(ith_comm *comm)
{
    for (int n = 1; n <= 3; n++) {
        const ith_mpi_options cut = {.message_bytes = MESSAGE, .ranks_per_node = n};
        ith_comm *other;
        CHECK(comm, ith_comm_open_mpi(&cut, &other, NULL) == ITH_OK);
        int rest = comm->size - comm->rank / n * n;
        CHECK(comm, other->node == comm->rank / n && other->n_nodes == (comm->size + n - 1) / n);
        CHECK(comm,
              other->node_rank == comm->rank % n && other->node_size == (rest < n ? rest : n));
        for (int r = 0; r < comm->size; r++)
            CHECK(comm, other->node_of[r] == r / n);
        share(other);
        ith_comm_close(other);
    }
    CHECK(comm, comm->node == 0 && comm->n_nodes == 1 && comm->node_of[comm->size - 1] == 0);
    CASE_OK(comm);
}

enum { ROUNDS = 50, SIDE_BYTES = 70 * MESSAGE };

/* Round a ring, on the side. */
static void *send_round(void *arg)
{
    ith_comm *side = arg;
    int right = (side->rank + 1) % side->size, left = (side->rank + side->size - 1) % side->size;
    uint8_t *out = malloc(SIDE_BYTES), *in = malloc(SIDE_BYTES);
    CHECK(side, out != NULL && in != NULL);
    for (int i = 0; i < ROUNDS; i++) {
        fill_block(out, SIDE_BYTES, side->rank, i);
        ith_comm_messages(side, &(ith_parcel){right, out, SIDE_BYTES}, 1,
                          &(ith_parcel){left, in, SIDE_BYTES}, 1);
        CHECK(side, block_is(in, SIDE_BYTES, left, i));
    }
    free(out);
    free(in);
    return NULL;
}

static void two_threads_speak_at_once(ith_comm *comm)
{
    ith_comm *side;
    pthread_t thread;
    ith_error err;
    if (comm->size == 1) {
        CASE_OK(comm);
        return;
    }
    if (comm->ops->side(comm, &side, &err) != ITH_OK) {
        CHECK(comm, strstr(err.text, "MPI_THREAD_MULTIPLE") != NULL);
        CASE_OK(comm);
        return;
    }
    CHECK(comm, pthread_create(&thread, NULL, send_round, side) == 0);
    for (int i = 0; i < ROUNDS; i++)
        do_alltoall(comm);
    CHECK(comm, pthread_join(thread, NULL) == 0);
    ith_comm_close(side);
    CASE_OK(comm);
}

/* ---- Agreement ---- */

static void all_agree_on_success(ith_comm *comm)
{
    ith_error err = {.text = "untouched"};
    CHECK(comm, ith_comm_agree(comm, ITH_OK, &err) == ITH_OK);
    CHECK(comm, strcmp(err.text, "untouched") == 0);
    CASE_OK(comm);
}

static void one_failure_is_everyones(ith_comm *comm)
{
    for (int failing = 0; failing < comm->size; failing++) {
        ith_error err = {.text = "nothing"};
        char expected[100];
        ith_status status = ITH_OK;
        if (comm->size > 1)
            snprintf(expected, sizeof expected, "rank %d: shard %d: truncated", failing, failing);
        else
            snprintf(expected, sizeof expected, "shard 0: truncated");
        if (comm->rank == failing)
            status = ith_fail(&err, ITH_E_FORMAT, "shard %d: truncated", failing);
        CHECK(comm, ith_comm_agree(comm, status, &err) == ITH_E_FORMAT);
        CHECK(comm, err.status == ITH_E_FORMAT);
        CHECK(comm, strcmp(err.text, expected) == 0);
    }
    CASE_OK(comm);
}

static void the_lowest_failing_rank_speaks(ith_comm *comm)
{
    ith_error err = {0};
    int lowest = comm->size / 2;
    char expected[20];
    ith_status status =
        comm->rank >= lowest ? ith_fail(&err, ITH_E_IO, "I am %d", comm->rank) : ITH_OK;
    snprintf(expected, sizeof expected, "I am %d", lowest);
    CHECK(comm, ith_comm_agree(comm, status, &err) == ITH_E_IO);
    CHECK(comm, strstr(err.text, expected) != NULL);
    CHECK(comm, ith_comm_agree(comm, comm->rank == lowest ? ITH_E_MEMORY : ITH_OK, NULL) ==
                    ITH_E_MEMORY); /* no text wanted */
    CASE_OK(comm);
}

int main(void)
{
    static void (*const cases[])(ith_comm *) = {
        memory_of_a_node,
        memory_of_a_node_by_windows,
        too_much_memory_is_refused_on_all_ranks,
        full_file_system_is_refused_on_all_ranks,
        buffers_left_open_are_closed,
        machines_are_cut_into_nodes,
        two_threads_speak_at_once,
        all_agree_on_success,
        one_failure_is_everyones,
        the_lowest_failing_rank_speaks,
    };
    return run_cases(cases, sizeof cases / sizeof *cases);
}
