/* distribution.c - chooses the weight distribution before anything is allocated, from the model's
 * size, the size of a session with the largest context, and the available memory.
 *
 * The first that fits is used: replicated (every node has all weights), sharded (each node has some
 * rows; weights are exchanged in prefill only), streamed (weights are read in every pass; of
 * several nodes, each reads its own rows).
 */
#include "engine/distribution.h"
#include "base/mem.h"
#include "engine/sizes.h"

#include <stdio.h>
#include <string.h>

#define MIB 1048576.0

/* The fraction of available memory that is left to the system. */
static const double SPARE = 0.05;

int64_t ith_engine_memory(const ith_engine *e, const ith_engine_params *p)
{
    if (p->memory > 0)
        return p->memory - (int64_t)ith_mem_resident();
    return (int64_t)((double)ith_mem_available() * (1 - SPARE)) / e->world->comm->node_size;
}

/* Collective. The smallest value of all ranks. */
static int64_t least(ith_comm *comm, int64_t value)
{
    return -comm->ops->max(comm, -value);
}

static const char *over_nodes(const ith_comm *comm, char text[40])
{
    text[0] = 0;
    if (comm->n_nodes > 1)
        snprintf(text, 40, " over %d nodes", comm->n_nodes);
    return text;
}

static void describe(ith_engine *e, ith_distribution chosen, int64_t bytes, int64_t session)
{
    double weights = (double)e->info.weight_bytes / MIB;
    char nodes[40];

    over_nodes(e->world->comm, nodes);
    if (chosen == ITH_DISTRIBUTION_REPLICATED)
        snprintf(e->distribution_text, sizeof e->distribution_text,
                 "replicated: weights %.0f MiB per %s, session up to %.0f MiB per rank", weights,
                 e->world->comm->domain_size < e->world->comm->node_size ? "memory node"
                                                                         : "machine",
                 (double)session / MIB);
    else
        snprintf(
            e->distribution_text, sizeof e->distribution_text,
            "%s%s: %.0f MiB of weights within %.0f MiB per node, session up to %.0f MiB per rank",
            chosen == ITH_DISTRIBUTION_SHARDED ? "sharded" : "streamed", nodes, weights,
            (double)bytes / MIB, (double)session / MIB);
}

/* Streamed weights go through the page cache if it has room for them besides what the ranks take
 * (`memory` each). Otherwise each pass would evict what the next one reads first. */
static ith_caching caching_of(const ith_engine *e, const ith_engine_params *p, int64_t memory,
                              int64_t room)
{
    const ith_comm *comm = e->world->comm;
    int64_t node = e->node_memory > 0 ? e->node_memory : (int64_t)ith_mem_available(),
            held = e->info.weight_bytes / comm->n_nodes, free = node - memory * comm->node_size;

    if (p->offload == ITH_OFFLOAD_DIRECT)
        return ITH_UNCACHED;
    return p->offload == ITH_OFFLOAD_RAM || held - room <= free ? ITH_CACHED : ITH_UNCACHED;
}

/* Forecasts what passes will read. A token of the answer reads only its own experts. */
static ith_status forecast(ith_engine *e, const ith_store_params *store, ith_error *err)
{
    double share = ith_blocks_least_share(e->model);
    size_t at = strlen(e->distribution_text), room = sizeof e->distribution_text - at;

    ITH_TRY(ith_store_foresee(e->store, store, share, &e->streamed, err));
    if (store->ram_level >= 0)
        return ITH_OK;
    if (share < 1)
        snprintf(e->distribution_text + at, room,
                 "; each node reads %.0f MiB per pass of a prompt, about %.0f MiB per token of the "
                 "answer",
                 e->streamed.read / MIB, e->streamed.read_chosen / MIB);
    else
        snprintf(e->distribution_text + at, room, "; each node reads %.0f MiB per pass",
                 e->streamed.read / MIB);
    return ITH_OK;
}

ith_status ith_engine_distribute(ith_engine *e, const ith_engine_params *p, ith_store_params *out,
                                 ith_error *err)
{
    ith_comm *comm = e->world->comm;
    int64_t session = ith_session_bytes(e), memory = ith_engine_memory(e, p),
            left = memory - session, room = least(comm, left * comm->node_size),
            room_for_copy = least(comm, left * comm->domain_size), sharded;
    ith_distribution chosen = p->distribution;

    out->cut = comm->n_nodes > 1;
    out->budget = 0;
    sharded = (int64_t)ith_store_needs(e->store, out);
    if (chosen == ITH_DISTRIBUTION_AUTO)
        chosen = room_for_copy >= e->info.weight_bytes  ? ITH_DISTRIBUTION_REPLICATED
                 : comm->n_nodes > 1 && room >= sharded ? ITH_DISTRIBUTION_SHARDED
                                                        : ITH_DISTRIBUTION_STREAMED;
    out->cut &= chosen != ITH_DISTRIBUTION_REPLICATED;
    describe(e, chosen, chosen == ITH_DISTRIBUTION_SHARDED ? sharded : room, session);
    if (chosen != ITH_DISTRIBUTION_STREAMED)
        return ITH_OK;
    if (room <= 0)
        return ith_fail(err, ITH_E_MEMORY,
                        "%.0f MiB available per rank, but a context of %lld tokens takes up to "
                        "%.0f MiB: nothing is left for weights; give more memory (--mem), a "
                        "smaller context (--ctx) or a smaller chunk (--chunk)",
                        memory > 0 ? (double)memory / MIB : 0, (long long)e->info.ctx,
                        (double)session / MIB);
    out->budget = (size_t)room;
    out->caching = caching_of(e, p, memory, room);
    if (out->caching == ITH_UNCACHED)
        strncat(e->distribution_text, ", bypassing the page cache",
                sizeof e->distribution_text - strlen(e->distribution_text) - 1);
    return forecast(e, out, err);
}
