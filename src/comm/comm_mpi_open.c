/* comm_mpi_open.c - starts MPI; makes and closes communicators over it. */
#include "comm/comm_mpi_open.h"

#include "base/build.h"
#include "comm/comm_mpi.h"
#include "comm/comm_mpi_collectives.h"
#include "comm/comm_mpi_exchange.h"
#include "comm/comm_mpi_flight.h"
#include "comm/comm_mpi_gather.h"
#include "comm/comm_mpi_meet.h"
#include "comm/comm_mpi_memory.h"
#include "comm/comm_mpi_nodes.h"
#include "comm/interfaces.h"
#include "comm/same.h"
#include "comm/single_copy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* At exit. */
static void finalize_late(void)
{
    if (ith_comm_mpi_running())
        MPI_Finalize();
}

/* Collective. `late`: an error is still to be reported. */
static void finalize_mpi(bool late)
{
    if (!late || atexit(finalize_late) != 0)
        MPI_Finalize();
}

static void mpi_close(ith_comm *comm, bool late)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    bool finalize = impl->finalize;
    ith_network_watch_close(impl->watch);
    ith_heartbeat_close(impl->heartbeat);
    while (impl->buffers)
        ith_mpi_shared_free(comm, impl->buffers->data);
    if (impl->domain.comm != MPI_COMM_NULL)
        ith_mpi_check(comm, MPI_Comm_free(&impl->domain.comm), "MPI_Comm_free");
    if (impl->node.comm != MPI_COMM_NULL)
        ith_mpi_check(comm, MPI_Comm_free(&impl->node.comm), "MPI_Comm_free");
    ith_mpi_check(comm, MPI_Comm_free(&impl->world), "MPI_Comm_free");
    free_impl(comm);
    if (finalize)
        finalize_mpi(late);
}

static __attribute__((noreturn)) void mpi_abort(ith_comm *comm, int code)
{
    (void)comm;
    MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code); /* MPI_Abort does not return; the compiler cannot know */
}

static ith_status mpi_side(ith_comm *comm, ith_comm **out, ith_error *err);

