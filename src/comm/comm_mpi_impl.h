/* comm_mpi_impl.h - what the files of comm_mpi share; the only one that includes <mpi.h>. */
#ifndef ITH_COMM_MPI_IMPL_H
#define ITH_COMM_MPI_IMPL_H

#include "comm/comm_impl.h"
#include "comm/node_memory.h"

#include <mpi.h>

typedef struct ith_mpi_buffer { /* one shared buffer */
    struct ith_mpi_buffer *next;
    void *data;
    ith_node_memory memory; /* either this */
    MPI_Win win;            /* or this, else MPI_WIN_NULL */
} ith_mpi_buffer;

typedef struct ith_mpi_impl {
    MPI_Comm world, node; /* node: MPI_COMM_NULL in a side communicator */
    bool finalize;
    bool patient;      /* a side communicator: sleeps while it waits */
    int *node_of;      /* [size] */
    int64_t piece;     /* most bytes in one message */
    bool windows_only; /* no anonymous files */
    ith_mpi_buffer *buffers;
    int *counts, *displs;  /* [size] MPI's int form of an allgather */
    MPI_Request *requests; /* [n_requests], at least 2 * size */
    int64_t n_requests;
} ith_mpi_impl;

static inline ith_mpi_impl *ith_mpi_of(ith_comm *comm)
{
    return comm->impl;
}

/* Ends all ranks unless the code of `call` is MPI_SUCCESS. */
void ith_mpi_check(ith_comm *comm, int code, const char *call);

/* Waits until all n of impl->requests are done. */
void ith_mpi_wait_all(ith_comm *comm, int n);

/* comm_mpi_nodes.c: makes impl->node and says in *comm which ranks share one. Collective. */
void ith_mpi_find_nodes(ith_comm *comm, int ranks_per_node);

/* comm_mpi_memory.c: the operations on memory that the ranks of a node share; see comm.h. */
void ith_mpi_node_barrier(ith_comm *comm);
ith_status ith_mpi_shared_alloc(ith_comm *comm, size_t bytes, const char *what, void **out, ith_error *err);
void ith_mpi_shared_free(ith_comm *comm, void *ptr);

#endif
