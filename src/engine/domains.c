/* domains.c - memory domains, and advice about the launcher's binding. */
#include "engine/domains.h"
#include "base/cpumask.h"
#include "comm/comm_open.h"
#include "engine/distribution.h"
#include "engine/sizes.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t least(ith_comm *comm, int64_t value)
{
    return -comm->ops->max(comm, -value);
}

bool ith_engine_copies_fit(ith_engine *e, const ith_engine_params *p)
{
    ith_comm *comm = e->world->comm;
    int64_t left =
        ith_engine_memory(e, p) - ith_session_bytes(e) - e->info.weight_bytes / comm->domain_size;
    return p->distribution != ITH_DISTRIBUTION_STREAMED && least(comm, left) >= 0;
}

void ith_engine_choose_domains(ith_engine *e, const ith_engine_params *p)
{
    ith_comm *comm = e->world->comm;
    bool bound = comm->ops->max(comm, ith_topology_nodes(e->topology)) == 1;

    if (!bound)
        return;
    comm->ops->split_domains(comm, ith_topology_node(e->topology, 0)->os_index);
    if (!ith_engine_copies_fit(e, p))
        comm->ops->split_domains(comm, 0);
}

/* Are the ranks of these seats in one domain? Domains smaller than the machine consist of ranks
 * that are bound to one memory node. */
static bool share_domain(const ith_comm *comm, const ith_seat *a, const ith_seat *b)
{
    return comm->domain_size == comm->node_size || a->os_index[0] == b->os_index[0];
}

ith_status ith_engine_find_homes(ith_engine *e, ith_homes *homes, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    ith_seat *all;
    void *shared;
    int n = 0;

    e->seats = calloc((size_t)comm->node_size, sizeof *e->seats);
    ITH_TRY(ith_comm_agree(
        comm,
        e->seats != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for a table of ranks"),
        err));
    ITH_TRY(comm->ops->shared_alloc(comm, (size_t)comm->node_size * sizeof *all, "a table of ranks",
                                    NULL, NULL, &shared, err));
    all = shared;
    all[comm->node_rank] = ith_seat_of(e->topology, comm->rank, e->info.threads);
    comm->ops->node_barrier(comm);
    for (int others = 0; others < 2; others++)
        for (int i = 0; i < comm->node_size; i++)
            if (share_domain(comm, &all[comm->node_rank], &all[i]) == !others)
                e->seats[n++] = all[i];
    comm->ops->node_barrier(comm);
    comm->ops->shared_free(comm, shared);
    *homes = (ith_homes){.topology = e->topology, .mesh = e->mesh, .seats = e->seats, .n_seats = n};
    return ITH_OK;
}

/* As the launcher takes it. */
static const char *how_to_bind(int ranks_here, int cores, char text[80])
{
    if (ith_comm_is_started_by_srun())
        snprintf(text, 80, "srun --cpus-per-task=%d --cpu-bind=cores",
                 cores / ranks_here > 0 ? cores / ranks_here : 1);
    else
        snprintf(text, 80, "%s",
                 ranks_here > 1 ? "mpirun --map-by numa --bind-to numa (or --bind-to none)"
                                : "mpirun --bind-to none");
    return text;
}

/* The user's own variables leave cores unused, which may be meant. */
static bool places_are_few(ith_engine *e, int cores, int all)
{
    const char *name = getenv("OMP_PLACES") != NULL ? "OMP_PLACES" : "GOMP_CPU_AFFINITY";

    if (cores == all || getenv(name) == NULL || !ith_cpus_bound_by_openmp())
        return false;
    snprintf(e->advice_text, sizeof e->advice_text,
             "%s=%.80s leaves %d of the machine's %d cores: unset it to use all", name,
             getenv(name), cores, all);
    return true;
}

void ith_engine_advise(ith_engine *e, const ith_engine_params *p)
{
    ith_comm *comm = e->world->comm;
    int cores = ith_topology_cores(e->topology), all = ith_topology_machine_cores(e->topology),
        cpus = ith_topology_cpus(e->topology), threads = e->info.threads;
    char how[80];

    e->advice_text[0] = 0;
    if (places_are_few(e, cores, all) || cores == all || !ith_comm_is_launched())
        return;
    if (threads > cpus)
        snprintf(e->advice_text, sizeof e->advice_text,
                 "rank %d has %d threads, but the launcher lets it run on %d of the machine's %d "
                 "cores: try %s",
                 comm->rank, threads, cores, all, how_to_bind(comm->node_size, all, how));
    else if (p->threads == 0 && 2 * (int64_t)cores * comm->node_size <= all)
        snprintf(
            e->advice_text, sizeof e->advice_text,
            "the launcher lets the %d rank%s on this machine run on %d of its %d cores: try %s",
            comm->node_size, comm->node_size == 1 ? "" : "s", cores * comm->node_size, all,
            how_to_bind(comm->node_size, all, how));
}