static const ith_comm_ops mpi_ops = {
    .name = "mpi",
    .barrier = ith_mpi_barrier,
    .idle_barrier = ith_mpi_idle_barrier,
    .bcast = ith_mpi_bcast,
    .allgatherv = ith_mpi_allgatherv,
    .alltoall_start = ith_mpi_exchange_start,
    .messages_open = ith_mpi_messages_open,
    .messages_start = ith_mpi_messages_start,
    .progress = ith_mpi_progress,
    .finish = ith_mpi_finish,
    .overlaps = ith_mpi_exchange_overlaps,
    .exchange_open = ith_mpi_exchange_open,
    .max = ith_mpi_max,
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

/* Lets a rank that waits in MPI yield its core. Open MPI does so by itself only where ranks
 * outnumber cores, and does not count threads: 2 ranks x 2 threads on 2 cores would block each
 * other. On free cores there is no measurable cost (an allreduce of 2 ranks: 0.6 us and 0.7 us). A
 * user's setting stays. */
static void let_waiting_ranks_yield(void)
{
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

static ith_status start_mpi(bool *started, const char **note, ith_error *err)
{
    int initialized = 0, finalized = 0, level = MPI_THREAD_SINGLE;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    if (finalized)
        return ith_fail(err, ITH_E_COMM,
                        "MPI has been finalized in this process and can't be started again");
    *started = !initialized;
    let_waiting_ranks_yield();
    if (!initialized)
        ith_interfaces_choose();
    *note = initialized ? NULL : ith_single_copy_check();
    if (initialized)
        MPI_Query_thread(&level);
    else if (MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS)
        return ith_fail(err, ITH_E_COMM, "MPI_Init_thread failed");
    if (level < MPI_THREAD_FUNNELED)
        return ith_fail(err, ITH_E_COMM,
                        "MPI was started without thread support: MPI_THREAD_FUNNELED is needed");
    return ITH_OK;
}

/* A duplicate: our messages never meet those of a program that embeds the library. */
static void make_world(ith_comm *comm, MPI_Comm from)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_mpi_check(comm, MPI_Comm_dup(from, &impl->world), "MPI_Comm_dup");
    ith_mpi_check(comm, MPI_Comm_set_errhandler(impl->world, MPI_ERRORS_RETURN),
                  "MPI_Comm_set_errhandler");
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

/* NULL if there is no memory. */
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

/* Collective over MPI's world, which can agree before there is a communicator of ours. NULL on all
 * ranks if there is no memory on one. */
static ith_comm *new_comm_on_all(void)
{
    ith_comm *comm = new_comm();
    int made = comm != NULL;

    if (MPI_Allreduce(MPI_IN_PLACE, &made, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD) == MPI_SUCCESS &&
        made)
        return comm;
    if (comm != NULL)
        free_impl(comm);
    return NULL;
}

/* Ends all ranks. MPI_Abort may wait for the launcher, which the same machine may have cut off. */
static void machine_is_lost(void *user, const char *text)
{
    enum { PATIENCE_S = 2 };

    signal(SIGALRM, SIG_DFL);
    alarm(PATIENCE_S);
    ith_comm_abort(user, 1, text);
}

/* An ith_network_ask_fn. A machine that is lost is known by its connections first. */
static bool rank_is_stopped(void *user, int looks, int late, char text[ITH_NETWORK_TEXT])
{
    enum { LEAD = 2 };
    const ith_mpi_impl *impl = ith_mpi_of(user);
    const char *host;
    int missed = ith_heartbeat_look(impl->heartbeat, late), before,
        seconds = ith_heartbeat_seconds(impl->heartbeat) * ith_heartbeat_times(impl->heartbeat);

    if (missed < (int64_t)looks * seconds / impl->network_timeout_s + LEAD)
        return false;
    before = ith_heartbeat_before(impl->heartbeat, &host);
    snprintf(
        text, ITH_NETWORK_TEXT,
        "rank %d on %s has not run for %d seconds: it is stopped (SIGSTOP, a debugger), or its "
        "machine hangs",
        before, host, seconds);
    return true;
}

/* Collective, whatever a rank's `seconds`; 0: it does not watch. Without memory none does. */
static void watch_ranks(ith_comm *comm, int seconds)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_pulse here, *all = calloc((size_t)comm->size, sizeof *all);
    ith_host *hosts = calloc((size_t)comm->size, sizeof *hosts);
    int made;

    impl->network_timeout_s = seconds;
    impl->heartbeat = ith_heartbeat_open(seconds, &here);
    made = all != NULL && hosts != NULL && impl->heartbeat != NULL;
    ith_mpi_check(comm, MPI_Allreduce(MPI_IN_PLACE, &made, 1, MPI_INT, MPI_MIN, impl->world),
                  "MPI_Allreduce");
    if (made) {
        ith_mpi_check(
            comm,
            MPI_Allgather(&here, sizeof here, MPI_BYTE, all, sizeof here, MPI_BYTE, impl->world),
            "MPI_Allgather");
        ith_heartbeat_join(impl->heartbeat, all, comm->size, comm->rank);
        for (int r = 0; r < comm->size; r++)
            hosts[r] = all[r].host;
        if (seconds > 0)
            impl->watch = ith_network_watch_open(hosts, comm->size, seconds, machine_is_lost,
                                                 rank_is_stopped, comm);
    }
    /* Nobody beats: the next rank must not wait for it. */
    if (impl->watch == NULL) {
        ith_heartbeat_close(impl->heartbeat);
        impl->heartbeat = NULL;
    }
    free(all);
    free(hosts);
}

/* Collective. Launchers need not pass variables on to all ranks. */
static ith_status compare_options(ith_comm *comm, const ith_mpi_options *options, ith_error *err)
{
    ith_same same = {0};

    ith_same_text(&same, "ITHACA_RANKS_PER_NODE", options->ranks_per_node_text);
    return ith_comm_same(comm, &same, err);
}

ith_status ith_comm_open_mpi(const ith_mpi_options *options, ith_comm **out, ith_error *err)
{
    bool started = false;
    const char *note = NULL;
    *out = NULL;
    ITH_TRY(start_mpi(&started, &note, err));
    if (started && ith_mpi_meet(ith_build_id(), err) != ITH_OK) {
        finalize_mpi(true);
        return ITH_E_COMM;
    }
    ith_comm *comm = new_comm_on_all();
    if (!comm) {
        if (started)
            finalize_mpi(true);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a communicator on some rank");
    }
    ith_mpi_impl *impl = ith_mpi_of(comm);
    impl->message_bytes = options->message_bytes;
    impl->windows_only = options->windows_only;
    snprintf(comm->note, sizeof comm->note, "%s", note != NULL ? note : "");
    impl->finalize = started;
    make_world(comm, MPI_COMM_WORLD);
    ith_status status =
        ith_comm_agree_memory(comm, alloc_arrays(comm) ? comm : NULL, "a communicator", err);
    if (status == ITH_OK)
        status = compare_options(comm, options, err);
    if (status == ITH_OK)
        status = ith_mpi_find_nodes(comm, options->ranks_per_node, err);
    if (status == ITH_OK)
        status = ith_mpi_gather_open(comm, options->board_bytes, err);
    if (status != ITH_OK) {
        mpi_close(comm, true);
        return status;
    }
    if (started && comm->size > 1)
        watch_ranks(comm, options->network_timeout_s);
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
                        "%s was started without MPI_THREAD_MULTIPLE, which gathering weights from "
                        "other nodes needs",
                        ith_mpi_library());
    ith_comm *side = new_comm();
    ith_status status = ith_comm_agree_memory(comm, side, "a communicator", err);
    if (status != ITH_OK) {
        if (side != NULL)
            free_impl(side);
        return status;
    }
    ith_mpi_of(side)->message_bytes = ith_mpi_of(comm)->message_bytes;
    ith_mpi_of(side)->patient = true;
    make_world(side, ith_mpi_of(comm)->world);
    status = ith_comm_agree_memory(comm, alloc_arrays(side) ? side : NULL, "a communicator", err);
    if (status != ITH_OK) {
        mpi_close(side, false);
        return status;
    }
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

const char *ith_mpi_library(void)
{
#if defined(OPEN_MPI)
    return "Open MPI v" TEXT(OMPI_MAJOR_VERSION) "." TEXT(OMPI_MINOR_VERSION) "." TEXT(
        OMPI_RELEASE_VERSION);
#elif defined(MPICH_VERSION)
    return "MPICH v" MPICH_VERSION;
#else
    return "MPI " TEXT(MPI_VERSION) "." TEXT(MPI_SUBVERSION);
#endif
}
