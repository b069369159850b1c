/* comm_mpi_exchange.c - the all-to-all: chooses a strategy, and counts the traffic. */
#include "comm/comm_mpi_exchange.h"

#include "comm/comm_mpi.h"
#include "comm/comm_mpi_by_node.h"
#include "comm/comm_mpi_flight.h"
#include "comm/comm_mpi_pairwise.h"

#include <stdlib.h>
#include <string.h>

/* ---- MPI_Alltoallv, all in finish: its non-blocking form is another algorithm ---- */

static void nothing_yet(ith_comm *comm, ith_mpi_flight *flight)
{
    (void)comm, (void)flight;
}

static void call_alltoallv(ith_comm *comm, ith_mpi_flight *flight)
{
    const ith_alltoall *x = &flight->exchange;
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int n = comm->size, *v = impl->vectors;

    for (int r = 0; r < n; r++) {
        bool self = r == comm->rank; /* copied already */
        v[r] = self ? 0 : (int)x->send_counts[r];
        v[n + r] = self ? 0 : (int)x->send_displs[r];
        v[2 * n + r] = self ? 0 : (int)x->recv_counts[r];
        v[3 * n + r] = self ? 0 : (int)x->recv_displs[r];
    }
    ith_mpi_check(comm,
                  MPI_Alltoallv(x->send, v, v + n, MPI_BYTE, x->recv, v + 2 * n, v + 3 * n,
                                MPI_BYTE, impl->world),
                  "MPI_Alltoallv");
}

static const ith_mpi_strategy by_alltoallv = {nothing_yet, nothing_yet, call_alltoallv};

/* ---- Choosing ---- */

static const ith_mpi_strategy *const strategies[ITH_EXCHANGES] = {
    [ITH_EXCHANGE_ALLTOALLV] = &by_alltoallv,
    [ITH_EXCHANGE_PAIRWISE] = &ith_mpi_pairwise,
    [ITH_EXCHANGE_NODE] = &ith_mpi_by_node};

/* The same on all ranks, as all that it depends on is. What does not fit a strategy goes
 * pairwise. */
static ith_exchange choose(const ith_comm *comm, int64_t most)
{
    const ith_mpi_impl *impl = ith_mpi_of(comm);
    bool node_fits = most <= impl->node_most;
    if (comm->exchange == ITH_EXCHANGE_ALLTOALLV && most <= impl->message_bytes)
        return ITH_EXCHANGE_ALLTOALLV;
    if (comm->exchange == ITH_EXCHANGE_NODE && node_fits)
        return ITH_EXCHANGE_NODE;
    if (comm->exchange == ITH_EXCHANGE_AUTO && node_fits &&
        most <= ith_exchange_node_most(comm->n_nodes, comm->size))
        return ITH_EXCHANGE_NODE;
    return ITH_EXCHANGE_PAIRWISE;
}

static void count(ith_comm *comm, ith_exchange kind, const ith_alltoall *x)
{
    ith_exchange_traffic *traffic = &comm->stats.exchange[kind];
    traffic->calls++;
    for (int r = 0; r < comm->size; r++)
        if (r != comm->rank)
            *(comm->node_of[r] == comm->node ? &traffic->in_node : &traffic->cross_node) +=
                x->send_counts[r];
}

void ith_mpi_exchange_start(ith_comm *comm, int number, const ith_alltoall *x)
{
    ith_mpi_flight *flight = &ith_mpi_of(comm)->flights[number];
    ith_exchange kind = choose(comm, x->most);
    int me = comm->rank;

    if (x->send_counts[me] > 0)
        memcpy((char *)x->recv + x->recv_displs[me], (const char *)x->send + x->send_displs[me],
               (size_t)x->send_counts[me]);
    count(comm, kind, x);
    ith_mpi_arrive(comm, flight);
    flight->strategy = strategies[kind];
    flight->exchange = *x;
    flight->strategy->start(comm, flight);
}

/* By node, exchanges take turns on one board; MPI_Alltoallv does all its work in finish. */
bool ith_mpi_exchange_overlaps(const ith_comm *comm, int64_t most)
{
    return comm->size > 1 && choose(comm, most) == ITH_EXCHANGE_PAIRWISE;
}

/* Room for the messages of exchanges of up to `most` bytes, by any strategy, in every flight. */
static bool has_requests(const ith_comm *comm, int64_t most)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    bool made = true;

    for (int i = 0; i < ITH_FLIGHTS && made; i++)
        made = ith_mpi_has_requests(&impl->flights[i],
                                    2 * (comm->size + ith_mpi_messages(comm, most)));
    return made;
}

ith_status ith_mpi_exchange_open(ith_comm *comm, ith_exchange wanted, int64_t most, ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int64_t by_node = ith_exchange_slot(wanted, most, comm->n_nodes, comm->size);
    by_node = by_node < impl->message_bytes ? by_node : 0; /* a block must fit one MPI message */
    comm->exchange = wanted;
    ITH_TRY(ith_comm_agree_memory(comm, has_requests(comm, most) ? comm : NULL,
                                  "the messages of an exchange", err));
    return by_node > impl->node_most ? ith_mpi_by_node_open(comm, by_node, err) : ITH_OK;
}
