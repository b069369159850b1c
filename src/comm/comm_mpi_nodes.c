/* comm_mpi_nodes.c - which ranks share memory. */
#include "comm/comm_mpi_nodes.h"

#include <stdlib.h>

/* The group owns the communicator from now on. */
static void open_group(ith_comm *comm, MPI_Comm of, ith_mpi_group *group)
{
    group->comm = of;
    ith_mpi_check(comm, MPI_Comm_set_errhandler(of, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    ith_mpi_check(comm, MPI_Comm_rank(of, &group->rank), "MPI_Comm_rank");
    ith_mpi_check(comm, MPI_Comm_size(of, &group->size), "MPI_Comm_size");
}

/* The ranks of this machine, or the n of them with this one. */
static void split_machine(ith_comm *comm, int n, MPI_Comm *node)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    MPI_Comm machine;
    int rank;
    ith_mpi_check(
        comm,
        MPI_Comm_split_type(impl->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &machine),
        "MPI_Comm_split_type");
    ith_mpi_check(comm, MPI_Comm_rank(machine, &rank), "MPI_Comm_rank");
    if (n == 0) {
        *node = machine;
        return;
    }
    ith_mpi_check(comm, MPI_Comm_split(machine, rank / n, rank, node), "MPI_Comm_split");
    ith_mpi_check(comm, MPI_Comm_free(&machine), "MPI_Comm_free");
}

/* Nodes are numbered in the order of their lowest ranks. */
static ith_status number_nodes(ith_comm *comm, ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int lowest = comm->rank;
    ith_mpi_check(comm, MPI_Bcast(&lowest, 1, MPI_INT, 0, impl->node.comm), "MPI_Bcast");
    ith_mpi_check(comm, MPI_Allgather(&lowest, 1, MPI_INT, impl->node_of, 1, MPI_INT, impl->world),
                  "MPI_Allgather");
    for (int r = 0; r < comm->size; r++) /* the lowest rank of a node comes first */
        impl->node_of[r] =
            impl->node_of[r] == r ? comm->n_nodes++ : impl->node_of[impl->node_of[r]];
    comm->node = impl->node_of[comm->rank];
    impl->members = calloc((size_t)comm->size, sizeof *impl->members);
    impl->first = calloc((size_t)comm->n_nodes + 1, sizeof *impl->first);
    ITH_TRY(ith_comm_agree_memory(comm, impl->members == NULL ? NULL : impl->first,
                                  "a communicator", err));
    ith_exchange_members(comm->node_of, comm->size, comm->n_nodes, impl->members, impl->first);
    return ITH_OK;
}

ith_status ith_mpi_find_nodes(ith_comm *comm, int ranks_per_node, ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    MPI_Comm node;
    split_machine(comm, ranks_per_node, &node);
    open_group(comm, node, &impl->node);
    comm->node_rank = comm->domain_rank = impl->node.rank;
    comm->node_size = comm->domain_size = impl->node.size;
    return number_nodes(comm, err);
}

void ith_mpi_split_domains(ith_comm *comm, int domain)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    MPI_Comm domain_comm;
    if (impl->domain.comm != MPI_COMM_NULL)
        ith_mpi_check(comm, MPI_Comm_free(&impl->domain.comm), "MPI_Comm_free");
    ith_mpi_check(comm, MPI_Comm_split(impl->node.comm, domain, impl->node.rank, &domain_comm),
                  "MPI_Comm_split");
    open_group(comm, domain_comm, &impl->domain);
    comm->domain_rank = impl->domain.rank;
    comm->domain_size = impl->domain.size;
}

const ith_mpi_group *ith_mpi_domain(ith_comm *comm)
{
    const ith_mpi_impl *impl = ith_mpi_of(comm);
    return impl->domain.comm != MPI_COMM_NULL ? &impl->domain : &impl->node;
}
