/* comm_mpi_by_node.c - an all-to-all through the memory of nodes, with one message between two
 * nodes.
 *
 * It takes two turns of a board (comm_mpi_board.c), or one where there is one node:
 *
 *   1  Each rank writes a table of its blocks and the blocks that it sends into its buffer, the
 *      outbox. When the outboxes of its node are complete, it copies the blocks for itself. As a
 *      courier it sends and receives for all ranks of its node: from their outboxes, and into their
 *      buffers of the next turn, the inboxes.
 *   2  Each rank copies from its inbox.
 *
 * One exchange at a time is on the board; starting another finishes it.
 *
 * A courier's message goes from where the blocks lie to where they belong: MPI gets their addresses
 * (hindexed types).
 */
#include "comm/comm_mpi_by_node.h"

#include "base/range.h"
#include "comm/comm_mpi_board.h"
#include "comm/comm_mpi_flight.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

/* At the start of an outbox, [size] each: the bytes to and from every rank, and their offsets. */
typedef struct table {
    int64_t *to, *to_at;     /* in this outbox */
    int64_t *from, *from_at; /* in the inbox; of ranks of other nodes only */
} table;

static int64_t table_bytes(const ith_comm *comm)
{
    return ith_round_up(4 * comm->size * (int64_t)sizeof(int64_t), ALIGN);
}

static table table_of(const ith_comm *comm, uint8_t *outbox)
{
    int64_t *at = (int64_t *)(void *)outbox;
    int n = comm->size;
    return (table){at, at + n, at + 2 * n, at + 3 * n};
}

static uint8_t *outbox(const ith_mpi_board *board, int node_rank)
{
    return ith_mpi_board_buffer(board, node_rank, board->turn);
}

static uint8_t *inbox(const ith_mpi_board *board, int node_rank)
{
    return ith_mpi_board_buffer(board, node_rank, board->turn + 1);
}

ith_status ith_mpi_by_node_open(ith_comm *comm, int64_t most, ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    size_t n = (size_t)comm->size;

    impl->node_most = 0;
    ith_mpi_board_close(comm, &impl->exchanges);
    ITH_TRY(ith_mpi_board_open(comm, table_bytes(comm) + most, &impl->exchanges, err));
    if (impl->lengths == NULL)
        impl->lengths = calloc(n * (size_t)comm->node_size, sizeof *impl->lengths);
    if (impl->addresses == NULL)
        impl->addresses = calloc(n * (size_t)comm->node_size, sizeof *impl->addresses);
    bool made = impl->lengths != NULL && impl->addresses != NULL;
    ITH_TRY(ith_comm_agree_memory(comm, made ? impl : NULL, "exchanges inside a node", err));
    impl->node_most = most;
    return ITH_OK;
}

/* ---- Turn 1: outboxes ---- */

static void write_outbox(ith_comm *comm, const ith_alltoall *x, uint8_t *box)
{
    table t = table_of(comm, box);
    int64_t to_at = table_bytes(comm), from_at = 0;

    for (int r = 0; r < comm->size; r++) {
        bool self = r == comm->rank, near = comm->node_of[r] == comm->node;
        t.to[r] = self ? 0 : x->send_counts[r];
        t.to_at[r] = to_at;
        t.from[r] = near ? 0 : x->recv_counts[r];
        t.from_at[r] = from_at;
        if (t.to[r] > 0)
            memcpy(box + to_at, (const char *)x->send + x->send_displs[r], (size_t)t.to[r]);
        to_at += t.to[r];
        from_at += t.from[r];
    }
}

static void copy_from_neighbours(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    const int *node = impl->members + impl->first[comm->node];

    for (int step = 1; step < comm->node_size; step++) {
        int from = ith_exchange_from(comm->node_rank, comm->node_size, step);
        uint8_t *box = outbox(&impl->exchanges, from);
        int64_t bytes = x->recv_counts[node[from]];
        if (bytes > 0)
            memcpy((char *)x->recv + x->recv_displs[node[from]],
                   box + table_of(comm, box).to_at[comm->rank], (size_t)bytes);
    }
}

/* ---- Couriers ---- */

/* Adds a block to a message; both ends leave out empty ones. */
static void add_block(ith_mpi_impl *impl, int *n, uint8_t *at, int64_t bytes)
{
    if (bytes == 0)
        return;
    impl->lengths[*n] = (int)bytes;
    MPI_Get_address(at, &impl->addresses[(*n)++]);
}

/* All blocks that this node sends to, or receives from, node `other`: by sender, then by
 * receiver. */
