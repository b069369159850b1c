/* comm.c - what both implementations share: which one to open, agreement, the end of all ranks. */
#include "comm/comm_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Set for every process that a launcher with PMI starts: Open MPI's mpirun; any PMIx server (srun --mpi=pmix, prun);
 * PMI-1 and PMI-2 (Hydra, srun --mpi=pmi2). */
static const char *const launcher_variables[] = {
    "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_SIZE", "PMI_FD", "PMI_PORT"};

/* srun sets SLURM_STEP_NUM_TASKS for the tasks of a step. SLURM_NTASKS says nothing: an sbatch script sees it too, where
 * SLURM_PROCID is 0 and nothing was launched yet; the shell of salloc is a step of one task. */
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

int ith_comm_promised_ranks(const char *(*get)(const char *name))
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                        "SLURM_STEP_NUM_TASKS"}; /* the innermost first */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (get(names[i]))
            return atoi(get(names[i]));
    return 0;
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

ith_status ith_comm_ranks_per_node(const char *(*get)(const char *name), int *ranks, ith_error *err)
{
    const char *text = get("ITHACA_RANKS_PER_NODE");
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;

    *ranks = 0;
    if (text && (end == text || *end != '\0' || n < 1 || n > INT_MAX))
        return ith_fail(err, ITH_E_ARGUMENT, "ITHACA_RANKS_PER_NODE=%s: expected a number of ranks, 1 or more", text);
    *ranks = (int)n;
    return ITH_OK;
}

static ith_status open_mpi(ith_comm **comm, ith_error *err)
{
    ith_mpi_options options = ith_mpi_defaults;
    ITH_TRY(ith_comm_ranks_per_node(from_environment, &options.ranks_per_node, err));
    return ith_comm_open_mpi(&options, comm, err);
}

/* A launcher of another MPI starts N processes that each believe to be alone: N copies of the same work. */
static ith_status open_launched(ith_comm **comm, ith_error *err)
{
    int promised = ith_comm_promised_ranks(from_environment);
    ITH_TRY(open_mpi(comm, err));
    if ((*comm)->size > 1 || promised <= 1)
        return ITH_OK;
    ith_comm_close(*comm);
    *comm = NULL;
    return ith_fail(err, ITH_E_COMM,
                    "the launcher started %d ranks, but %s sees one: start Ithaca with that MPI's own mpirun, or with "
                    "`srun --mpi=pmix`",
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
                        "srun started %s tasks without PMI, so they cannot find each other: use `srun --mpi=pmix`, or "
                        "mpirun inside the allocation, or one task (-n 1)",
                        getenv("SLURM_STEP_NUM_TASKS"));
    case ITH_LAUNCHER_NONE:
        break;
    }
    return ith_comm_open_self(comm, err);
}

void ith_comm_close(ith_comm *comm)
{
    if (comm)
        comm->ops->close(comm);
}

/* The lowest failing rank speaks for all. */
ith_status ith_comm_agree(ith_comm *comm, ith_status status, ith_error *err)
{
    if (comm->size == 1)
        return status;
    int64_t worst = comm->ops->max(comm, status != ITH_OK ? comm->size - comm->rank : 0);
    if (worst == 0)
        return ITH_OK;
    ith_error said = {.status = status};
    int speaker = comm->size - (int)worst;
    if (comm->rank == speaker)
        snprintf(said.text, sizeof said.text, "%s", err ? err->text : "failed");
    comm->ops->bcast(comm, &said, sizeof said, speaker);
    if (err)
        *err = said;
    return ith_fail_prefix(err, said.status, "rank %d", speaker);
}

void ith_comm_abort(ith_comm *comm, int code, const char *text)
{
    char line[1200];
    int n = snprintf(line, sizeof line, "ithaca: rank %d: %s\n", comm->rank, text);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    ssize_t written = write(STDERR_FILENO, line, length); /* one piece, so that ranks' lines do not mix */
    (void)written;
    comm->ops->abort(comm, code);
}
