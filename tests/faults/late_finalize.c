/* late_finalize.c - a rank that comes back late from MPI_Finalize, for LD_PRELOAD. */
#include <unistd.h>

int PMPI_Finalize(void);
int MPI_Finalize(void);

int MPI_Finalize(void)
{
    int status = PMPI_Finalize();

    sleep(2);
    return status;
}
