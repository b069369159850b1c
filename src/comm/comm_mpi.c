/* comm_mpi.c - the ranks of a launcher, over MPI: collectives, opening and closing.
 *
 * Byte counts are 64-bit, MPI's are int. Where all ranks can see from their arguments that everything fits, MPI's own collective
 * is called; otherwise blocks travel as pieces (comm_mpi_pairwise.c). An all-to-all's counts differ between ranks, so that none can know alone
 * whether the others' fit, and asking would cost a round trip in each layer: callers say what none exceeds.
 */
#include "comm/comm_mpi_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Errors: the rank that sees one cannot mend it, so it ends all ---- */

void ith_mpi_check(ith_comm *comm, int code, const char *call)
{
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING + 1] = "", line[MPI_MAX_ERROR_STRING + 100];
    int length;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "error %d", code);
    snprintf(line, sizeof line, "%s failed: %s", call, text);
    ith_comm_abort(comm, 1, line);
}

static __attribute__((noreturn)) void mpi_abort(ith_comm *comm, int code)
{
    (void)comm;
    MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code); /* MPI_Abort does not return; the compiler cannot know */
}

/* ---- Collectives ---- */

static void mpi_barrier(ith_comm *comm)
{
    ith_mpi_check(comm, MPI_Barrier(ith_mpi_of(comm)->world), "MPI_Barrier");
}

static void mpi_bcast(ith_comm *comm, void *buf, int64_t bytes, int root)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    for (int64_t at = 0; at < bytes; at += impl->piece) {
        int64_t n = bytes - at < impl->piece ? bytes - at : impl->piece;
        ith_mpi_check(comm, MPI_Bcast((char *)buf + at, (int)n, MPI_BYTE, root, impl->world), "MPI_Bcast");
    }
    comm->stats.bcast_calls++;
    if (comm->rank == root)
        comm->stats.bcast_sent += bytes * (comm->size - 1);
}

static int64_t mpi_max(ith_comm *comm, int64_t value)
{
    int64_t most;
    ith_mpi_check(comm, MPI_Allreduce(&value, &most, 1, MPI_INT64_T, MPI_MAX, ith_mpi_of(comm)->world),
                  "MPI_Allreduce");
    return most;
}

/* The arguments are the same on all ranks, so all come to the same answer. */
static bool fits_one_call(const ith_comm *comm, const ith_mpi_impl *impl, const int64_t *counts, const int64_t *displs)
{
    for (int r = 0; r < comm->size; r++)
        if (counts[r] > impl->piece || displs[r] > impl->piece)
            return false;
    return true;
}

/* As an exchange in which every rank gets the same block, which is in its place in recv. */
static void allgather_pieces(ith_comm *comm, const void *send, void *recv, const int64_t *counts, const int64_t *displs)
{
    int me = comm->rank, n = comm->size;
    int64_t *own = ith_mpi_of(comm)->own;
    ith_mpi_flight *flight = &ith_mpi_of(comm)->flights[ITH_FLIGHTS];
    flight->exchange = (ith_alltoall){recv, own, own + n, recv, counts, displs, 0};
    if (send != (char *)recv + displs[me] && counts[me] > 0)
        memcpy((char *)recv + displs[me], send, (size_t)counts[me]);
    for (int r = 0; r < n; r++) {
        own[r] = counts[me];
        own[n + r] = displs[me];
    }
    ith_mpi_pairwise.start(comm, flight);
    ith_mpi_pairwise.finish(comm, flight);
}

static void allgather_at_once(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                              const int64_t *displs)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int me = comm->rank;
    for (int r = 0; r < comm->size; r++) {
        impl->counts[r] = (int)counts[r];
        impl->displs[r] = (int)displs[r];
    }
    const void *from = send == (char *)recv + displs[me] ? MPI_IN_PLACE : send;
    ith_mpi_check(
        comm, MPI_Allgatherv(from, impl->counts[me], MPI_BYTE, recv, impl->counts, impl->displs, MPI_BYTE, impl->world),
        "MPI_Allgatherv");
}

