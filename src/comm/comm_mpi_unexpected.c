/* comm_mpi_unexpected.c - messages that have come and that no receive has asked for.
 *
 * Open MPI counts them by rank in the variable pml_ob1_unexpected_msgq_length. Its layers for some
 * fabrics (UCX, PSM) have no such variable.
 */
#include "comm/comm_mpi_unexpected.h"

#include "comm/comm_mpi.h"

#include <stdlib.h>

struct ith_mpi_unexpected {
    MPI_T_pvar_session session;
    MPI_T_pvar_handle handle;
    unsigned *counts; /* of each rank */
};

static bool find(int *variable)
{
    char name[8];
    int name_len = sizeof name, class, verbosity, bind, readonly, continuous, atomic;
    MPI_Datatype type;
    MPI_T_enum values;

    return MPI_T_pvar_get_index("pml_ob1_unexpected_msgq_length", MPI_T_PVAR_CLASS_SIZE,
                                variable) == MPI_SUCCESS &&
           MPI_T_pvar_get_info(*variable, name, &name_len, &verbosity, &class, &type, &values, NULL,
                               NULL, &bind, &readonly, &continuous, &atomic) == MPI_SUCCESS &&
           type == MPI_UNSIGNED && bind == MPI_T_BIND_MPI_COMM && continuous;
}

static bool attach(ith_mpi_unexpected *u)
{
    MPI_Comm world = MPI_COMM_WORLD;
    int variable, n, size;

    MPI_Comm_size(world, &size);
    if (!find(&variable) || MPI_T_pvar_session_create(&u->session) != MPI_SUCCESS)
        return false;
    if (MPI_T_pvar_handle_alloc(u->session, variable, &world, &u->handle, &n) == MPI_SUCCESS &&
        n == size)
        u->counts = calloc((size_t)n, sizeof *u->counts);
    if (u->counts == NULL)
        MPI_T_pvar_session_free(&u->session);
    return u->counts != NULL;
}

ith_mpi_unexpected *ith_mpi_unexpected_open(void)
{
    ith_mpi_unexpected *u = calloc(1, sizeof *u);
    int level = MPI_THREAD_SINGLE;

    /* Open MPI takes what is asked for here for the level of all of MPI from now on. */
    MPI_Query_thread(&level);
    if (u != NULL && MPI_T_init_thread(level, &level) == MPI_SUCCESS) {
        if (attach(u))
            return u;
        MPI_T_finalize();
    }
    free(u);
    return NULL;
}

bool ith_mpi_unexpected_from(ith_mpi_unexpected *u, int rank)
{
    return u != NULL && MPI_T_pvar_read(u->session, u->handle, u->counts) == MPI_SUCCESS &&
           u->counts[rank] > 0;
}

void ith_mpi_unexpected_close(ith_mpi_unexpected *u)
{
    if (u == NULL)
        return;
    MPI_T_pvar_session_free(&u->session); /* and its handle */
    MPI_T_finalize();
    free(u->counts);
    free(u);
}
