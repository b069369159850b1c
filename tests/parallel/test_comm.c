/* RANKS: 1 2 3 4 5 7 8 */
/* Messages between ranks: uneven and empty blocks, blocks larger than one message may be, shared memory, agreement. */
#include "tests/check.h"

#include "comm/comm_impl.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANKS = 16, GUARD = 32, PIECE = 1000, MOST = MAX_RANKS * (5000 + GUARD) + GUARD };

static const ith_mpi_options in_pieces = {.piece = PIECE}, by_windows = {.piece = 1 << 30, .windows_only = true},
                             small_slots = {.piece = 1 << 30, .slot = 128};

typedef struct plan { /* where blocks lie in a buffer, with a guard between them */
    int64_t counts[MAX_RANKS], displs[MAX_RANKS], bytes;
} plan;

/* Bytes from s to d: some none at all, some one piece, some several with and without a rest. */
static int64_t block_bytes(int s, int d)
{
    static const int64_t sizes[] = {1, 0, 37, PIECE, 2 * PIECE, 3 * PIECE + 1, 5000, PIECE - 1};
    return sizes[(s * 3 + d * 5) % 8];
}

static uint8_t byte_of(int s, int d, int64_t i)
{
    return (uint8_t)(i * 7 + s * 31 + d * 101 + i / 251 + 1);
}

static void lay_out(plan *p, int size)
{
    p->bytes = GUARD;
    for (int r = 0; r < size; r++) {
        p->displs[r] = p->bytes;
        p->bytes += p->counts[r] + GUARD;
    }
}

static uint8_t *new_buffer(ith_comm *comm, const plan *p)
{
    uint8_t *buf = malloc((size_t)p->bytes);
    CHECK(comm, buf != NULL);
    memset(buf, 0xee, (size_t)p->bytes);
    return buf;
}

static bool guards_untouched(const uint8_t *buf, const plan *p, int size)
{
    int64_t at = 0;
    for (int r = 0; r <= size; r++) {
        int64_t end = r < size ? p->displs[r] : p->bytes;
        for (; at < end; at++)
            if (buf[at] != 0xee)
                return false;
        at = r < size ? end + p->counts[r] : end;
    }
    return true;
}

static bool block_is(const uint8_t *block, int64_t bytes, int s, int d)
{
    for (int64_t i = 0; i < bytes; i++)
        if (block[i] != byte_of(s, d, i))
            return false;
    return true;
}

static void fill_block(uint8_t *block, int64_t bytes, int s, int d)
{
    for (int64_t i = 0; i < bytes; i++)
        block[i] = byte_of(s, d, i);
}

typedef struct exchanged { /* an exchange under way */
    plan out, in;
    uint8_t *send, *recv;
} exchanged;

static void start_alltoall(ith_comm *comm, int flight, exchanged *e)
{
    int me = comm->rank, size = comm->size;
    for (int r = 0; r < size; r++) {
        e->out.counts[r] = block_bytes(me, r + flight);
        e->in.counts[r] = block_bytes(r, me + flight);
    }
    lay_out(&e->out, size);
    lay_out(&e->in, size);
    e->send = new_buffer(comm, &e->out);
    e->recv = new_buffer(comm, &e->in);
    for (int r = 0; r < size; r++)
        fill_block(e->send + e->out.displs[r], e->out.counts[r], me, r + flight);
    comm->ops->alltoall_start(
        comm, flight,
        &(ith_alltoall){e->send, e->out.counts, e->out.displs, e->recv, e->in.counts, e->in.displs, MOST});
}

static void finish_alltoall(ith_comm *comm, int flight, exchanged *e)
{
    comm->ops->finish(comm, flight);
    for (int r = 0; r < comm->size; r++)
        CHECK(comm, block_is(e->recv + e->in.displs[r], e->in.counts[r], r, comm->rank + flight));
    CHECK(comm, guards_untouched(e->recv, &e->in, comm->size));
    free(e->send);
    free(e->recv);
}

static void do_alltoall(ith_comm *comm)
{
    exchanged e;
    comm->ops->progress(comm); /* may be called at any time */
    start_alltoall(comm, 0, &e);
    for (int i = 0; i < (comm->rank * 3) % 5; i++)
        comm->ops->progress(comm);
    finish_alltoall(comm, 0, &e);
}

