/* comm_mpi_unexpected.h - messages that have come and that no receive has asked for. */
#ifndef ITH_COMM_MPI_UNEXPECTED_H
#define ITH_COMM_MPI_UNEXPECTED_H

#include <stdbool.h>

typedef struct ith_mpi_unexpected ith_mpi_unexpected;

/* Looks at MPI's world through its tool interface (MPI_T): collective operations of another program
 * are seen too. NULL: this MPI does not say, or there is no memory. */
ith_mpi_unexpected *ith_mpi_unexpected_open(void);

/* Is there a message from that rank? False without `unexpected`. Not collective. */
bool ith_mpi_unexpected_from(ith_mpi_unexpected *unexpected, int rank);

void ith_mpi_unexpected_close(ith_mpi_unexpected *unexpected); /* accepts NULL */

#endif
