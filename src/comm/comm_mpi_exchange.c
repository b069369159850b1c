/* comm_mpi_exchange.c - the all-to-all: chooses a strategy, keeps the books. */
#include "comm/comm_mpi_impl.h"

#include <stdlib.h>
#include <string.h>

static const ith_mpi_strategy *const strategies[ITH_EXCHANGES] = {[ITH_EXCHANGE_ALLTOALLV] = &ith_mpi_by_alltoallv,
                                                                  [ITH_EXCHANGE_PAIRWISE] = &ith_mpi_pairwise,
                                                                  [ITH_EXCHANGE_NODE] = &ith_mpi_by_node};

/* Equal on all ranks, since all they look at is. What does not fit a strategy goes pairwise. */
static ith_exchange choose(const ith_comm *comm, const ith_mpi_impl *impl, const ith_alltoall *x)
{
    bool node_fits = x->most <= impl->node_most;
    if (comm->exchange == ITH_EXCHANGE_ALLTOALLV && x->most <= impl->piece)
        return ITH_EXCHANGE_ALLTOALLV;
    if (comm->exchange == ITH_EXCHANGE_NODE && node_fits)
        return ITH_EXCHANGE_NODE;
    if (comm->exchange == ITH_EXCHANGE_AUTO && node_fits &&
        x->most <= ith_exchange_node_most(comm->n_nodes, comm->size))
        return ITH_EXCHANGE_NODE;
    return ITH_EXCHANGE_PAIRWISE;
}

static void count(ith_comm *comm, ith_exchange kind, const ith_alltoall *x)
{
    ith_exchange_traffic *traffic = &comm->stats.exchange[kind];
    traffic->calls++;
    for (int r = 0; r < comm->size; r++)
        if (r != comm->rank)
            *(comm->node_of[r] == comm->node ? &traffic->in_node : &traffic->cross_node) += x->send_counts[r];
}

void ith_mpi_exchange_start(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_exchange kind = choose(comm, impl, x);
    int me = comm->rank;

    if (x->send_counts[me] > 0)
        memcpy((char *)x->recv + x->recv_displs[me], (const char *)x->send + x->send_displs[me],
               (size_t)x->send_counts[me]);
    count(comm, kind, x);
    impl->strategy = strategies[kind];
    impl->exchange = *x;
    impl->strategy->start(comm, &impl->exchange);
}

void ith_mpi_exchange_progress(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    if (impl->strategy != NULL)
        impl->strategy->progress(comm, &impl->exchange);
}

void ith_mpi_exchange_finish(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    impl->strategy->finish(comm, &impl->exchange);
    impl->strategy = NULL;
}

ith_status ith_mpi_exchange_open(ith_comm *comm, ith_exchange wanted, int64_t most, ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int64_t by_node = ith_exchange_slot(wanted, most, comm->n_nodes, comm->size);
    by_node = by_node < impl->piece ? by_node : 0; /* a block is an int of MPI's */
    comm->exchange = wanted;
    return by_node > impl->node_most ? ith_mpi_by_node_open(comm, by_node, err) : ITH_OK;
}

/* ---- MPI_Alltoallv: all at the end, for MPI's non-blocking form is another algorithm ---- */

static void nothing_yet(ith_comm *comm, const ith_alltoall *x)
{
    (void)comm, (void)x;
}

static void call_alltoallv(ith_comm *comm, const ith_alltoall *x)
{
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
                  MPI_Alltoallv(x->send, v, v + n, MPI_BYTE, x->recv, v + 2 * n, v + 3 * n, MPI_BYTE, impl->world),
                  "MPI_Alltoallv");
}

const ith_mpi_strategy ith_mpi_by_alltoallv = {nothing_yet, nothing_yet, call_alltoallv};
