/* domains.c - ranks and memory nodes (NUMA): which of a machine's ranks share a copy of the weights, and where it lies; and whether the
 * launcher left them the cores that they want. */
#include "engine/engine_impl.h"

#include <stdio.h>
#include <string.h>

static int64_t least(ith_comm *comm, int64_t value)
{
    return -comm->ops->max(comm, -value);
}

/* Does a copy for each domain leave every rank its session? As in placement.c, a rank's share of the copy counts. */
static bool copies_fit(ith_engine *e, const ith_engine_params *p)
{
    ith_comm *comm = e->world->comm;
    int64_t left = ith_engine_memory(e, p) - ith_session_bytes(e) - e->info.weight_bytes / comm->domain_size;
    return p->placement != ITH_PLACE_STREAMED && least(comm, left) >= 0;
}

ith_homes ith_engine_choose_homes(ith_engine *e, const ith_engine_params *p)
{
    ith_comm *comm = e->world->comm;
    ith_homes homes = {.topology = e->topology, .mesh = e->mesh, .n_threads = e->info.threads};
    bool bound = comm->ops->max(comm, ith_topology_nodes(e->topology)) == 1;

    if (bound) {
        comm->ops->split_domains(comm, ith_topology_node(e->topology, 0)->os_index);
        homes.kind = ITH_HOMES_ONE_NODE;
        if (copies_fit(e, p))
            return homes;
        comm->ops->split_domains(comm, 0);
    }
    homes.kind = ith_topology_machine_nodes(e->topology) == 1 ? ITH_HOMES_ONE_NODE
                 : comm->domain_size == 1                     ? ITH_HOMES_BY_ROWS
                                                              : ITH_HOMES_INTERLEAVED;
    return homes;
}

static const char *how_to_bind(int ranks_here)
{
    return ranks_here > 1 ? "mpirun --map-by numa --bind-to numa (or --bind-to none)" : "mpirun --bind-to none";
}

void ith_engine_advise(ith_engine *e, const ith_engine_params *p)
{
    ith_comm *comm = e->world->comm;
    int cores = ith_topology_cores(e->topology), all = ith_topology_machine_cores(e->topology),
        cpus = ith_topology_cpus(e->topology), threads = e->info.threads;

    e->advice_text[0] = 0;
    if (cores == all || strcmp(comm->ops->name, "mpi") != 0)
        return;
    if (threads > cpus)
        snprintf(e->advice_text, sizeof e->advice_text,
                 "rank %d has %d threads, but its launcher lets it run on %d of the machine's %d cores: try %s",
                 comm->rank, threads, cores, all, how_to_bind(comm->node_size));
    else if (p->threads == 0 && 2 * (int64_t)cores * comm->node_size <= all)
        snprintf(e->advice_text, sizeof e->advice_text,
                 "%d rank%s on this machine may run on %d of its %d cores: try %s", comm->node_size,
                 comm->node_size == 1 ? "" : "s", cores * comm->node_size, all, how_to_bind(comm->node_size));
}
