/* comm_open.h - opens the world, and reads from the environment who started this process.
 *
 * MPI is used where a launcher started the process (mpirun, srun with PMI) or the program has
 * started MPI itself; otherwise the world is one rank and MPI stays untouched.
 */
#ifndef ITH_COMM_OPEN_H
#define ITH_COMM_OPEN_H

#include "comm/comm.h"

/* Collective over all ranks that were started; once per process. *comm is the caller's; its note
 * says so where the launcher whose variables are set has ended, so that this is one rank.
 * ITH_E_COMM: the ranks cannot find each other (srun without PMI, the launcher of another MPI), MPI
 * does not start, a rank is another build, or ITHACA_RANKS_PER_NODE is not the same everywhere.
 * ITH_E_ARGUMENT: ITHACA_RANKS_PER_NODE or ITHACA_NETWORK_TIMEOUT is not a number in range, on some
 * rank. */
ith_status ith_comm_open_world(ith_comm **comm, ith_error *err);

/* Not collective. Did a launcher start this process, or the program MPI? Was it srun, and not
 * mpirun inside an allocation? The rank that the launcher's variables give; 0 without a
 * launcher. */
bool ith_comm_is_launched(void);
bool ith_comm_is_started_by_srun(void);
int ith_comm_launched_rank(void);

/* The MPI library's name and version, such as "Open MPI v4.1.4". Not collective. */
const char *ith_comm_library(void);

/* ---- The environment: pure functions of `get`, which is getenv or a test's own ---- */

typedef enum ith_launcher {
    ITH_LAUNCHER_NONE,
    ITH_LAUNCHER_MPI,
    ITH_LAUNCHER_SRUN_WITHOUT_PMI
} ith_launcher;

ith_launcher ith_comm_launcher(const char *(*get)(const char *name));

/* The number of ranks that the launcher's variables promise; 0 where they do not say. */
int ith_comm_promised_ranks(const char *(*get)(const char *name));

/* ITHACA_RANKS_PER_NODE; 0 where it is not set. ITH_E_ARGUMENT: not a number from 1 on. */
ith_status ith_comm_ranks_per_node(const char *(*get)(const char *name), int *ranks,
                                   ith_error *err);

/* ITHACA_NETWORK_TIMEOUT in seconds; where it is not set, *seconds stays. ITH_E_ARGUMENT: not a
 * number from 0 to 86,400. */
ith_status ith_comm_network_timeout(const char *(*get)(const char *name), int *seconds,
                                    ith_error *err);

/* launcher.c: has the launcher that set these variables ended, as in a shell that outlived its job?
 * Then `gone` says what does not answer. Tries to connect to a PMIx server of this machine; looks
 * for the descriptor of a PMI-1 server. */
bool ith_comm_launcher_is_gone(const char *(*get)(const char *name), char *gone, size_t size);

#endif
