/* comm_mpi_open.h - opens the communicator of a launcher's ranks, over MPI.
 *
 * For comm_open.c and tests; needs no <mpi.h>.
 */
#ifndef ITH_COMM_MPI_OPEN_H
#define ITH_COMM_MPI_OPEN_H

#include "comm/comm.h"

/* Tests change these; everybody else takes ith_mpi_defaults. */
typedef struct ith_mpi_options {
    int64_t
        message_bytes; /* of an MPI message at most, up to INT_MAX; longer blocks take several */
    /* An all-gather goes over boards if no rank's block, and on several nodes all blocks together,
     * are larger than this; 0: none does. */
    int64_t board_bytes;
    bool windows_only;  /* shared memory from MPI's windows, without trying anonymous files first */
    int ranks_per_node; /* cuts machines into nodes of so many ranks; 0: a machine is a node */
    const char *ranks_per_node_text; /* as it was given, the same on all ranks; or NULL */
    /* All ranks end if a machine does not answer for so long (network_watch.h); 0: never. Only
     * where this starts MPI: a program's own MPI is its own. */
    int network_timeout_s;
} ith_mpi_options;

static const ith_mpi_options ith_mpi_defaults = {
    .message_bytes = 1 << 30, .board_bytes = 1 << 18, .network_timeout_s = 8};

/* Collective over MPI's world. Starts MPI unless the program has; closing then finalizes it. *comm
 * is the caller's. ITH_E_COMM: MPI does not start, serves no threads, a rank is another build, or
 * was given another ranks_per_node_text; ITH_E_MEMORY. */
ith_status ith_comm_open_mpi(const ith_mpi_options *options, ith_comm **comm, ith_error *err);

/* Has this process started MPI and not yet finalized it? Not collective. */
bool ith_comm_mpi_running(void);

/* The MPI library's name and version. Not collective. */
const char *ith_mpi_library(void);

#endif
