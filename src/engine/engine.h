/* engine.h - the engine behind its handle: a model in memory, and how the ranks work on it.
 *
 * Opened by engine_open.c; afterwards nothing here changes.
 */
#ifndef ITH_ENGINE_ENGINE_H
#define ITH_ENGINE_ENGINE_H

#include "engine/vocab.h"
#include "engine/world.h"
#include "formats/stats.h"
#include "model/blocks/block.h"

struct ith_engine {
    ith_world *world;
    ith_source *source;
    ith_stats *stats; /* NULL: none given */
    ith_vocab *vocab; /* rank 0; NULL elsewhere, or if the model has no tokenizer */
    ith_store *store;
    ith_model *model;
    ith_topology *topology;
    /* [node_size] of this memory domain's ranks, then of the node's others; NULL: not known yet */
    ith_seat *seats;
    ith_team *team;
    ith_mesh mesh;
    int64_t *sums;  /* the mesh's; NULL: nothing is weighed */
    double *shares; /* info's */
    ith_kv_layout kv;
    ith_exchange exchange;
    int head_slices;
    ith_prefill prefill;
    ith_workspace *ws; /* of all sessions' passes; NULL: no session is open */
    int n_sessions;    /* that use it */
    ith_progress_fn progress;
    ith_chunk_fn chunk_progress;
    void *progress_user;
    ith_engine_info info;
    ith_store_forecast streamed; /* what streaming the weights will read; zeroed if they are not */
    char mesh_text[32], distribution_text[300], advice_text[240];
};

/* What a token takes between the ranks: for the formulas of model/traffic.h. */
static inline ith_wire ith_engine_wire(const ith_engine *engine)
{
    return (ith_wire){.hp = &engine->model->hp,
                      .kv = engine->kv,
                      .quantized = engine->model->quantized,
                      .mesh = &engine->mesh};
}

/* Collective. Rank 0's progress function, heard by all: false asks to stop. From tid 0 of a pass
 * too. */
bool ith_engine_goes_on(ith_engine *engine, const char *what, int64_t done, int64_t total);

#endif
