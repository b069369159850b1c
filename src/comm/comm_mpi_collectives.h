/* comm_mpi_collectives.h - barrier, bcast, max and allgatherv over MPI; see ith_comm_ops in
 * comm.h. */
#ifndef ITH_COMM_MPI_COLLECTIVES_H
#define ITH_COMM_MPI_COLLECTIVES_H

#include "comm/comm.h"

void ith_mpi_barrier(ith_comm *comm);
void ith_mpi_idle_barrier(ith_comm *comm);
void ith_mpi_bcast(ith_comm *comm, void *buf, int64_t bytes, int root);
int64_t ith_mpi_max(ith_comm *comm, int64_t value);
void ith_mpi_allgatherv(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                        const int64_t *displs);

#endif
