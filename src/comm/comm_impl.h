/* comm_impl.h - what comm.c and the implementations share; other rooms see comm.h only. */
#ifndef ITH_COMM_IMPL_H
#define ITH_COMM_IMPL_H

#include "comm/comm.h"

/* What tests change; others take ith_mpi_defaults. */
typedef struct ith_mpi_options {
    int64_t piece;      /* most bytes in one MPI message, at most INT_MAX; more go in several */
    int64_t slot;       /* most bytes of a rank (several nodes: of all) in an all-gather over boards; 0: none go that way */
    bool windows_only;  /* shared memory by MPI's windows, without trying anonymous files first */
    int ranks_per_node; /* cuts machines into nodes of so many ranks; 0: a machine is a node */
} ith_mpi_options;

static const ith_mpi_options ith_mpi_defaults = {.piece = 1 << 30, .slot = 1 << 18};

/* Collective over MPI's world. Starts MPI unless the program already has; closing then finalizes it. */
ith_status ith_comm_open_mpi(const ith_mpi_options *options, ith_comm **comm, ith_error *err);

/* Has this process started MPI, and not yet finished it? */
bool ith_comm_mpi_running(void);

/* What the environment says about who started this process. `get` is getenv, or a test's own. */
typedef enum ith_launcher { ITH_LAUNCHER_NONE, ITH_LAUNCHER_MPI, ITH_LAUNCHER_SRUN_WITHOUT_PMI } ith_launcher;
ith_launcher ith_comm_launcher(const char *(*get)(const char *name));

/* ITHACA_RANKS_PER_NODE; 0 where it is not set. ITH_E_ARGUMENT: it is no number from 1 on. */
ith_status ith_comm_ranks_per_node(const char *(*get)(const char *name), int *ranks, ith_error *err);

/* How many ranks the launcher's variables promise; 0 where they do not say. */
int ith_comm_promised_ranks(const char *(*get)(const char *name));

#endif
