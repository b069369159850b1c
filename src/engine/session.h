/* session.h - the session behind its handle: one timeline, its KV cache, and its last logits. */
#ifndef ITH_ENGINE_SESSION_H
#define ITH_ENGINE_SESSION_H

#include "engine/engine.h"
#include "engine/keeper.h"
#include "model/pass.h"

struct ith_session {
    ith_engine *engine;
    ith_state *state;
    ith_span span;       /* of the pass in hand */
    bool has_workspace;  /* it counts among the engine's n_sessions */
    int64_t ctx;         /* longest timeline */
    int64_t chunk;       /* tokens of a pass over all ranks */
    int64_t rows_tokens; /* passes up to this long run by rows when there are several ranks */
    int64_t length;
    /* Progress of several calls shown as one: what earlier ones did, and all of them; total 0: one
     * call. */
    int64_t before, total;
    ith_profile *profile;   /* of every pass; NULL: not measured */
    const ith_probe *probe; /* looks into every pass; NULL: none */
    int32_t *ids;           /* [ctx] the timeline; the whole of it on every rank */
    /* Rank 0: [ITH_DECODE_TOKENS][ith_logits_ld], from the last pass. Row i, i < n_logits, follows
     * a timeline of logits_from + i tokens. */
    float *logits;
    int64_t logits_from, n_logits;
    float *score_logits; /* allocated by the first score */
    float *nll;          /* [chunk], likewise */
    int32_t *targets;    /* [chunk], likewise */
    ith_keeper *keeper;  /* NULL: nothing is saved on disk */
};

/* Collective. A session of its own size; ith_session_open takes the engine's. all_by_rows: passes
 * of any length run by rows, so that every rank sees all tokens. */
ith_status ith_session_open_sized(ith_engine *engine, int64_t ctx, int64_t chunk, bool all_by_rows,
                                  ith_session **session, ith_error *err);

/* Collective. As ith_session_prefill, for n tokens that each get their logits:
 * 1 <= n <= ith_session_few(session). Cut back to one of them, the session has its logits. */
ith_status ith_session_extend(ith_session *session, const int32_t *ids, size_t n, ith_error *err);
int64_t ith_session_few(const ith_session *session);

/* Does the session have the logits of its last token? The same on all ranks, though only rank 0 has
 * the numbers. */
bool ith_session_has_logits(const ith_session *session);

/* Rank 0. The logits of a timeline of `length` tokens, one of those that the last pass gave. */
const float *ith_session_logits_at(const ith_session *session, int64_t length);

/* What passes of an engine have in common, while one of its sessions is open. */
ith_pass_env ith_engine_env(const ith_engine *engine);

/* A pass over ids [length, length + n) of the session, not yet run. */
ith_pass ith_session_pass(ith_session *session, int64_t n);

#endif