/* Exchanges on all flights but one, messages on that; finished in another order. */
static void do_many(ith_comm *comm)
{
    enum { LAST = ITH_FLIGHTS - 1, BYTES = 3 * PIECE };
    static const int order[LAST] = {3, 0, 6, 5, 1, 2, 4};
    int me = comm->rank, size = comm->size, to = (me + 1) % size, from = (me + size - 1) % size, n = size > 1;
    static exchanged e[LAST];
    uint8_t out[BYTES], in[BYTES];
    for (int f = 0; f < LAST; f++) {
        start_alltoall(comm, f, &e[f]);
        if (f == me % 3) { /* not collective */
            fill_block(out, BYTES, me, to);
            comm->ops->messages_start(comm, LAST, &(ith_parcel){to, out, BYTES}, n, &(ith_parcel){from, in, BYTES}, n);
        }
        for (int i = 0; i < (me + f) % 3; i++)
            comm->ops->progress(comm);
    }
    for (int i = 0; i < LAST; i++)
        finish_alltoall(comm, order[i], &e[order[i]]);
    comm->ops->finish(comm, LAST);
    CHECK(comm, size == 1 || block_is(in, BYTES, from, me));
}

static void do_allgather(ith_comm *comm, bool in_place)
{
    int me = comm->rank, size = comm->size;
    plan all;
    for (int r = 0; r < size; r++)
        all.counts[r] = block_bytes(r, 0);
    lay_out(&all, size);
    uint8_t *recv = new_buffer(comm, &all), *own = new_buffer(comm, &all);
    uint8_t *send = in_place ? recv + all.displs[me] : own;
    fill_block(send, all.counts[me], me, 0);
    comm->ops->allgatherv(comm, send, recv, all.counts, all.displs);
    for (int r = 0; r < size; r++)
        CHECK(comm, block_is(recv + all.displs[r], all.counts[r], r, 0));
    CHECK(comm, guards_untouched(recv, &all, size));
    free(recv);
    free(own);
}

static void do_bcast(ith_comm *comm)
{
    static const int64_t sizes[] = {0, 1, PIECE, PIECE + 1, 4 * PIECE, 12345};
    uint8_t buf[12345 + GUARD];
    for (int root = 0; root < comm->size; root++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            memset(buf, 0xee, sizeof buf);
            if (comm->rank == root)
                fill_block(buf, sizes[i], root, 1);
            comm->ops->bcast(comm, buf, sizes[i], root);
            CHECK(comm, block_is(buf, sizes[i], root, 1));
            CHECK(comm, buf[sizes[i]] == 0xee);
        }
}

static void alltoall(ith_comm *comm)
{
    do_alltoall(comm);
    do_alltoall(comm);
    CASE_OK(comm);
}

static void allgather(ith_comm *comm)
{
    do_allgather(comm, false);
    CASE_OK(comm);
}

static void allgather_in_place(ith_comm *comm)
{
    do_allgather(comm, true);
    CASE_OK(comm);
}

static void bcast(ith_comm *comm)
{
    do_bcast(comm);
    CASE_OK(comm);
}

/* What a strategy carries on nodes of so many ranks, and its books. Again and again, so that memory is used again; then with more
 * memory reserved. */
static void exchange_by(ith_comm *comm, ith_exchange strategy, int ranks_per_node)
{
    enum { TIMES = 22 };
    ith_exchange taken = comm->size == 1 && strategy == ITH_EXCHANGE_NODE ? ITH_EXCHANGE_PAIRWISE : strategy;
    ith_mpi_options options = {.piece = 1 << 30, .ranks_per_node = ranks_per_node};
    ith_comm *other;
    int64_t near = 0, far = 0;
    CHECK(comm, ith_comm_open_mpi(&options, &other, NULL) == ITH_OK);
    CHECK(comm, other->ops->exchange_open(other, strategy, MOST, NULL) == ITH_OK);
    do_alltoall(other);
    do_alltoall(other);
    CHECK(comm, other->ops->exchange_open(other, strategy, MOST + 1, NULL) == ITH_OK);
    for (int i = 2; i < TIMES; i++)
        do_alltoall(other);
    for (int r = 0; r < comm->size; r++)
        if (r != comm->rank)
            *(ranks_per_node == 0 || r / ranks_per_node == comm->rank / ranks_per_node ? &near : &far) +=
                TIMES * block_bytes(comm->rank, r);
    CHECK(comm, other->stats.exchange[taken].calls == TIMES);
    CHECK(comm, other->stats.exchange[taken].in_node == near);
    CHECK(comm, other->stats.exchange[taken].cross_node == far);
    do_many(other);
    do_many(other);
    ith_comm_close(other);
}

