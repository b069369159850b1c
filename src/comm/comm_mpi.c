/* comm_mpi.c - the ranks of a launcher, over MPI (the only file that includes <mpi.h>).
 *
 * Byte counts are 64-bit, MPI's are int. Where all ranks can see from their arguments that everything fits, MPI's own collective
 * is called; otherwise blocks travel as pieces (exchange). An all-to-all always uses exchange: its counts differ between ranks, so
 * that none can know alone whether the others' fit, and asking would cost a round trip in each layer.
 */
#include "comm/comm_impl.h"

#include "base/mem.h"
#include "base/range.h"
#include "comm/node_memory.h"

#include <limits.h>
#include <mpi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define GIB        1073741824.0
#define MAX_SHARED ((size_t)1 << 56)

enum { TAG_EXCHANGE = 1, TAG_MESSAGE = 2, ALIGN = 64, EACH = -1 };

typedef struct buffer { /* one shared buffer */
    struct buffer *next;
    void *data;
    ith_node_memory memory; /* either this */
    MPI_Win win;            /* or this, else MPI_WIN_NULL */
} buffer;

typedef struct mpi_impl {
    MPI_Comm world, node;
    bool finalize;
    int64_t piece;     /* most bytes in one message */
    bool windows_only; /* no anonymous files */
    buffer *buffers;
    int *counts, *displs;  /* [size] MPI's int form of an allgather */
    MPI_Request *requests; /* [n_requests], at least 2 * size */
    int64_t n_requests;
} mpi_impl;

static mpi_impl *impl_of(ith_comm *comm)
{
    return comm->impl;
}

/* ---- Errors: the rank that sees one cannot mend it, so it ends all ---- */

static void check(ith_comm *comm, int code, const char *call)
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

/* ---- Messages ---- */

static void mpi_barrier(ith_comm *comm)
{
    check(comm, MPI_Barrier(impl_of(comm)->world), "MPI_Barrier");
}

static void mpi_bcast(ith_comm *comm, void *buf, int64_t bytes, int root)
{
    mpi_impl *impl = impl_of(comm);
    for (int64_t at = 0; at < bytes; at += impl->piece) {
        int64_t n = bytes - at < impl->piece ? bytes - at : impl->piece;
        check(comm, MPI_Bcast((char *)buf + at, (int)n, MPI_BYTE, root, impl->world), "MPI_Bcast");
    }
    comm->stats.bcast_calls++;
    if (comm->rank == root)
        comm->stats.bcast_sent += bytes * (comm->size - 1);
}

static int64_t mpi_max(ith_comm *comm, int64_t value)
{
    int64_t most;
    check(comm, MPI_Allreduce(&value, &most, 1, MPI_INT64_T, MPI_MAX, impl_of(comm)->world), "MPI_Allreduce");
    return most;
}

typedef struct blocks { /* one block per rank, or one for all */
    char *base;
    const int64_t *counts, *displs;
    int only; /* this block for every rank; EACH: its own */
} blocks;

/* Piece number `round` of block r: its size, 0 when the block has no such piece. */
static int piece_of(const mpi_impl *impl, const blocks *b, int r, int64_t round, char **at)
{
    int block = b->only == EACH ? r : b->only;
    int64_t begin = round * impl->piece, left = b->counts[block] - begin;
    if (left <= 0)
        return 0;
    *at = b->base + b->displs[block] + begin;
    return (int)(left < impl->piece ? left : impl->piece);
}

/* Starts all messages of a round, receives first. Rank r begins with its right neighbour, so that not all send to the
 * same rank at once. Returns how many were started. */
static int start_round(ith_comm *comm, const blocks *send, const blocks *recv, int64_t round)
{
    mpi_impl *impl = impl_of(comm);
    char *at;
    int started = 0;
    for (int step = 1; step < comm->size; step++) {
        int from = (comm->rank - step + comm->size) % comm->size, n = piece_of(impl, recv, from, round, &at);
        if (n > 0)
            check(comm, MPI_Irecv(at, n, MPI_BYTE, from, TAG_EXCHANGE, impl->world, &impl->requests[started++]),
                  "MPI_Irecv");
    }
    for (int step = 1; step < comm->size; step++) {
        int to = (comm->rank + step) % comm->size, n = piece_of(impl, send, to, round, &at);
        if (n > 0)
            check(comm, MPI_Isend(at, n, MPI_BYTE, to, TAG_EXCHANGE, impl->world, &impl->requests[started++]),
                  "MPI_Isend");
    }
    return started;
}

