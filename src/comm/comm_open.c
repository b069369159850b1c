/* comm_open.c - detects the launcher and opens the world. */
#include "comm/comm_open.h"

#include "comm/comm_mpi_open.h"
#include "comm/comm_self.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Set for every process that a launcher with PMI starts: Open MPI's mpirun; any PMIx server (srun
 * --mpi=pmix, prun); PMI-1 and PMI-2 (Hydra, srun --mpi=pmi2). */
static const char *const launcher_variables[] = {"OMPI_COMM_WORLD_SIZE",
                                                 "PMIX_RANK",
                                                 "PMIX_NAMESPACE",
                                                 "PMI_RANK",
                                                 "PMI_SIZE",
                                                 "PMI_FD",
                                                 "PMI_PORT"};

/* srun sets SLURM_STEP_NUM_TASKS for the tasks of a step. SLURM_NTASKS says nothing: an sbatch
 * script has it too, with SLURM_PROCID 0 and nothing launched yet. salloc's shell is a step of one
 * task. */
static bool is_task_of_a_step(const char *(*get)(const char *name))
{
    const char *tasks = get("SLURM_STEP_NUM_TASKS");
    return get("SLURM_STEP_ID") && get("SLURM_PROCID") && tasks && atoi(tasks) > 1;
}

ith_launcher ith_comm_launcher(const char *(*get)(const char *name))
{
    for (size_t i = 0; i < sizeof launcher_variables / sizeof *launcher_variables; i++)
        if (get(launcher_variables[i]))
            return ITH_LAUNCHER_MPI;
    return is_task_of_a_step(get) ? ITH_LAUNCHER_SRUN_WITHOUT_PMI : ITH_LAUNCHER_NONE;
}

/* The innermost launcher first. */
static int first_number(const char *(*get)(const char *name), const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (get(names[i]))
            return atoi(get(names[i]));
    return 0;
}

int ith_comm_promised_ranks(const char *(*get)(const char *name))
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    return first_number(get, names, sizeof names / sizeof *names);
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

bool ith_comm_is_launched(void)
{
    return ith_comm_mpi_running() || ith_comm_launcher(from_environment) != ITH_LAUNCHER_NONE;
}

bool ith_comm_is_started_by_srun(void)
{
    return getenv("SLURM_STEP_ID") && getenv("SLURM_PROCID") && !getenv("OMPI_COMM_WORLD_SIZE");
}

int ith_comm_launched_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    return ith_comm_launcher(from_environment) == ITH_LAUNCHER_NONE
               ? 0
               : first_number(from_environment, names, sizeof names / sizeof *names);
}

ith_status ith_comm_ranks_per_node(const char *(*get)(const char *name), int *ranks, ith_error *err)
{
    const char *text = get("ITHACA_RANKS_PER_NODE");
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;

    *ranks = 0;
    if (text && (end == text || *end != '\0' || n < 1 || n > INT_MAX))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "ITHACA_RANKS_PER_NODE=%s: expected a number of ranks, 1 or more", text);
    *ranks = (int)n;
    return ITH_OK;
}

ith_status ith_comm_network_timeout(const char *(*get)(const char *name), int *seconds,
                                    ith_error *err)
{
    const char *text = get("ITHACA_NETWORK_TIMEOUT");
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;

    if (text == NULL)
        return ITH_OK;
    if (end == text || *end != '\0' || n < 0 || n > 86400)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "ITHACA_NETWORK_TIMEOUT=%s: expected seconds, up to 86400, or 0 to wait "
                        "for ever",
                        text);
    *seconds = (int)n;
    return ITH_OK;
}

static ith_status read_options(ith_mpi_options *options, ith_error *err)
{
    options->ranks_per_node_text = getenv("ITHACA_RANKS_PER_NODE");
    ITH_TRY(ith_comm_ranks_per_node(from_environment, &options->ranks_per_node, err));
    return ith_comm_network_timeout(from_environment, &options->network_timeout_s, err);
}

/* A rank that finds its own options wrong meets the others before it says so. */
static ith_status open_mpi(ith_comm **comm, ith_error *err)
{
    ith_mpi_options options = ith_mpi_defaults;
    ith_error wrong = {0};
    ith_status mine = read_options(&options, &wrong);

    ITH_TRY(ith_comm_open_mpi(&options, comm, err));
    mine = ith_comm_agree(*comm, mine, &wrong);
    if (mine == ITH_OK)
        return ITH_OK;
    *err = wrong;
    ith_comm_abandon(*comm);
    *comm = NULL;
    return mine;
}

/* The launcher of another MPI starts N processes that each see one rank: N copies of the same
 * work. A launcher's only process needs no MPI, so a script under it may run Ithaca many times. */
static ith_status open_launched(ith_comm **comm, ith_error *err)
{
    int promised = ith_comm_promised_ranks(from_environment);
    char gone[ITH_COMM_NOTE / 2];

    if (promised == 1)
        return ith_comm_open_self(comm, err);
    if (ith_comm_launcher_is_gone(from_environment, gone, sizeof gone)) {
        ITH_TRY(ith_comm_open_self(comm, err));
        snprintf((*comm)->note, sizeof(*comm)->note,
                 "this shell has variables of a launcher that has ended (%s): running as one rank",
                 gone);
        return ITH_OK;
    }
    ITH_TRY(open_mpi(comm, err));
    if ((*comm)->size > 1 || promised <= 1)
        return ITH_OK;
    ith_comm_abandon(*comm);
    *comm = NULL;
    return ith_fail(err, ITH_E_COMM,
                    "the launcher started %d ranks, but %s sees one: start Ithaca with that MPI's "
                    "own mpirun, or with `srun --mpi=pmix`",
                    promised, ith_comm_library());
}

ith_status ith_comm_open_world(ith_comm **comm, ith_error *err)
{
    *comm = NULL;
    if (ith_comm_mpi_running())
        return open_mpi(comm, err);
    switch (ith_comm_launcher(from_environment)) {
    case ITH_LAUNCHER_MPI:
        return open_launched(comm, err);
    case ITH_LAUNCHER_SRUN_WITHOUT_PMI:
        return ith_fail(err, ITH_E_COMM,
                        "srun started %s tasks without PMI, so they cannot find each other: use "
                        "`srun --mpi=pmix`, or mpirun inside the allocation, or one task (-n 1)",
                        getenv("SLURM_STEP_NUM_TASKS"));
    case ITH_LAUNCHER_NONE:
        break;
    }
    return ith_comm_open_self(comm, err);
}

const char *ith_comm_library(void)
{
    return ith_mpi_library();
}