static void every_strategy_on_nodes_of_any_size(ith_comm *comm)
{
    for (int ranks_per_node = 0; ranks_per_node <= 3; ranks_per_node++)
        for (int strategy = ITH_EXCHANGE_ALLTOALLV; strategy <= ITH_EXCHANGE_NODE; strategy++)
            exchange_by(comm, (ith_exchange)strategy, ranks_per_node);
    CASE_OK(comm);
}

/* What does not fit what a strategy can take goes pairwise: an int of MPI's, the memory reserved. */
static void what_does_not_fit_goes_pairwise(ith_comm *comm)
{
    for (int strategy = ITH_EXCHANGE_AUTO; strategy <= ITH_EXCHANGE_NODE; strategy++) {
        ith_comm *small;
        CHECK(comm, ith_comm_open_mpi(&in_pieces, &small, NULL) == ITH_OK);
        CHECK(comm, small->ops->exchange_open(small, (ith_exchange)strategy, 500, NULL) == ITH_OK);
        do_alltoall(small);
        CHECK(comm, small->stats.exchange[ITH_EXCHANGE_PAIRWISE].calls == 1);
        ith_comm_close(small);
    }
    CASE_OK(comm);
}

/* The same through a communicator whose messages hold PIECE bytes at most, as for blocks above MPI's int. */
static void blocks_above_one_message(ith_comm *comm)
{
    ith_comm *small;
    CHECK(comm, ith_comm_open_mpi(&in_pieces, &small, NULL) == ITH_OK);
    for (int again = 0; again < 2; again++) { /* the next call's messages must not mix with this one's */
        do_alltoall(small);
        do_many(small);
        do_allgather(small, false);
        do_allgather(small, true);
        do_bcast(small);
    }
    ith_comm_close(small);
    CASE_OK(comm);
}

/* Large displacements alone, with small blocks, need the piecewise way too. */
static void small_blocks_far_apart(ith_comm *comm)
{
    ith_comm *small;
    int64_t counts[MAX_RANKS], displs[MAX_RANKS];
    uint8_t buf[MAX_RANKS * 5 * PIECE];
    CHECK(comm, ith_comm_open_mpi(&in_pieces, &small, NULL) == ITH_OK);
    for (int r = 0; r < comm->size; r++) {
        counts[r] = 3;
        displs[r] = (int64_t)(comm->size - 1 - r) * 5 * PIECE; /* descending: the order is the caller's */
    }
    fill_block(buf + displs[comm->rank], 3, comm->rank, 2);
    small->ops->allgatherv(small, buf + displs[comm->rank], buf, counts, displs);
    for (int r = 0; r < comm->size; r++)
        CHECK(comm, block_is(buf + displs[r], 3, r, 2));
    ith_comm_close(small);
    CASE_OK(comm);
}

/* Many turns over slots that are used again, by ranks that arrive in any order; blocks that fit and blocks that do not, in turns. */
static void allgather_by_slots(ith_comm *comm, const ith_mpi_options *options)
{
    ith_comm *other;
    int64_t counts[MAX_RANKS], displs[MAX_RANKS];
    uint8_t buf[MAX_RANKS * 200];
    CHECK(comm, ith_comm_open_mpi(options, &other, NULL) == ITH_OK);
    for (int turn = 0; turn < 300; turn++) {
        for (int r = 0; r < comm->size; r++) {
            counts[r] = turn % 10 == 9 ? 129 + r : (turn * 7 + r * 31) % 129;
            displs[r] = (int64_t)r * 200;
        }
        memset(buf, 0xee, sizeof buf);
        fill_block(buf + displs[comm->rank], counts[comm->rank], comm->rank, turn);
        for (volatile int wait = (turn * 13 + comm->rank * 7) % 11 * 1000; wait > 0; wait--) /* uneven work */
            ;
        other->ops->allgatherv(other, buf + displs[comm->rank], buf, counts, displs);
        for (int r = 0; r < comm->size; r++)
            CHECK(comm, block_is(buf + displs[r], counts[r], r, turn) && buf[displs[r] + counts[r]] == 0xee);
    }
    ith_comm_close(other);
}

