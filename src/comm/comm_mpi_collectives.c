/* comm_mpi_collectives.c - barrier, bcast, max and allgatherv over MPI.
 *
 * Byte counts are 64-bit, MPI's are int. Where all ranks can see from their arguments that
 * everything fits, one MPI collective does it; otherwise blocks travel as several messages
 * (comm_mpi_pairwise.c).
 */
#include "comm/comm_mpi_collectives.h"

#include "base/monotonic.h"
#include "comm/comm_mpi.h"
#include "comm/comm_mpi_flight.h"
#include "comm/comm_mpi_gather.h"
#include "comm/comm_mpi_pairwise.h"

#include <string.h>
#include <time.h>

void ith_mpi_barrier(ith_comm *comm)
{
    int64_t begin_ns = ith_clock_ns();
    ith_mpi_check(comm, MPI_Barrier(ith_mpi_of(comm)->world), "MPI_Barrier");
    comm->waited_ns += ith_clock_ns() - begin_ns;
}

void ith_mpi_idle_barrier(ith_comm *comm)
{
    struct timespec nap = {.tv_nsec = 1000000};
    const long longest_ns = 20000000;
    MPI_Request request;
    int done = 0;

    ith_mpi_check(comm, MPI_Ibarrier(ith_mpi_of(comm)->world, &request), "MPI_Ibarrier");
    for (;;) {
        ith_mpi_check(comm, MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        if (done)
            return;
        nanosleep(&nap, NULL);
        nap.tv_nsec = nap.tv_nsec < longest_ns / 2 ? 2 * nap.tv_nsec : longest_ns;
    }
}

void ith_mpi_bcast(ith_comm *comm, void *buf, int64_t bytes, int root)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int64_t begin_ns = ith_clock_ns();
    for (int64_t at = 0; at < bytes; at += impl->message_bytes) {
        int64_t n = bytes - at < impl->message_bytes ? bytes - at : impl->message_bytes;
        ith_mpi_check(comm, MPI_Bcast((char *)buf + at, (int)n, MPI_BYTE, root, impl->world),
                      "MPI_Bcast");
    }
    comm->stats.bcast_calls++;
    if (comm->rank == root)
        comm->stats.bcast_sent += bytes * (comm->size - 1);
    else
        comm->waited_ns += ith_clock_ns() - begin_ns;
}

int64_t ith_mpi_max(ith_comm *comm, int64_t value)
{
    int64_t most, begin_ns = ith_clock_ns();
    ith_mpi_check(comm,
                  MPI_Allreduce(&value, &most, 1, MPI_INT64_T, MPI_MAX, ith_mpi_of(comm)->world),
                  "MPI_Allreduce");
    comm->waited_ns += ith_clock_ns() - begin_ns;
    return most;
}

/* The same on all ranks, as the arguments are. */
static bool fits_one_call(const ith_comm *comm, const ith_mpi_impl *impl, const int64_t *counts,
                          const int64_t *displs)
{
    for (int r = 0; r < comm->size; r++)
        if (counts[r] > impl->message_bytes || displs[r] > impl->message_bytes)
            return false;
    return true;
}

/* An exchange in which every rank gets the same block, sent from where it belongs in recv. */
static void allgather_by_messages(ith_comm *comm, const void *send, void *recv,
                                  const int64_t *counts, const int64_t *displs)
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
    ith_mpi_check(comm,
                  MPI_Allgatherv(from, impl->counts[me], MPI_BYTE, recv, impl->counts, impl->displs,
                                 MPI_BYTE, impl->world),
                  "MPI_Allgatherv");
}

void ith_mpi_allgatherv(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                        const int64_t *displs)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_mpi_flight *flight = &impl->flights[ITH_FLIGHTS];

    if (ith_mpi_gather_fits(comm, counts)) {
        ith_mpi_gather(comm, send, recv, counts, displs);
    } else {
        ith_mpi_arrive(comm, flight);
        ith_mpi_await_node(comm, flight);
        if (fits_one_call(comm, impl, counts, displs))
            allgather_at_once(comm, send, recv, counts, displs);
        else
            allgather_by_messages(comm, send, recv, counts, displs);
    }
    comm->stats.allgather_calls++;
    comm->stats.allgather_sent += counts[comm->rank] * (comm->size - 1);
}
