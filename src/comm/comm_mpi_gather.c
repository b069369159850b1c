/* comm_mpi_gather.c - the all-gather of few bytes over the boards of nodes (comm_mpi_board.c), with
 * one message each way between two nodes.
 *
 * In a turn of the board each rank writes its block into its buffer and reads those of its node.
 * Where there are other nodes, couriers (ith_exchange_courier) send all blocks of their node to
 * another in one message, and receive that node's blocks into their buffer of the next turn, from
 * which all ranks of the node read. MPI's own all-gather would step through the ranks of a machine
 * one after another, and decode waits for four all-gathers in every layer.
 */
#include "comm/comm_mpi_gather.h"

#include "comm/comm_mpi.h"
#include "comm/comm_mpi_board.h"
#include "comm/comm_mpi_flight.h"

#include <stdlib.h>
#include <string.h>

static int64_t sum_of(const int64_t *counts, int n)
{
    int64_t sum = 0;
    for (int r = 0; r < n; r++)
        sum += counts[r];
    return sum;
}

bool ith_mpi_gather_fits(const ith_comm *comm, const int64_t *counts)
{
    const ith_mpi_board *board = &ith_mpi_of(comm)->gathers;
    if (board->area == NULL)
        return false;
    for (int r = 0; r < comm->size; r++)
        if (counts[r] > board->buffer_bytes)
            return false;
    return comm->n_nodes == 1 || sum_of(counts, comm->size) <= board->buffer_bytes;
}

/* Bytes of all blocks of a node, and their offset in couriers' buffers: node by node, rank by
 * rank. */
static int64_t node_bytes(const ith_mpi_impl *impl, const int64_t *counts, int node)
{
    int64_t bytes = 0;
    for (int i = impl->first[node]; i < impl->first[node + 1]; i++)
        bytes += counts[impl->members[i]];
    return bytes;
}

static int64_t node_offset(const ith_mpi_impl *impl, const int64_t *counts, int node)
{
    int64_t place = 0;
    for (int other = 0; other < node; other++)
        place += node_bytes(impl, counts, other);
    return place;
}

static int courier_of(const ith_comm *comm, int node, int other)
{
    const ith_mpi_impl *impl = ith_mpi_of(comm);
    return impl->members[impl->first[node] +
                         ith_exchange_courier(impl->first[node + 1] - impl->first[node], other)];
}

/* The blocks of the other ranks of this node, from their buffers. */
static void copy_from_neighbours(ith_comm *comm, char *to, const int64_t *counts,
                                 const int64_t *displs)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    const int *node = impl->members + impl->first[comm->node];

    for (int step = 1; step < comm->node_size; step++) {
        int i = (comm->node_rank + step) % comm->node_size, r = node[i];
        ith_mpi_board_wait(comm, &impl->gathers, i);
        if (counts[r] > 0)
            memcpy(to + displs[r], ith_mpi_board_buffer(&impl->gathers, i, impl->gathers.turn),
                   (size_t)counts[r]);
    }
}

/* All blocks of this node, one after another, for messages. */
static void pack(const ith_comm *comm, const int64_t *counts)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    uint8_t *at = impl->packed;

    for (int i = 0; i < comm->node_size; i++) {
        size_t bytes = (size_t)counts[impl->members[impl->first[comm->node] + i]];
        memcpy(at, ith_mpi_board_buffer(&impl->gathers, i, impl->gathers.turn), bytes);
        at += bytes;
    }
}

/* Posts this rank's messages as a courier; all buffers of the node are complete. Returns the number
 * of requests. */
static int post(ith_comm *comm, const int64_t *counts)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_mpi_flight *f = &impl->flights[ITH_FLIGHTS];
    uint8_t *inbox = ith_mpi_board_buffer(&impl->gathers, comm->node_rank, impl->gathers.turn + 1);
    int64_t mine = node_bytes(impl, counts, comm->node);
    int n = 0;
    bool packed = false;

    for (int step = 1; step < comm->n_nodes; step++) {
        int node = ith_exchange_from(comm->node, comm->n_nodes, step),
            from = courier_of(comm, node, comm->node);
        int64_t bytes = node_bytes(impl, counts, node);
        if (courier_of(comm, comm->node, node) == comm->rank && bytes > 0)
            ith_mpi_check(comm,
                          MPI_Irecv(inbox + node_offset(impl, counts, node), (int)bytes, MPI_BYTE,
                                    from, f->tag, impl->world, &f->requests[n++]),
                          "MPI_Irecv");
    }
    for (int step = 1; step < comm->n_nodes && mine > 0; step++) {
        int node = ith_exchange_to(comm->node, comm->n_nodes, step),
            to = courier_of(comm, node, comm->node);
        if (courier_of(comm, comm->node, node) != comm->rank)
            continue;
        if (!packed)
            pack(comm, counts);
        packed = true;
        ith_mpi_check(comm,
                      MPI_Isend(impl->packed, (int)mine, MPI_BYTE, to, f->tag, impl->world,
                                &f->requests[n++]),
                      "MPI_Isend");
    }
    return n;
}

/* The blocks of other nodes, from the buffers of this node's couriers. */
static void copy_from_couriers(const ith_comm *comm, char *to, const int64_t *counts,
                               const int64_t *displs)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int64_t place = 0;

    for (int node = 0; node < comm->n_nodes; node++) {
        int courier = ith_exchange_courier(comm->node_size, node);
        const uint8_t *at =
            ith_mpi_board_buffer(&impl->gathers, courier, impl->gathers.turn) + place;
        place += node_bytes(impl, counts, node);
        for (int i = impl->first[node]; node != comm->node && i < impl->first[node + 1]; i++) {
            int r = impl->members[i];
            if (counts[r] > 0)
                memcpy(to + displs[r], at, (size_t)counts[r]);
            at += counts[r];
        }
    }
}

void ith_mpi_gather(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                    const int64_t *displs)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_mpi_board *board = &impl->gathers;
    int me = comm->rank, n = 0;
    char *to = recv;

    board->turn++;
    memcpy(ith_mpi_board_buffer(board, comm->node_rank, board->turn), send, (size_t)counts[me]);
    ith_mpi_board_publish(comm, board);
    if (send != to + displs[me])
        memcpy(to + displs[me], send, (size_t)counts[me]);
    if (comm->n_nodes > 1) {
        ith_mpi_board_wait_all(comm, board);
        n = post(comm, counts);
    }
    copy_from_neighbours(comm, to, counts, displs);
    if (comm->n_nodes == 1)
        return;
    ith_mpi_check(comm, MPI_Waitall(n, impl->flights[ITH_FLIGHTS].requests, MPI_STATUSES_IGNORE),
                  "MPI_Waitall");
    board->turn++;
    ith_mpi_board_publish(comm, board);
    ith_mpi_board_wait_all(comm, board);
    copy_from_couriers(comm, to, counts, displs);
}

ith_status ith_mpi_gather_open(ith_comm *comm, int64_t bytes, ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);

    if (bytes == 0 || comm->size == comm->n_nodes) /* no node has two ranks */
        return ITH_OK;
    ITH_TRY(ith_mpi_board_open(comm, bytes, &impl->gathers, err));
    ITH_TRY(ith_mpi_board_open(comm, 0, &impl->arrivals, err));
    impl->packed = malloc((size_t)impl->gathers.buffer_bytes);
    bool made = impl->packed != NULL &&
                ith_mpi_has_requests(&impl->flights[ITH_FLIGHTS], 2 * comm->n_nodes);
    return ith_comm_agree_memory(comm, made ? impl : NULL, "all-gathers inside a node", err);
}
