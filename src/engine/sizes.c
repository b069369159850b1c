/* sizes.c - the sizes of a session's buffers. */
#include "engine/sizes.h"

#include "comm/exchange.h"
#include "model/traffic.h"

/* Passes of up to this many tokens per rank run by rows. Reading the weights dominates their cost,
 * and by rows each rank reads only its own rows. */
enum { ROWS_TOKENS_PER_RANK = 16 };

/* The most tokens of a pass by rows. If a head group has several ranks, only decode's attention is
 * divided by segments, so longer passes cannot run by rows. */
static int64_t rows_tokens(const ith_engine *e, int64_t chunk, bool all_by_rows)
{
    const ith_mesh *mesh = &e->mesh;

    if (mesh->ranks > 1 && (all_by_rows || e->prefill == ITH_PREFILL_ROWS))
        return chunk;
    if (mesh->context > 1 || (mesh->ranks > 1 && e->prefill == ITH_PREFILL_ULYSSES))
        return ITH_DECODE_TOKENS;
    return mesh->ranks == 1 ? 0 : ith_max(ROWS_TOKENS_PER_RANK * mesh->ranks, 64);
}

ith_limits ith_session_limits(const ith_engine *e, int64_t ctx, int64_t chunk, bool all_by_rows)
{
    int64_t by_rows = rows_tokens(e, chunk, all_by_rows);
    return (ith_limits){.chunk = chunk,
                        .max_tokens =
                            ith_max(ith_mesh_most_slots(&e->mesh, chunk), ith_min(chunk, by_rows)),
                        .rows_tokens = by_rows,
                        .n_threads = e->info.threads,
                        .ctx = ctx,
                        .logits = ITH_DECODE_TOKENS};
}

size_t ith_session_logits_floats(const ith_engine *e)
{
    return ITH_DECODE_TOKENS * (size_t)ith_logits_ld(e->model);
}

int64_t ith_session_workspace_bytes(const ith_engine *e)
{
    ith_limits limits = ith_session_limits(e, e->info.ctx, e->info.chunk, false);
    return ith_workspace_bytes(e->model, &e->mesh, e->kv, &limits);
}

/* A pass of guesses is taken back at most. */
ith_state_params ith_session_state(const ith_engine *e, int64_t ctx, int64_t back)
{
    return (ith_state_params){.layers = e->model->states,
                              .n_layers = (int)e->model->hp.n_layers,
                              .kv = e->kv,
                              .ctx = ctx,
                              .reach = ith_max(back, ITH_DECODE_TOKENS),
                              .ulysses = e->mesh.ulysses,
                              .group_rank = e->mesh.c,
                              .group_size = e->mesh.context,
                              .ranks = e->mesh.ranks,
                              .rank = e->mesh.rank,
                              .topology = e->topology};
}

int64_t ith_session_kv_bytes(const ith_engine *e)
{
    ith_state_params params = ith_session_state(e, e->info.ctx, e->info.chunk);
    return ith_state_bytes(&params) / e->mesh.ranks;
}

int64_t ith_session_state_bytes(const ith_engine *e)
{
    return ith_state_fixed_bytes(e->model->states, (int)e->model->hp.n_layers, e->mesh.ranks,
                                 e->mesh.rank);
}

int64_t ith_session_exchange_most(const ith_engine *e, int64_t chunk)
{
    ith_wire wire = ith_engine_wire(e);
    return ith_exchange_most(&wire, chunk);
}

/* The rank's share of its node's memory for exchanges. */
static int64_t exchange_bytes(const ith_engine *e)
{
    const ith_comm *comm = e->world->comm;
    int64_t most = ith_session_exchange_most(e, e->info.chunk);
    return 2 * ith_exchange_slot(e->exchange, most, comm->n_nodes, comm->size);
}

int64_t ith_session_bytes(const ith_engine *e)
{
    return ith_session_workspace_bytes(e) + ith_session_kv_bytes(e) + ith_session_state_bytes(e) +
           exchange_bytes(e) + e->info.ctx * (int64_t)sizeof(int32_t) +
           (int64_t)(ith_session_logits_floats(e) * sizeof(float));
}
