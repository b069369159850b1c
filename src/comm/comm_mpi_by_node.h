/* comm_mpi_by_node.h - an all-to-all through the memory of nodes. */
#ifndef ITH_COMM_MPI_BY_NODE_H
#define ITH_COMM_MPI_BY_NODE_H

#include "comm/comm_mpi.h"

extern const ith_mpi_strategy ith_mpi_by_node;

/* Collective. Opens a board for exchanges of up to `most` bytes, in place of the one before.
 * ITH_E_MEMORY on all ranks. */
ith_status ith_mpi_by_node_open(ith_comm *comm, int64_t most, ith_error *err);

#endif