static void allgather_through_node_memory(ith_comm *comm)
{
    allgather_by_slots(comm, &small_slots);
    CASE_OK(comm);
}

/* Slots that hold the blocks of all ranks but for the largest. */
static void allgather_between_nodes(ith_comm *comm)
{
    for (int n = 1; n <= 4; n++)
        allgather_by_slots(comm, &(ith_mpi_options){.piece = 1 << 30, .slot = 120 * comm->size, .ranks_per_node = n});
    CASE_OK(comm);
}

static void largest(ith_comm *comm)
{
    for (int r = 0; r < comm->size; r++) {
        CHECK(comm, comm->ops->max(comm, comm->rank == r ? INT64_MAX - 5 : INT64_MIN) == INT64_MAX - 5);
        CHECK(comm, comm->ops->max(comm, -comm->rank - 3) == -3);
    }
    CASE_OK(comm);
}

/* To every second other rank three parcels, of which one is empty and one larger than a message may be. */
static void parcels_match_in_order(ith_comm *comm)
{
    enum { EACH = 3 };
    static const int64_t bytes[EACH] = {7, 2 * PIECE + 3, 0};
    ith_parcel sends[EACH * MAX_RANKS] = {{0}}, recvs[EACH * MAX_RANKS] = {{0}};
    int me = comm->rank, n_sends = 0, n_recvs = 0;
    int64_t sent = 0, before = comm->stats.message_sent;
    for (int r = 0; r < comm->size; r++)
        for (int i = 0; r != me && i < EACH; i++) {
            uint8_t *out = malloc((size_t)bytes[i] + 1), *in = malloc((size_t)bytes[i] + 1);
            CHECK(comm, out != NULL && in != NULL);
            fill_block(out, bytes[i], me, r + i);
            in[bytes[i]] = 0xee;
            if ((me + r) % 2 == 0) {
                sends[n_sends++] = (ith_parcel){r, out, bytes[i]};
                recvs[n_recvs++] = (ith_parcel){r, in, bytes[i]};
                sent += bytes[i];
            } else {
                free(out);
                free(in);
            }
        }
    ith_comm_messages(comm, sends, n_sends, recvs, n_recvs);
    for (int k = 0; k < n_recvs; k++) {
        uint8_t *in = recvs[k].buf;
        CHECK(comm, block_is(in, bytes[k % EACH], recvs[k].rank, me + k % EACH) && in[bytes[k % EACH]] == 0xee);
        free(in);
        free(sends[k].buf);
    }
    CHECK(comm, comm->stats.message_sent - before == sent);
    CASE_OK(comm);
}