static int list_blocks(ith_comm *comm, int other, bool send)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    const int *theirs = impl->members + impl->first[other];
    int n_mine = comm->node_size, n_theirs = impl->first[other + 1] - impl->first[other], n = 0;

    if (send) {
        for (int i = 0; i < n_mine; i++) {
            uint8_t *box = outbox(&impl->exchanges, i);
            table t = table_of(comm, box);
            for (int j = 0; j < n_theirs; j++)
                add_block(impl, &n, box + t.to_at[theirs[j]], t.to[theirs[j]]);
        }
    } else {
        for (int j = 0; j < n_theirs; j++)
            for (int i = 0; i < n_mine; i++) {
                table t = table_of(comm, outbox(&impl->exchanges, i));
                add_block(impl, &n, inbox(&impl->exchanges, i) + t.from_at[theirs[j]],
                          t.from[theirs[j]]);
            }
    }
    return n;
}

static void post_message(ith_comm *comm, ith_mpi_flight *f, int other, bool send)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int n = list_blocks(comm, other, send), there = impl->first[other + 1] - impl->first[other],
        peer = impl->members[impl->first[other] + ith_exchange_courier(there, comm->node)];
    MPI_Request *request = &f->requests[f->posted];
    MPI_Datatype type;

    if (n == 0)
        return;
    f->posted++;
    ith_mpi_check(comm,
                  MPI_Type_create_hindexed(n, impl->lengths, impl->addresses, MPI_BYTE, &type),
                  "MPI_Type_create_hindexed");
    ith_mpi_check(comm, MPI_Type_commit(&type), "MPI_Type_commit");
    if (send)
        ith_mpi_check(comm, MPI_Isend(MPI_BOTTOM, 1, type, peer, f->tag, impl->world, request),
                      "MPI_Isend");
    else
        ith_mpi_check(comm, MPI_Irecv(MPI_BOTTOM, 1, type, peer, f->tag, impl->world, request),
                      "MPI_Irecv");
    /* Takes effect when the message is done. */
    ith_mpi_check(comm, MPI_Type_free(&type), "MPI_Type_free");
}

/* For complete outboxes. Nodes are taken in the order of the pairwise steps. */
static void post_messages(ith_comm *comm, ith_mpi_flight *f)
{
    for (int send = 0; send < 2; send++)
        for (int step = 1; step < comm->n_nodes; step++) {
            int other = send ? ith_exchange_to(comm->node, comm->n_nodes, step)
                             : ith_exchange_from(comm->node, comm->n_nodes, step);
            if (ith_exchange_courier(comm->node_size, other) == comm->node_rank)
                post_message(comm, f, other, send);
        }
    f->under_way = true;
}

/* ---- Turn 2: inboxes ---- */

static void copy_from_inbox(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_board *board = &ith_mpi_of(comm)->exchanges;
    const uint8_t *box = ith_mpi_board_buffer(board, comm->node_rank, board->turn);

    for (int r = 0; r < comm->size; r++) {
        int64_t bytes = comm->node_of[r] == comm->node ? 0 : x->recv_counts[r];
        if (bytes > 0)
            memcpy((char *)x->recv + x->recv_displs[r], box, (size_t)bytes);
        box += bytes;
    }
}

/* ---- The strategy ---- */

static void finish(ith_comm *comm, ith_mpi_flight *f)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    if (impl->on_board != f)
        return;
    impl->on_board = NULL;
    ith_mpi_board_wait_all(comm, &impl->exchanges);
    if (!f->under_way)
        post_messages(comm, f);
    copy_from_neighbours(comm, &f->exchange);
    if (comm->n_nodes == 1)
        return;
    ith_mpi_check(comm, MPI_Waitall(f->posted, f->requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
    impl->exchanges.turn++;
    ith_mpi_board_publish(comm, &impl->exchanges);
    ith_mpi_board_wait_all(comm, &impl->exchanges);
    copy_from_inbox(comm, &f->exchange);
}

static void start(ith_comm *comm, ith_mpi_flight *f)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    if (impl->on_board != NULL) /* the same on all ranks */
        finish(comm, impl->on_board);
    impl->on_board = f;
    impl->exchanges.turn++;
    write_outbox(comm, &f->exchange, outbox(&impl->exchanges, comm->node_rank));
    ith_mpi_board_publish(comm, &impl->exchanges);
    f->under_way = false;
    f->posted = 0;
}

static void progress(ith_comm *comm, ith_mpi_flight *f)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int flag;
    if (comm->n_nodes == 1 || impl->on_board != f)
        return;
    if (f->under_way) {
        ith_mpi_check(comm, MPI_Testall(f->posted, f->requests, &flag, MPI_STATUSES_IGNORE),
                      "MPI_Testall");
        return;
    }
    for (int i = 0; i < comm->node_size; i++)
        if (!ith_mpi_board_there(&impl->exchanges, i))
            return;
    post_messages(comm, f);
}

const ith_mpi_strategy ith_mpi_by_node = {start, progress, finish};
