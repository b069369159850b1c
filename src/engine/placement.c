/* placement.c - do the weights stay in memory, or do they come and go? Decided before anything is allocated, from the model's size, what a
 * session of the largest context takes, and the memory that there is. */
#include "base/mem.h"
#include "engine/engine_impl.h"

#include <stdio.h>

#define MIB 1048576.0

/* What the system needs beside us: of available memory this part is left alone. */
static const double SPARE = 0.05;

int64_t ith_engine_memory(const ith_engine *e, const ith_engine_params *p)
{
    if (p->memory > 0)
        return p->memory - (int64_t)ith_mem_resident();
    return (int64_t)((double)ith_mem_available() * (1 - SPARE)) / e->world->comm->node_size;
}

/* The least of all ranks' values. */
static int64_t least(ith_comm *comm, int64_t value)
{
    return -comm->ops->max(comm, -value);
}

ith_status ith_engine_budget(ith_engine *e, const ith_engine_params *p, size_t *budget, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    int64_t session = ith_session_bytes(e), memory = ith_engine_memory(e, p), weights = e->info.weight_bytes,
            share = weights / comm->domain_size, left = least(comm, memory - session);
    bool fits = left >= share;

    *budget = 0;
    if (p->placement == ITH_PLACE_REPLICATED || (p->placement == ITH_PLACE_AUTO && fits)) {
        snprintf(e->placement_text, sizeof e->placement_text,
                 "replicated: weights %.0f MiB a %s, session up to %.0f MiB a rank", (double)weights / MIB,
                 comm->domain_size < comm->node_size ? "memory node" : "machine", (double)session / MIB);
        return ITH_OK;
    }
    if (left <= 0)
        return ith_fail(err, ITH_E_MEMORY,
                        "%.0f MiB a rank, of which a context of %lld tokens takes up to %.0f MiB: nothing is left for "
                        "weights; give more memory (--mem), a smaller context (--ctx) or a smaller chunk (--chunk)",
                        (double)memory / MIB, (long long)e->info.ctx, (double)session / MIB);
    *budget = (size_t)left;
    snprintf(e->placement_text, sizeof e->placement_text,
             "streamed: %.0f MiB of weights within %.0f MiB a rank, session up to %.0f MiB", (double)weights / MIB,
             (double)left / MIB, (double)session / MIB);
    return ITH_OK;
}