static void bytes_are_counted(ith_comm *comm)
{
    int64_t sent = 0, others = comm->size - 1;
    char byte = 0;
    comm->stats = (ith_comm_stats){0};
    comm->exchange = ITH_EXCHANGE_PAIRWISE;
    do_alltoall(comm);
    do_allgather(comm, true);
    comm->ops->bcast(comm, &byte, 1, 0);
    for (int r = 0; r < comm->size; r++)
        sent += r == comm->rank ? 0 : block_bytes(comm->rank, r);
    CHECK(comm, comm->stats.exchange[ITH_EXCHANGE_PAIRWISE].calls == 1);
    CHECK(comm, comm->stats.exchange[ITH_EXCHANGE_PAIRWISE].in_node == sent);
    CHECK(comm, comm->stats.exchange[ITH_EXCHANGE_PAIRWISE].cross_node == 0);
    CHECK(comm, comm->stats.allgather_calls == 1 && comm->stats.allgather_sent == others * block_bytes(comm->rank, 0));
    CHECK(comm, comm->stats.bcast_calls == 1 && comm->stats.bcast_sent == (comm->rank == 0 ? others : 0));
    CASE_OK(comm);
}

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
    for (int again = 0; again < 2; again++) { /* pages that were used before are zeroed too */
        uint8_t *p[WINDOWS];
        for (int w = 0; w < WINDOWS; w++) {
            CHECK(comm, comm->ops->shared_alloc(comm, bytes[w], "test", NULL, NULL, (void **)&p[w], NULL) == ITH_OK);
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
    CHECK(comm, comm->ops->shared_alloc(comm, (size_t)1 << 55, "weights", NULL, NULL, &p, &err) == ITH_E_MEMORY);
    CHECK(comm, p == NULL);
    CHECK(comm, strstr(err.text, "weights: 33554432.0 GiB needed") != NULL);
    CHECK(comm, comm->ops->shared_alloc(comm, SIZE_MAX, "weights", NULL, NULL, &p, &err) == ITH_E_MEMORY);
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
        CHECK(comm, strstr(err.text, "/proc has 0.0 GiB left") != NULL);
    } else { /* a rank alone needs no file */
        CHECK(comm, status == ITH_OK);
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
        CHECK(comm, ith_comm_open_mpi(i == 0 ? &ith_mpi_defaults : &by_windows, &other, NULL) == ITH_OK);
        CHECK(comm, other->ops->shared_alloc(other, 1000, "test", NULL, NULL, &p, NULL) == ITH_OK);
        ith_comm_close(other);
    }
    CASE_OK(comm);
}

/* ---- Nodes, and a second thread that speaks ---- */

static void machines_are_cut_into_nodes(ith_comm *comm)
{
    for (int n = 1; n <= 3; n++) {
        const ith_mpi_options cut = {.piece = PIECE, .ranks_per_node = n};
        ith_comm *other;
        CHECK(comm, ith_comm_open_mpi(&cut, &other, NULL) == ITH_OK);
        int rest = comm->size - comm->rank / n * n;
        CHECK(comm, other->node == comm->rank / n && other->n_nodes == (comm->size + n - 1) / n);
        CHECK(comm, other->node_rank == comm->rank % n && other->node_size == (rest < n ? rest : n));
        for (int r = 0; r < comm->size; r++)
            CHECK(comm, other->node_of[r] == r / n);
        share(other);
        ith_comm_close(other);
    }
    CHECK(comm, comm->node == 0 && comm->n_nodes == 1 && comm->node_of[comm->size - 1] == 0);
    CASE_OK(comm);
}

enum { ROUNDS = 50, SIDE_BYTES = 70 * PIECE };

/* Round a ring, on the side. */
static void *send_round(void *arg)
{
    ith_comm *side = arg;
    int right = (side->rank + 1) % side->size, left = (side->rank + side->size - 1) % side->size;
    uint8_t *out = malloc(SIDE_BYTES), *in = malloc(SIDE_BYTES);
    CHECK(side, out != NULL && in != NULL);
    for (int i = 0; i < ROUNDS; i++) {
        fill_block(out, SIDE_BYTES, side->rank, i);
        ith_comm_messages(side, &(ith_parcel){right, out, SIDE_BYTES}, 1, &(ith_parcel){left, in, SIDE_BYTES}, 1);
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
    ith_status status = comm->rank >= lowest ? ith_fail(&err, ITH_E_IO, "I am %d", comm->rank) : ITH_OK;
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
        alltoall,
        allgather,
        allgather_in_place,
        bcast,
        every_strategy_on_nodes_of_any_size,
        what_does_not_fit_goes_pairwise,
        blocks_above_one_message,
        small_blocks_far_apart,
        allgather_through_node_memory,
        allgather_between_nodes,
        largest,
        parcels_match_in_order,
        bytes_are_counted,
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
    ith_comm *comm;
    ith_error err;
    if (ith_comm_open_world(&comm, &err) != ITH_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    CHECK(comm, comm->size <= MAX_RANKS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cases[i](comm);
    ith_comm_close(comm);
    return 0;
}
