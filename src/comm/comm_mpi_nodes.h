/* comm_mpi_nodes.h - which ranks share memory. */
#ifndef ITH_COMM_MPI_NODES_H
#define ITH_COMM_MPI_NODES_H

#include "comm/comm_mpi.h"

/* Collective. Makes impl->node, and fills the fields of *comm that say which ranks share a node.
 * ranks_per_node cuts machines into nodes of so many ranks; 0: a machine is a node.
 * ITH_E_MEMORY. */
ith_status ith_mpi_find_nodes(ith_comm *comm, int ranks_per_node, ith_error *err);

/* An operation of ith_comm_ops (comm.h). */
void ith_mpi_split_domains(ith_comm *comm, int domain);

/* This rank's memory domain: its node before any split. Not collective. */
const ith_mpi_group *ith_mpi_domain(ith_comm *comm);

#endif