static void mpi_allgatherv(ith_comm *comm, const void *send, void *recv, const int64_t *counts, const int64_t *displs)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    if (ith_mpi_gather_fits(comm, counts))
        ith_mpi_gather(comm, send, recv, counts, displs);
    else if (fits_one_call(comm, impl, counts, displs))
        allgather_at_once(comm, send, recv, counts, displs);
    else
        allgather_pieces(comm, send, recv, counts, displs);
    comm->stats.allgather_calls++;
    comm->stats.allgather_sent += counts[comm->rank] * (comm->size - 1);
}

/* ---- Opening and closing ---- */

static void free_impl(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    if (impl) {
        free(impl->counts);
        free(impl->displs);
        free(impl->vectors);
        free(impl->own);
        free(impl->members);
        free(impl->first);
        free(impl->packed);
        free(impl->lengths);
        free(impl->addresses);
        free(impl->node_of);
        for (int i = 0; i < ITH_MPI_FLIGHTS; i++) {
            free(impl->flights[i].requests);
            free(impl->flights[i].step_end);
        }
    }
    free(impl);
    free(comm);
}

static void mpi_close(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    bool finalize = impl->finalize;
    while (impl->buffers)
        ith_mpi_shared_free(comm, impl->buffers->data);
    if (impl->domain.comm != MPI_COMM_NULL)
        ith_mpi_check(comm, MPI_Comm_free(&impl->domain.comm), "MPI_Comm_free");
    if (impl->node.comm != MPI_COMM_NULL)
        ith_mpi_check(comm, MPI_Comm_free(&impl->node.comm), "MPI_Comm_free");
    ith_mpi_check(comm, MPI_Comm_free(&impl->world), "MPI_Comm_free");
    free_impl(comm);
    if (finalize)
        MPI_Finalize();
}

static ith_status mpi_side(ith_comm *comm, ith_comm **out, ith_error *err);

static const ith_comm_ops mpi_ops = {
    .name = "mpi",
    .barrier = mpi_barrier,
    .bcast = mpi_bcast,
    .allgatherv = mpi_allgatherv,
    .alltoall_start = ith_mpi_exchange_start,
    .messages_start = ith_mpi_messages_start,
    .progress = ith_mpi_progress,
    .finish = ith_mpi_finish,
    .overlaps = ith_mpi_exchange_overlaps,
    .exchange_open = ith_mpi_exchange_open,
    .max = mpi_max,
    .shared_alloc = ith_mpi_shared_alloc,
    .shared_free = ith_mpi_shared_free,
    .node_barrier = ith_mpi_node_barrier,
    .split_domains = ith_mpi_split_domains,
    .domain_alloc = ith_mpi_domain_alloc,
    .domain_barrier = ith_mpi_domain_barrier,
    .side = mpi_side,
    .abort = mpi_abort,
    .close = mpi_close,
};

/* A rank that waits in MPI gives its core away. Open MPI does so by itself only with more ranks than cores, and counts no
 * threads: 2 ranks x 2 threads on 2 cores would keep each other from working. On free cores it costs nothing that we could measure
 * (an allreduce of 2 ranks: 0.6 us and 0.7 us). What the user has set stays. */
