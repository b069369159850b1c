/* engine.h - the engine behind its handle: a model in memory, and how the ranks share its work.
 *
 * engine_open.c fills it. Afterwards only the workspace, the count of sessions, and what is made
 * once at the first need change.
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
    ith_vocab *vocab; /* rank 0; NULL on other ranks, and if the model has no tokenizer */
    ith_store *store;
    ith_model *model;
    ith_topology *topology;
    /* [node_size] where the threads of each rank run: the ranks of this memory domain, then the
     * others of the node. NULL until ith_engine_find_homes. */
    ith_seat *seats;
    ith_team *team;
    ith_mesh mesh;
    int64_t *sums;  /* the mesh's; NULL: equal shares */
    double *shares; /* those of `info` */
    ith_kv_layout kv;
    ith_exchange exchange;
    int head_slices;
    ith_prefill prefill;
    int64_t node_memory; /* bytes of a node that is planned for; 0: it is this machine */
    ith_workspace *ws;   /* shared by the passes of all sessions; NULL: no session is open */
    int n_sessions;      /* that use it */
    int64_t n_opened;    /* sessions so far */
    /* Of a step, rank 0; NULL before the first: [ITH_STEP_MOST][ith_logits_ld], and
     * [ITH_STEP_MOST][hidden], what they are made of. */
    float *step_logits, *step_outputs;
    /* What stands for the model where KV data is saved (keep/model_key.h). */
    uint8_t model_key[16];
    bool has_model_key;
    ith_progress_fn progress;
    ith_chunk_fn chunk_progress;
    void *progress_user;
    ith_engine_info info;
    ith_store_forecast streamed; /* what passes will read of streamed weights; else zero */
    char mesh_text[32], distribution_text[300], advice_text[240];
};

/* What a token takes on the wire, for the formulas of model/traffic.h. */
static inline ith_wire ith_engine_wire(const ith_engine *engine)
{
    return (ith_wire){.hp = &engine->model->hp,
                      .kv = engine->kv,
                      .quantized = engine->model->quantized,
                      .mesh = &engine->mesh};
}

/* Local. ITH_E_UNSUPPORTED: the model's files say that a vector of a text is made otherwise than of
 * its last token. */
ith_status ith_engine_check_pooling(const ith_engine *engine, ith_error *err);

/* Local. ITH_E_IO: a file that passes read has changed on this rank since it was opened. */
ith_status ith_engine_check_files(const ith_engine *engine, ith_error *err);

/* Collective; inside a pass, tid 0 of every rank calls it. Calls the progress function on rank 0
 * and returns its answer on all ranks; false: stop. */
bool ith_engine_goes_on(ith_engine *engine, const char *what, int64_t done, int64_t total);

#endif
