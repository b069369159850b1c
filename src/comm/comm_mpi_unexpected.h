/* comm_mpi_unexpected.h - messages that have come and that no receive has asked for. */
#ifndef ITH_COMM_MPI_UNEXPECTED_H
#define ITH_COMM_MPI_UNEXPECTED_H

#include <stdbool.h>

typedef struct ith_mpi_unexpected ith_mpi_unexpected;

/* Looks at MPI's world through its tool interface (MPI_T): collective operations of another program
 * are seen too. Between MPI_Init and MPI_Finalize, whose thread level stays; not collective. Takes
 * some tenths of a second, in which Open MPI registers all of its variables. NULL: this MPI does
 * not say, or there is no memory. */
ith_mpi_unexpected *ith_mpi_unexpected_open(void);

/* Is there a message from that rank, as of the last call that let MPI make progress? False without
 * `unexpected`. Not collective. */
bool ith_mpi_unexpected_from(ith_mpi_unexpected *unexpected, int rank);

void ith_mpi_unexpected_close(ith_mpi_unexpected *unexpected); /* accepts NULL */

#endif