static void let_waiting_ranks_yield(void)
{
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

static ith_status start_mpi(bool *started, ith_error *err)
{
    int initialized = 0, finalized = 0, level = MPI_THREAD_SINGLE;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    if (finalized)
        return ith_fail(err, ITH_E_COMM, "MPI has been finalized in this process and can't be started again");
    *started = !initialized;
    let_waiting_ranks_yield();
    if (initialized)
        MPI_Query_thread(&level);
    else if (MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS) /* for side communicators */
        return ith_fail(err, ITH_E_COMM, "MPI_Init_thread failed");
    if (level < MPI_THREAD_FUNNELED)
        return ith_fail(err, ITH_E_COMM, "MPI was started without thread support: MPI_THREAD_FUNNELED is needed");
    return ITH_OK;
}

/* A communicator of our own, so that messages never meet those of a program that embeds the library. */
static void make_world(ith_comm *comm, MPI_Comm from)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_mpi_check(comm, MPI_Comm_dup(from, &impl->world), "MPI_Comm_dup");
    ith_mpi_check(comm, MPI_Comm_set_errhandler(impl->world, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    ith_mpi_check(comm, MPI_Comm_rank(impl->world, &comm->rank), "MPI_Comm_rank");
    ith_mpi_check(comm, MPI_Comm_size(impl->world, &comm->size), "MPI_Comm_size");
}

static bool alloc_arrays(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    size_t n = (size_t)comm->size;
    impl->counts = calloc(n, sizeof *impl->counts);
    impl->displs = calloc(n, sizeof *impl->displs);
    impl->vectors = calloc(4 * n, sizeof *impl->vectors);
    impl->own = calloc(2 * n, sizeof *impl->own);
    comm->node_of = impl->node_of = calloc(n, sizeof *impl->node_of);
    bool steps = true;
    for (int i = 0; i < ITH_MPI_FLIGHTS; i++) {
        impl->flights[i].tag = 1 + i;
        impl->flights[i].step_end = calloc(n, sizeof *impl->flights[i].step_end);
        steps = steps && impl->flights[i].step_end != NULL;
    }
    return impl->counts && impl->displs && impl->vectors && impl->own && impl->node_of && steps;
}

/* NULL: no memory. */
static ith_comm *new_comm(void)
{
    ith_comm *comm = calloc(1, sizeof *comm);
    ith_mpi_impl *impl = calloc(1, sizeof *impl);
    if (!comm || !impl) {
        free(comm);
        free(impl);
        return NULL;
    }
    comm->ops = &mpi_ops;
    comm->impl = impl;
    impl->node.comm = impl->domain.comm = MPI_COMM_NULL;
    return comm;
}

ith_status ith_comm_open_mpi(const ith_mpi_options *options, ith_comm **out, ith_error *err)
{
    bool started = false;
    *out = NULL;
    ith_comm *comm = new_comm();
    if (!comm)
        return ith_fail(err, ITH_E_MEMORY, "communicator: no memory");
    ith_mpi_impl *impl = ith_mpi_of(comm);
    impl->piece = options->piece;
    impl->windows_only = options->windows_only;
    ith_status status = start_mpi(&started, err);
    if (status != ITH_OK) {
        free_impl(comm);
        return status;
    }
    impl->finalize = started;
    make_world(comm, MPI_COMM_WORLD);
    if (!alloc_arrays(comm))
        ith_comm_abort(comm, 1, "communicator: no memory");
    ith_mpi_find_nodes(comm, options->ranks_per_node);
    status = ith_mpi_gather_open(comm, options->slot, err);
    if (status != ITH_OK) {
        mpi_close(comm);
        return status;
    }
    *out = comm;
    return ITH_OK;
}

static ith_status mpi_side(ith_comm *comm, ith_comm **out, ith_error *err)
{
    int level = MPI_THREAD_SINGLE;
    *out = NULL;
    ith_mpi_check(comm, MPI_Query_thread(&level), "MPI_Query_thread");
    if (level < MPI_THREAD_MULTIPLE) /* equal on all ranks */
        return ith_fail(err, ITH_E_COMM,
                        "%s was started without MPI_THREAD_MULTIPLE, which gathering weights from other nodes needs",
                        ith_comm_library());
    ith_comm *side = new_comm();
    if (!side)
        ith_comm_abort(comm, 1, "communicator: no memory");
    ith_mpi_of(side)->piece = ith_mpi_of(comm)->piece;
    ith_mpi_of(side)->patient = true;
    make_world(side, ith_mpi_of(comm)->world);
    if (!alloc_arrays(side))
        ith_comm_abort(comm, 1, "communicator: no memory");
    side->node_rank = comm->node_rank;
    side->node_size = comm->node_size;
    side->domain_rank = comm->domain_rank;
    side->domain_size = comm->domain_size;
    side->node = comm->node;
    side->n_nodes = comm->n_nodes;
    memcpy(ith_mpi_of(side)->node_of, comm->node_of, (size_t)comm->size * sizeof *comm->node_of);
    *out = side;
    return ITH_OK;
}

bool ith_comm_mpi_running(void)
{
    int started = 0, finished = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&finished);
    return started && !finished;
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *ith_comm_library(void)
{
#if defined(OPEN_MPI)
    return "Open MPI v" TEXT(OMPI_MAJOR_VERSION) "." TEXT(OMPI_MINOR_VERSION) "." TEXT(OMPI_RELEASE_VERSION);
#elif defined(MPICH_VERSION)
    return "MPICH v" MPICH_VERSION;
#else
    return "MPI " TEXT(MPI_VERSION) "." TEXT(MPI_SUBVERSION);
#endif
}
