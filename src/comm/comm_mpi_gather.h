/* comm_mpi_gather.h - the all-gather of few bytes over the boards of nodes. */
#ifndef ITH_COMM_MPI_GATHER_H
#define ITH_COMM_MPI_GATHER_H

#include "comm/comm.h"

/* Collective. Opens the boards for blocks of up to `bytes` a rank and, on several nodes, in all.
 * Nothing happens if `bytes` is 0 or no node has two ranks. ITH_E_MEMORY on all ranks. */
ith_status ith_mpi_gather_open(ith_comm *comm, int64_t bytes, ith_error *err);

/* Can the boards carry blocks of counts[size] bytes? Not collective; the same on all ranks. */
bool ith_mpi_gather_fits(const ith_comm *comm, const int64_t *counts);

/* Collective. An allgatherv (comm.h) of blocks that fit. */
void ith_mpi_gather(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                    const int64_t *displs);

#endif
