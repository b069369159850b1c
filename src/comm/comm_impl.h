/* comm_impl.h - what comm.c and the implementations share; other rooms see comm.h only. */
#ifndef ITH_COMM_IMPL_H
#define ITH_COMM_IMPL_H

#include "comm/comm.h"

enum { ITH_COMM_PIECE_MAX = 1 << 30 }; /* bytes in one MPI message: below INT_MAX, and a multiple of any page */

/* Collective over MPI's world. Starts MPI unless the program already has; closing then finalizes it. Messages of more than `piece`
 * bytes go in several (tests lower it). */
ith_status ith_comm_open_mpi(int64_t piece, ith_comm **comm, ith_error *err);

/* Has this process started MPI, and not yet finished it? */
bool ith_comm_mpi_running(void);

/* What the environment says about who started this process. `get` is getenv, or a test's own. */
typedef enum ith_launcher { ITH_LAUNCHER_NONE, ITH_LAUNCHER_MPI, ITH_LAUNCHER_SRUN_WITHOUT_PMI } ith_launcher;
ith_launcher ith_comm_launcher(const char *(*get)(const char *name));

/* How many ranks the launcher's variables promise; 0 where they do not say. */
int ith_comm_promised_ranks(const char *(*get)(const char *name));

#endif
