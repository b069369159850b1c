/* engine_impl.h - what stands behind the handles of ithaca.h; seen inside src/engine and src/tools only. */
#ifndef ITH_ENGINE_ENGINE_IMPL_H
#define ITH_ENGINE_ENGINE_IMPL_H

#include "comm/comm.h"
#include "engine/keeper.h"
#include "formats/stats.h"
#include "model/pass.h"
#include "text/chat.h"
#include "text/tokenizer.h"

/* The number of the arithmetic. To be raised by whoever changes what the kernels or the layers compute, however little: when the expected digests
 * of tests/parallel/test_same_bits.c change, or the text of key_bias.c. KV data saved before is then not found any more, nor the keys' means in packs
 * made before. */
enum { ITH_BITS = 1 };

struct ith_world {
    ith_comm *comm;
};

struct ith_vocab {
    ith_tokenizer *tok;
    ith_chat_kind chat;
    int32_t stops[ITH_MAX_EOS + 1]; /* tokens that end an answer */
    int n_stops;
};

struct ith_engine {
    ith_world *world;
    ith_source *source;
    ith_stats *stats; /* NULL: none given */
    ith_vocab *vocab; /* rank 0; NULL elsewhere, or if the model has no tokenizer */
    ith_store *store;
    ith_model *model;
    ith_topology *topology;
    ith_seat *seats; /* [node_size] of this memory domain's ranks, then of the node's others; NULL: not known yet */
    ith_team *team;
    ith_mesh mesh;
    int64_t *sums;  /* the mesh's; NULL: nothing is weighed */
    double *shares; /* info's */
    ith_kv_layout kv;
    ith_exchange exchange;
    int exchange_parts;
    ith_prefill prefill;
    ith_progress_fn progress;
    void *progress_user;
    ith_engine_info info;
    ith_store_forecast streamed; /* what is foreseen of a streamed placement; zeroed: it is another */
    char mesh_text[32], placement_text[300], advice_text[240];
};

struct ith_session {
    ith_engine *engine;
    ith_kv *kv;
    ith_workspace *ws;
    int64_t ctx;         /* longest timeline */
    int64_t chunk;       /* tokens of a pass over all ranks */
    int64_t rows_tokens; /* passes up to this long run by rows when there are several ranks */
    int64_t length;
    int64_t before,
        total; /* progress of several calls shown as one: what earlier ones did, and all of them; total 0: one call */
    ith_profile *profile;          /* of every pass; NULL: not measured */
    const ith_probe *probe;        /* looks into every pass; NULL: none */
    int32_t *ids;                  /* [ctx] the timeline; the whole of it on every rank */
    float *logits;                 /* rank 0: [ITH_DECODE_TOKENS][ith_logits_ld]: after the last tokens */
    int64_t logits_from, n_logits; /* row i is of a timeline of logits_from + i tokens, i < n_logits */
    float *score_logits;           /* allocated by the first score */
    float *nll;                    /* [chunk], likewise */
    int32_t *targets;              /* [chunk], likewise */
    ith_keeper *keeper;            /* NULL: nothing is kept on disk */
};

bool ith_vocab_in(const ith_source *source); /* do the files hold a tokenizer? */
ith_status ith_vocab_from_source(const ith_source *source, ith_vocab **vocab, ith_error *err);

/* A session of its own size; ith_session_open takes the engine's. all_by_rows: passes of any length run by rows, so that every rank
 * sees all tokens. Collective. */
ith_status ith_session_open_sized(ith_engine *engine, int64_t ctx, int64_t chunk, bool all_by_rows,
                                  ith_session **session, ith_error *err);

/* Collective. As ith_session_prefill for n tokens of which each gets its logits: 1 <= n <= ith_session_few(session). Cut back to one of
 * them, the session has its logits. */
ith_status ith_session_extend(ith_session *session, const int32_t *ids, size_t n, ith_error *err);
int64_t ith_session_few(const ith_session *session);

/* Is there a place for the last token's logits? The same on all ranks, of which rank 0 has them. */
bool ith_session_has_logits(const ith_session *session);
/* Rank 0: the logits of a timeline of `length` tokens, one of those that the last pass gave. */
const float *ith_session_logits_at(const ith_session *session, int64_t length);

/* What a session of the engine's sizes may come to take on this rank, and of that the buffers of passes and the cache, which differs from rank to
 * rank by a segment where several share heads. */
int64_t ith_session_bytes(const ith_engine *engine);
int64_t ith_session_workspace_bytes(const ith_engine *engine);
int64_t ith_session_kv_bytes(const ith_engine *engine);

/* A pass over ids [length, length + n) of the session, not yet run. */
ith_pass ith_session_pass(ith_session *session, int64_t n);

/* Collective: the steps of opening an engine that come before anything large is allocated. The first reads the files' headers and plans, with
 * all of engine->info but the placement; *out is to be closed, after a failure too. The second chooses where the weights are, fills in *store. */
ith_status ith_engine_plan(ith_world *world, const ith_engine_params *params, ith_engine **out, ith_error *err);
ith_status ith_engine_choose(ith_engine *engine, const ith_engine_params *params, ith_store_params *store,
                             ith_error *err);

/* Collective. Rank 0's progress function, heard by all: false asks to stop. From tid 0 of a pass too. */
bool ith_engine_goes_on(ith_engine *engine, const char *what, int64_t done, int64_t total);

/* Collective. Chooses where the weights are: fills in `cut` and `budget` of *store, the rest of which is there (placement.c). */
ith_status ith_engine_place(ith_engine *engine, const ith_engine_params *params, ith_store_params *store,
                            ith_error *err);

/* Collective. How much of tokens and rows each rank gets, from here on: weighs the mesh if params->weights_by says so. `threads`: this rank's
 * (shares.c). */
ith_status ith_engine_share(ith_engine *engine, const ith_engine_params *params, int threads, ith_error *err);

/* Memory of this rank, for all that is still to come. */
int64_t ith_engine_memory(const ith_engine *engine, const ith_engine_params *params);

/* Collective (domains.c). Makes memory domains of the machine's memory nodes where every rank is bound to one and a copy of the weights for each
 * fits. */
void ith_engine_choose_domains(ith_engine *engine, const ith_engine_params *params);

/* Collective (domains.c). Where the weights shall lie; *homes is good as long as the engine. */
ith_status ith_engine_find_homes(ith_engine *engine, ith_homes *homes, ith_error *err);

/* Whether a launcher lets this rank run on fewer cores than it has threads, or than are its share: what to tell the user (domains.c). */
void ith_engine_advise(ith_engine *engine, const ith_engine_params *params);

/* Collective. Measures the constant that is taken off keys before they are quantized, from its model's weights (key_bias.c). */
ith_status ith_engine_measure_key_bias(ith_engine *engine, ith_error *err);

/* Collective. The same constant: a pack's own where it is this model's, else measured (key_means.c). ITH_E_FORMAT: the pack's cannot be. */
ith_status ith_engine_find_key_bias(ith_engine *engine, const ith_engine_params *params, ith_error *err);

extern const char ith_key_means_blob[]; /* its name in packs */

typedef struct ith_key_means { /* malloc'd values; NULL: none, so whoever loads the pack has to measure, for a reason */
    float *values;
    size_t bytes;
    ith_error why;
} ith_key_means;

/* Local. What a pack shall hold under that name: the constant of the pack params->model, which has none yet. One rank measures it while the weights are
 * streamed through as little memory as possible. No values and no error: there is not that much memory, or the values are not finite. */
ith_status ith_key_means_of_pack(const ith_engine_params *params, ith_key_means *means, ith_error *err);

#endif
