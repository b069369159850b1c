/* comm_mpi_exchange.h - the all-to-all over MPI: the operations of ith_comm_ops (comm.h). */
#ifndef ITH_COMM_MPI_EXCHANGE_H
#define ITH_COMM_MPI_EXCHANGE_H

#include "comm/comm.h"

void ith_mpi_exchange_start(ith_comm *comm, int flight, const ith_alltoall *x);
bool ith_mpi_exchange_overlaps(const ith_comm *comm, int64_t most);
ith_status ith_mpi_exchange_open(ith_comm *comm, ith_exchange strategy, int64_t most,
                                 ith_error *err);

#endif
