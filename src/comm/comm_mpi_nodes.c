/* comm_mpi_nodes.c - which ranks share memory. */
#include "comm/comm_mpi_impl.h"

/* The ranks of this machine; of each n of them a communicator of their own. */
static void split_machine(ith_comm *comm, int n)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    MPI_Comm machine;
    int rank;
    ith_mpi_check(comm, MPI_Comm_split_type(impl->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &machine),
                  "MPI_Comm_split_type");
    ith_mpi_check(comm, MPI_Comm_rank(machine, &rank), "MPI_Comm_rank");
    if (n == 0) {
        impl->node = machine;
        return;
    }
    ith_mpi_check(comm, MPI_Comm_split(machine, rank / n, rank, &impl->node), "MPI_Comm_split");
    ith_mpi_check(comm, MPI_Comm_free(&machine), "MPI_Comm_free");
}

/* Every rank's node, from the lowest rank of each: those ranks number the nodes in their order. */
static void number_nodes(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int lowest = comm->rank;
    ith_mpi_check(comm, MPI_Bcast(&lowest, 1, MPI_INT, 0, impl->node), "MPI_Bcast");
    ith_mpi_check(comm, MPI_Allgather(&lowest, 1, MPI_INT, impl->node_of, 1, MPI_INT, impl->world), "MPI_Allgather");
    for (int r = 0; r < comm->size; r++) /* a lowest rank comes before the others of its node */
        impl->node_of[r] = impl->node_of[r] == r ? comm->n_nodes++ : impl->node_of[impl->node_of[r]];
    comm->node = impl->node_of[comm->rank];
}

void ith_mpi_find_nodes(ith_comm *comm, int ranks_per_node)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    split_machine(comm, ranks_per_node);
    ith_mpi_check(comm, MPI_Comm_set_errhandler(impl->node, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    ith_mpi_check(comm, MPI_Comm_rank(impl->node, &comm->node_rank), "MPI_Comm_rank");
    ith_mpi_check(comm, MPI_Comm_size(impl->node, &comm->node_size), "MPI_Comm_size");
    number_nodes(comm);
}