/* Block r of `send` goes to rank r, for all r but this rank. Both ends of a message know its size and cut it alike; pieces of a pair
 * arrive in order. A round waits for messages that its partners start in the same round at the latest, so no ring of waiting ranks
 * can close. */
static void exchange(ith_comm *comm, const blocks *send, const blocks *recv)
{
    int started;
    for (int64_t round = 0; (started = start_round(comm, send, recv, round)) > 0; round++)
        check(comm, MPI_Waitall(started, impl_of(comm)->requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
}

static void mpi_alltoallv(ith_comm *comm, const void *send, const int64_t *send_counts, const int64_t *send_displs,
                          void *recv, const int64_t *recv_counts, const int64_t *recv_displs)
{
    int me = comm->rank;
    blocks out = {(char *)send, send_counts, send_displs, EACH}, in = {recv, recv_counts, recv_displs, EACH};
    if (send_counts[me] > 0)
        memcpy(in.base + recv_displs[me], out.base + send_displs[me], (size_t)send_counts[me]);
    exchange(comm, &out, &in);
    comm->stats.alltoall_calls++;
    for (int r = 0; r < comm->size; r++)
        comm->stats.alltoall_sent += r == me ? 0 : send_counts[r];
}

/* ---- Messages that a rank names one by one ---- */

static int64_t pieces_in(const mpi_impl *impl, const ith_parcel *list, int64_t n)
{
    int64_t pieces = 0;
    for (int64_t i = 0; i < n; i++)
        pieces += (list[i].bytes + impl->piece - 1) / impl->piece;
    return pieces;
}

static void reserve_requests(ith_comm *comm, int64_t n)
{
    mpi_impl *impl = impl_of(comm);
    MPI_Request *grown;
    if (n <= impl->n_requests)
        return;
    grown = n < INT_MAX ? realloc(impl->requests, (size_t)n * sizeof *grown) : NULL;
    if (!grown)
        ith_comm_abort(comm, 1, "no memory for the messages of an exchange");
    impl->requests = grown;
    impl->n_requests = n;
}

static void start_message(ith_comm *comm, const ith_parcel *m, bool send, int *started)
{
    mpi_impl *impl = impl_of(comm);
    for (int64_t at = 0; at < m->bytes; at += impl->piece) {
        int n = (int)(m->bytes - at < impl->piece ? m->bytes - at : impl->piece);
        char *buf = (char *)m->buf + at;
        MPI_Request *request = &impl->requests[(*started)++];
        if (send)
            check(comm, MPI_Isend(buf, n, MPI_BYTE, m->rank, TAG_MESSAGE, impl->world, request), "MPI_Isend");
        else
            check(comm, MPI_Irecv(buf, n, MPI_BYTE, m->rank, TAG_MESSAGE, impl->world, request), "MPI_Irecv");
    }
}

static void mpi_messages(ith_comm *comm, const ith_parcel *sends, int64_t n_sends, const ith_parcel *recvs,
                         int64_t n_recvs)
{
    mpi_impl *impl = impl_of(comm);
    int started = 0;
    reserve_requests(comm, pieces_in(impl, sends, n_sends) + pieces_in(impl, recvs, n_recvs));
    for (int64_t i = 0; i < n_recvs; i++)
        start_message(comm, &recvs[i], false, &started);
    for (int64_t i = 0; i < n_sends; i++) {
        start_message(comm, &sends[i], true, &started);
        comm->stats.message_sent += sends[i].bytes;
    }
    check(comm, MPI_Waitall(started, impl->requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
    comm->stats.message_calls++;
}

/* The arguments are the same on all ranks, so all come to the same answer. */
static bool fits_one_call(const ith_comm *comm, const mpi_impl *impl, const int64_t *counts, const int64_t *displs)
{
    for (int r = 0; r < comm->size; r++)
        if (counts[r] > impl->piece || displs[r] > impl->piece)
            return false;
    return true;
}

/* Own block first, then it goes from its place in recv to everyone. */
static void allgather_pieces(ith_comm *comm, const void *send, void *recv, const int64_t *counts, const int64_t *displs)
{
    int me = comm->rank;
    blocks in = {recv, counts, displs, EACH}, out = {recv, counts, displs, me};
    if (send != in.base + displs[me] && counts[me] > 0)
        memcpy(in.base + displs[me], send, (size_t)counts[me]);
    exchange(comm, &out, &in);
}

static void allgather_at_once(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                              const int64_t *displs)
{
    mpi_impl *impl = impl_of(comm);
    int me = comm->rank;
    for (int r = 0; r < comm->size; r++) {
        impl->counts[r] = (int)counts[r];
        impl->displs[r] = (int)displs[r];
    }
    const void *from = send == (char *)recv + displs[me] ? MPI_IN_PLACE : send;
    check(comm,
          MPI_Allgatherv(from, impl->counts[me], MPI_BYTE, recv, impl->counts, impl->displs, MPI_BYTE, impl->world),
          "MPI_Allgatherv");
}

static void mpi_allgatherv(ith_comm *comm, const void *send, void *recv, const int64_t *counts, const int64_t *displs)
{
    if (fits_one_call(comm, impl_of(comm), counts, displs))
        allgather_at_once(comm, send, recv, counts, displs);
    else
        allgather_pieces(comm, send, recv, counts, displs);
    comm->stats.allgather_calls++;
    comm->stats.allgather_sent += counts[comm->rank] * (comm->size - 1);
}

/* ---- Memory shared by the ranks of a node ---- */

static void sync_windows(ith_comm *comm)
{
    for (buffer *b = impl_of(comm)->buffers; b; b = b->next)
        if (b->win != MPI_WIN_NULL)
            check(comm, MPI_Win_sync(b->win), "MPI_Win_sync");
    atomic_thread_fence(memory_order_seq_cst);
}

/* After the barrier each rank sees what the others of its node wrote into shared memory before. */
static void mpi_node_barrier(ith_comm *comm)
{
    sync_windows(comm);
    check(comm, MPI_Barrier(impl_of(comm)->node), "MPI_Barrier");
    sync_windows(comm);
}

static ith_status check_memory(size_t bytes, const char *what, ith_error *err)
{
    size_t available = ith_mem_available();
    if (bytes <= available)
        return ITH_OK;
    return ith_fail(err, ITH_E_MEMORY, "%s: %.1f GiB needed, %.1f GiB available", what, (double)bytes / GIB,
                    (double)available / GIB);
}

/* Collective over the node, one answer for its ranks. The first way: node rank 0 makes an anonymous file, the others open it.
 * It fails where they may not (separate process namespaces). `want` counts on node rank 0. */
static bool share_anonymous(ith_comm *comm, buffer *b, size_t bytes, bool want)
{
    mpi_impl *impl = impl_of(comm);
    int64_t ticket[2] = {0, -1}; /* process, descriptor */
    int fd = -1, done = 0;
    if (comm->node_rank == 0 && want && ith_node_memory_create(bytes, &b->memory, &fd)) {
        ticket[0] = getpid();
        ticket[1] = fd;
        done = 1;
    }
    check(comm, MPI_Bcast(ticket, 2, MPI_INT64_T, 0, impl->node), "MPI_Bcast");
    if (comm->node_rank != 0 && ticket[0] != 0)
        done = ith_node_memory_attach((pid_t)ticket[0], (int)ticket[1], bytes, &b->memory);
    check(comm, MPI_Allreduce(MPI_IN_PLACE, &done, 1, MPI_INT, MPI_MIN, impl->node), "MPI_Allreduce");
    if (fd >= 0)
        close(fd);
    if (!done)
        ith_node_memory_free(&b->memory);
    b->data = b->memory.data;
    return done;
}

/* The second way is MPI's window. Where Open MPI keeps those: a file there may be larger than its file system, and the first touch
 * beyond would kill the process (SIGBUS). */
static const char *window_folder(void)
{
    const char *set = getenv("OMPI_MCA_osc_sm_backing_directory");
    return set ? set : "/dev/shm";
}

static ith_status check_window_room(size_t bytes, const char *what, ith_error *err)
{
    const char *folder = window_folder();
    struct statvfs fs;
    if (statvfs(folder, &fs) != 0)
        return ITH_OK; /* another MPI, another place: MPI_Win_allocate_shared will tell */
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (bytes + bytes / 16 + (1 << 16) <= room) /* Open MPI wants 5% more than it takes, and a header */
        return ITH_OK;
    return ith_fail(err, ITH_E_MEMORY,
                    "%s: %.1f GiB shared memory needed, %s has %.1f GiB left: enlarge it (mount -o remount,size=..., "
                    "docker run --shm-size=...)",
                    what, (double)bytes / GIB, folder, (double)room / GIB);
}

/* Collective over the node. */
static void make_window(ith_comm *comm, buffer *b, size_t bytes)
{
    mpi_impl *impl = impl_of(comm);
    MPI_Aint size = comm->node_rank == 0 ? (MPI_Aint)(bytes + ALIGN) : 0;
    int unit;
    void *base;
    check(comm, MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, impl->node, &base, &b->win), "MPI_Win_allocate_shared");
    check(comm, MPI_Win_set_errhandler(b->win, MPI_ERRORS_RETURN), "MPI_Win_set_errhandler");
    check(comm, MPI_Win_shared_query(b->win, 0, &size, &unit, &base), "MPI_Win_shared_query");
    check(comm, MPI_Win_lock_all(MPI_MODE_NOCHECK, b->win), "MPI_Win_lock_all");
    b->data = (void *)(((uintptr_t)base + ALIGN - 1) / ALIGN *
                       ALIGN); /* mappings differ by whole pages: the same byte for all */
}

/* The placement is set before the first touch; each rank touches its share. */
static void zero_buffer(ith_comm *comm, void *data, size_t bytes)
{
    ith_range mine = ith_split((int64_t)bytes, sysconf(_SC_PAGESIZE), comm->node_size, comm->node_rank);
    ith_mem_advise_weights(data, bytes);
    mpi_node_barrier(comm);
    memset((char *)data + mine.begin, 0, (size_t)ith_range_size(mine));
    mpi_node_barrier(comm);
}

/* All that can fail on one rank alone; b->data stays NULL where a window is to follow. */
static ith_status reserve_buffer(ith_comm *comm, buffer *b, size_t bytes, const char *what, ith_error *err)
{
    if (comm->node_size == 1) /* ordinary memory */
        return ith_mem_alloc(ITH_MEM_WEIGHTS, bytes, what, &b->data, err);
    ith_status status = comm->node_rank == 0 ? check_memory(bytes, what, err) : ITH_OK;
    if (share_anonymous(comm, b, bytes, status == ITH_OK && !impl_of(comm)->windows_only) || status != ITH_OK)
        return status;
    return comm->node_rank == 0 ? check_window_room(bytes, what, err) : ITH_OK;
}

/* What a rank holds of a buffer; a window is freed by all ranks of its node together. */
static void free_buffer(ith_comm *comm, buffer *b)
{
    if (b->win != MPI_WIN_NULL) {
        check(comm, MPI_Win_unlock_all(b->win), "MPI_Win_unlock_all");
        check(comm, MPI_Win_free(&b->win), "MPI_Win_free");
    } else if (b->memory.data) {
        ith_node_memory_free(&b->memory);
    } else {
        ith_mem_free(b->data);
    }
    free(b);
}

static ith_status mpi_shared_alloc(ith_comm *comm, size_t bytes, const char *what, void **out, ith_error *err)
{
    mpi_impl *impl = impl_of(comm);
    *out = NULL;
    if (bytes > MAX_SHARED) /* equal on all ranks */
        return ith_fail(err, ITH_E_MEMORY, "%s: %zu bytes needed, more than addresses reach", what, bytes);
    buffer *b = calloc(1, sizeof *b);
    if (!b)
        ith_comm_abort(comm, 1, "shared buffer: no memory");
    b->win = MPI_WIN_NULL;
    ith_status status = ith_comm_agree(comm, reserve_buffer(comm, b, bytes > 0 ? bytes : 1, what, err), err);
    if (status != ITH_OK) {
        free_buffer(comm, b);
        return status;
    }
    if (!b->data)
        make_window(comm, b, bytes);
    b->next = impl->buffers;
    impl->buffers = b;
    if (comm->node_size > 1)
        zero_buffer(comm, b->data, bytes);
    *out = b->data;
    return ITH_OK;
}

static void mpi_shared_free(ith_comm *comm, void *ptr)
{
    for (buffer **at = &impl_of(comm)->buffers; ptr && *at; at = &(*at)->next) {
        buffer *b = *at;
        if (b->data != ptr)
            continue;
        *at = b->next;
        free_buffer(comm, b);
        return;
    }
}

/* ---- Opening and closing ---- */

static void free_impl(ith_comm *comm)
{
    mpi_impl *impl = impl_of(comm);
    if (impl) {
        free(impl->counts);
        free(impl->displs);
        free(impl->requests);
    }
    free(impl);
    free(comm);
}

static void mpi_close(ith_comm *comm)
{
    mpi_impl *impl = impl_of(comm);
    bool finalize = impl->finalize;
    while (impl->buffers)
        mpi_shared_free(comm, impl->buffers->data);
    check(comm, MPI_Comm_free(&impl->node), "MPI_Comm_free");
    check(comm, MPI_Comm_free(&impl->world), "MPI_Comm_free");
    free_impl(comm);
    if (finalize)
        MPI_Finalize();
}

static const ith_comm_ops mpi_ops = {
    .name = "mpi",
    .barrier = mpi_barrier,
    .bcast = mpi_bcast,
    .allgatherv = mpi_allgatherv,
    .alltoallv = mpi_alltoallv,
    .messages = mpi_messages,
    .max = mpi_max,
    .shared_alloc = mpi_shared_alloc,
    .shared_free = mpi_shared_free,
    .node_barrier = mpi_node_barrier,
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
    int initialized = 0, level = MPI_THREAD_SINGLE;
    MPI_Initialized(&initialized);
    *started = !initialized;
    let_waiting_ranks_yield();
    if (initialized)
        MPI_Query_thread(&level);
    else if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return ith_fail(err, ITH_E_COMM, "MPI_Init_thread failed");
    if (level < MPI_THREAD_FUNNELED)
        return ith_fail(err, ITH_E_COMM, "MPI was started without thread support: MPI_THREAD_FUNNELED is needed");
    return ITH_OK;
}

/* A communicator of our own, so that messages never meet those of a program that embeds the library. */
static void make_communicators(ith_comm *comm)
{
    mpi_impl *impl = impl_of(comm);
    check(comm, MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank), "MPI_Comm_rank");
    check(comm, MPI_Comm_size(MPI_COMM_WORLD, &comm->size), "MPI_Comm_size");
    check(comm, MPI_Comm_dup(MPI_COMM_WORLD, &impl->world), "MPI_Comm_dup");
    check(comm, MPI_Comm_set_errhandler(impl->world, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(comm, MPI_Comm_split_type(impl->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &impl->node),
          "MPI_Comm_split_type");
    check(comm, MPI_Comm_set_errhandler(impl->node, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(comm, MPI_Comm_rank(impl->node, &comm->node_rank), "MPI_Comm_rank");
    check(comm, MPI_Comm_size(impl->node, &comm->node_size), "MPI_Comm_size");
}

static bool alloc_arrays(ith_comm *comm)
{
    mpi_impl *impl = impl_of(comm);
    size_t n = (size_t)comm->size;
    impl->counts = calloc(n, sizeof *impl->counts);
    impl->displs = calloc(n, sizeof *impl->displs);
    impl->requests = calloc(2 * n, sizeof(MPI_Request));
    impl->n_requests = (int64_t)(2 * n);
    return impl->counts && impl->displs && impl->requests;
}

ith_status ith_comm_open_mpi(const ith_mpi_options *options, ith_comm **out, ith_error *err)
{
    bool started;
    *out = NULL;
    ith_comm *comm = calloc(1, sizeof *comm);
    mpi_impl *impl = calloc(1, sizeof *impl);
    if (!comm || !impl) {
        free(comm);
        free(impl);
        return ith_fail(err, ITH_E_MEMORY, "communicator: no memory");
    }
    comm->ops = &mpi_ops;
    comm->impl = impl;
    impl->piece = options->piece;
    impl->windows_only = options->windows_only;
    ith_status status = start_mpi(&started, err);
    if (status != ITH_OK) {
        free_impl(comm);
        return status;
    }
    impl->finalize = started;
    make_communicators(comm);
    if (!alloc_arrays(comm))
        ith_comm_abort(comm, 1, "communicator: no memory");
    *out = comm;
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
