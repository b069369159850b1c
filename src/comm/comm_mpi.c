/* comm_mpi.c - what becomes of MPI's errors: the rank that sees one ends all ranks. */
#include "comm/comm_mpi.h"

#include <stdio.h>

void ith_mpi_check(ith_comm *comm, int code, const char *call)
{
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING + 1] = "", line[MPI_MAX_ERROR_STRING + 100];
    int length;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "error %d", code);
    snprintf(line, sizeof line, "%s failed: %s", call, text);
    ith_comm_abort(comm, 1, line);
}
