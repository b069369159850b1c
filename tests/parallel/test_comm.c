/* RANKS: 1 2 3 5, long: 4 7 8
 *
 * test_comm.c - messages between ranks, by every strategy: uneven and empty blocks, and blocks
 * larger than one message may be. Shared memory and agreement are in test_comm_nodes.c.
 */
#include "parallel/comm_blocks.h"

#include "base/monotonic.h"

static const ith_mpi_options short_messages = {.message_bytes = MESSAGE},
                             small_boards = {.message_bytes = 1 << 30, .board_bytes = 128};

/* Exchanges on all flights but one, messages on that; finished in another order. */
static void do_many(ith_comm *comm)
{
    enum { LAST = ITH_FLIGHTS - 1, BYTES = 3 * MESSAGE };
    static const int order[LAST] = {3, 0, 6, 5, 1, 2, 4};
    int me = comm->rank, size = comm->size, to = (me + 1) % size, from = (me + size - 1) % size,
        n = size > 1;
    static exchanged e[LAST];
    uint8_t out[BYTES], in[BYTES];
    for (int f = 0; f < LAST; f++) {
        start_alltoall(comm, f, &e[f]);

        /* Messages are not collective. */
        if (f == me % 3) {
            fill_block(out, BYTES, me, to);
            comm->ops->messages_start(comm, LAST, &(ith_parcel){to, out, BYTES}, n,
                                      &(ith_parcel){from, in, BYTES}, n);
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
    static const int64_t sizes[] = {0, 1, MESSAGE, MESSAGE + 1, 4 * MESSAGE, 12345};
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

/* What a strategy carries on nodes of `ranks_per_node` ranks, and how it counts that. Repeated, so
 * that memory is reused; then with more memory reserved. */
static void exchange_by(ith_comm *comm, ith_exchange strategy, int ranks_per_node)
{
    enum { TIMES = 22 };
    ith_exchange taken =
        comm->size == 1 && strategy == ITH_EXCHANGE_NODE ? ITH_EXCHANGE_PAIRWISE : strategy;
    ith_mpi_options options = {.message_bytes = 1 << 30, .ranks_per_node = ranks_per_node};
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
            *(ranks_per_node == 0 || r / ranks_per_node == comm->rank / ranks_per_node ? &near
                                                                                       : &far) +=
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

/* Blocks that are too large for a strategy are exchanged pairwise: more bytes than an MPI count
 * holds, or than are reserved. */
static void what_does_not_fit_goes_pairwise(ith_comm *comm)
{
    for (int strategy = ITH_EXCHANGE_AUTO; strategy <= ITH_EXCHANGE_NODE; strategy++) {
        ith_comm *small;
        CHECK(comm, ith_comm_open_mpi(&short_messages, &small, NULL) == ITH_OK);
        CHECK(comm, small->ops->exchange_open(small, (ith_exchange)strategy, 500, NULL) == ITH_OK);
        do_alltoall(small);
        CHECK(comm, small->stats.exchange[ITH_EXCHANGE_PAIRWISE].calls == 1);
        ith_comm_close(small);
    }
    CASE_OK(comm);
}

/* The same through a communicator whose messages hold at most MESSAGE bytes, as for blocks larger
 * than an MPI count. */
static void blocks_above_one_message(ith_comm *comm)
{
    ith_comm *small;
    CHECK(comm, ith_comm_open_mpi(&short_messages, &small, NULL) == ITH_OK);

    /* The messages of the second call must not mix with those of the first. */
    for (int again = 0; again < 2; again++) {
        do_alltoall(small);
        do_many(small);
        do_allgather(small, false);
        do_allgather(small, true);
        do_bcast(small);
    }
    ith_comm_close(small);
    CASE_OK(comm);
}

/* Large displacements alone, with small blocks, need several messages too. */
static void small_blocks_far_apart(ith_comm *comm)
{
    ith_comm *small;
    int64_t counts[MAX_RANKS], displs[MAX_RANKS];
    uint8_t buf[MAX_RANKS * 5 * MESSAGE];
    CHECK(comm, ith_comm_open_mpi(&short_messages, &small, NULL) == ITH_OK);

    /* Descending: the order is the caller's choice. */
    for (int r = 0; r < comm->size; r++) {
        counts[r] = 3;
        displs[r] = (int64_t)(comm->size - 1 - r) * 5 * MESSAGE;
    }
    fill_block(buf + displs[comm->rank], 3, comm->rank, 2);
    small->ops->allgatherv(small, buf + displs[comm->rank], buf, counts, displs);
    for (int r = 0; r < comm->size; r++)
        CHECK(comm, block_is(buf + displs[r], 3, r, 2));
    ith_comm_close(small);
    CASE_OK(comm);
}

/* Many turns over reused buffers, by ranks that arrive in any order. Blocks that fit alternate with
 * blocks that do not. */
static void allgather_over_boards(ith_comm *comm, const ith_mpi_options *options)
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

        /* Uneven work. */
        for (volatile int wait = (turn * 13 + comm->rank * 7) % 11 * 1000; wait > 0; wait--)
            ;
        other->ops->allgatherv(other, buf + displs[comm->rank], buf, counts, displs);
        for (int r = 0; r < comm->size; r++)
            CHECK(comm, block_is(buf + displs[r], counts[r], r, turn) &&
                            buf[displs[r] + counts[r]] == 0xee);
    }
    ith_comm_close(other);
}

static void allgather_through_node_memory(ith_comm *comm)
{
    allgather_over_boards(comm, &small_boards);
    CASE_OK(comm);
}

/* Slots that hold the blocks of all ranks but for the largest. */
static void allgather_between_nodes(ith_comm *comm)
{
    for (int n = 1; n <= 4; n++)
        allgather_over_boards(comm, &(ith_mpi_options){.message_bytes = 1 << 30,
                                                       .board_bytes = 120 * comm->size,
                                                       .ranks_per_node = n});
    CASE_OK(comm);
}

static void gather_bytes(ith_comm *comm, int64_t bytes)
{
    int64_t counts[MAX_RANKS], displs[MAX_RANKS];
    uint8_t buf[MAX_RANKS * 200];

    for (int r = 0; r < comm->size; r++) {
        counts[r] = bytes;
        displs[r] = (int64_t)r * 200;
    }
    fill_block(buf + displs[comm->rank], bytes, comm->rank, 0);
    comm->ops->allgatherv(comm, buf + displs[comm->rank], buf, counts, displs);
}

static void small_gather(ith_comm *comm)
{
    gather_bytes(comm, 100);
}

static void large_gather(ith_comm *comm)
{
    gather_bytes(comm, 200);
}

/* What rank 0 waits for the last rank in `operation`; after some tries that is late enough. */
static int64_t wait_for_the_late(ith_comm *comm, ith_comm *other, void (*operation)(ith_comm *))
{
    int64_t waited = 0;

    for (int try = 1; try <= 1000 && waited == 0; try++) {
        int64_t before = other->waited_ns, begin_ns;
        comm->ops->barrier(comm);
        begin_ns = ith_clock_ns();
        for (volatile int late = comm->rank == comm->size - 1 ? try * 10000 : 0; late > 0; late--)
            ;
        operation(other);
        waited = other->waited_ns - before;
        CHECK(comm, waited >= 0 && waited <= ith_clock_ns() - begin_ns);
        waited = comm->ops->max(comm, comm->rank == 0 ? waited : 0);
    }
    return waited;
}

static void waits_are_counted(ith_comm *comm)
{
    static void (*const operations[])(ith_comm *) = {small_gather, large_gather, do_alltoall,
                                                     do_alltoall, do_alltoall};
    static const ith_exchange strategies[] = {ITH_EXCHANGE_AUTO, ITH_EXCHANGE_AUTO,
                                              ITH_EXCHANGE_ALLTOALLV, ITH_EXCHANGE_PAIRWISE,
                                              ITH_EXCHANGE_NODE};
    ith_comm *other;

    CHECK(comm, ith_comm_open_mpi(&small_boards, &other, NULL) == ITH_OK);
    for (size_t i = 0; comm->size > 1 && i < sizeof operations / sizeof *operations; i++) {
        CHECK(comm, other->ops->exchange_open(other, strategies[i], MOST, NULL) == ITH_OK);
        other->timers = 1;
        CHECK(comm, wait_for_the_late(comm, other, operations[i]) > 0);

        /* By messages, ranks look for each other only if somebody measures. */
        int64_t before = other->waited_ns;
        other->timers = 0;
        operations[i](other);
        CHECK(comm, operations[i] == small_gather || strategies[i] == ITH_EXCHANGE_NODE ||
                        other->waited_ns == before);
    }
    ith_comm_close(other);
    CASE_OK(comm);
}

static void largest(ith_comm *comm)
{
    for (int r = 0; r < comm->size; r++) {
        CHECK(comm,
              comm->ops->max(comm, comm->rank == r ? INT64_MAX - 5 : INT64_MIN) == INT64_MAX - 5);
        CHECK(comm, comm->ops->max(comm, -comm->rank - 3) == -3);
    }
    CASE_OK(comm);
}

/* Three parcels to every second other rank; one is empty, one larger than a message may be. */
static void parcels_match_in_order(ith_comm *comm)
{
    enum { EACH = 3 };
    static const int64_t bytes[EACH] = {7, 2 * MESSAGE + 3, 0};
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
        CHECK(comm, block_is(in, bytes[k % EACH], recvs[k].rank, me + k % EACH) &&
                        in[bytes[k % EACH]] == 0xee);
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
    CHECK(comm, comm->stats.allgather_calls == 1 &&
                    comm->stats.allgather_sent == others * block_bytes(comm->rank, 0));
    CHECK(comm,
          comm->stats.bcast_calls == 1 && comm->stats.bcast_sent == (comm->rank == 0 ? others : 0));
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
        waits_are_counted,
        largest,
        parcels_match_in_order,
        bytes_are_counted,
    };
    return run_cases(cases, sizeof cases / sizeof *cases);
}
