/* comm_mpi_pairwise.h - an all-to-all by messages between all pairs of ranks. */
#ifndef ITH_COMM_MPI_PAIRWISE_H
#define ITH_COMM_MPI_PAIRWISE_H

#include "comm/comm_mpi.h"

extern const ith_mpi_strategy ith_mpi_pairwise;

#endif
