/* comm_mpi_memory.h - memory that the ranks of a node or memory domain share: the operations of
 * ith_comm_ops (comm.h). */
#ifndef ITH_COMM_MPI_MEMORY_H
#define ITH_COMM_MPI_MEMORY_H

#include "comm/comm.h"

void ith_mpi_node_barrier(ith_comm *comm);
void ith_mpi_domain_barrier(ith_comm *comm);
ith_status ith_mpi_shared_alloc(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place,
                                void *user, void **out, ith_error *err);
ith_status ith_mpi_domain_alloc(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place,
                                void *user, void **out, ith_error *err);
void ith_mpi_shared_free(ith_comm *comm, void *ptr);

#endif
