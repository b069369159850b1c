/* session.h - the session behind its handle: one timeline, its state, and its last logits. */
#ifndef ITH_ENGINE_SESSION_H
#define ITH_ENGINE_SESSION_H

#include "engine/engine.h"
#include "engine/keeper.h"
#include "model/pass.h"

struct ith_session {
    ith_engine *engine;
    ith_state *state;
    ith_span span;       /* of the current pass */
    bool has_workspace;  /* counted in the engine's n_sessions */
    int64_t ctx;         /* the longest timeline, in tokens */
    int64_t chunk;       /* tokens of a pass over all ranks */
    int64_t rows_tokens; /* with several ranks, passes of up to this length run by rows */
    int64_t length;      /* of the timeline, in tokens */
    bool is_long;        /* its keys are rotated by the model's long_rope */
    /* The progress of several calls may be reported as one: the tokens of earlier calls, and of all
     * of them. total 0: each call is reported by itself. */
    int64_t before, total;
    ith_profile *profile;   /* of every pass; NULL: not measured */
    const ith_probe *probe; /* of every pass; NULL: none */
    int32_t *ids;           /* [ctx] the whole timeline, on every rank */
    /* Rank 0: [ITH_DECODE_TOKENS][ith_logits_ld], from the last pass. Row i < n_logits follows a
     * timeline of logits_from + i tokens. */
    float *logits;
    int64_t logits_from, n_logits;
    float *score_logits; /* NULL until the first score, like the next two */
    float *nll;          /* [chunk] */
    int32_t *targets;    /* [chunk] */
    ith_keeper *keeper;  /* NULL: nothing is saved on disk */
};

typedef struct ith_session_sizes {
    int64_t ctx, chunk;
    int64_t back;     /* cuts that take back up to so many tokens are possible in any case */
    bool all_by_rows; /* passes of any length run by rows, so that every rank sees all tokens */
} ith_session_sizes;

/* Collective. Opens a session with its own sizes; ith_session_open uses the engine's. */
ith_status ith_session_open_sized(ith_engine *engine, const ith_session_sizes *sizes,
                                  ith_session **session, ith_error *err);

/* As ith_session_truncate, whose `length` is known to be the same on all ranks. Local. */
ith_status ith_session_cut(ith_session *session, int64_t length, ith_error *err);

/* Collective. Like ith_session_prefill, but every one of the n tokens gets logits. The session
 * still has them when it is truncated to one of the tokens. 1 <= n <= ith_session_few(session). */
ith_status ith_session_extend(ith_session *session, const int32_t *ids, size_t n, ith_error *err);
int64_t ith_session_few(const ith_session *session);

/* Local. Does the session have the logits of its last token? The answer is the same on all ranks,
 * although only rank 0 has the numbers. */
bool ith_session_has_logits(const ith_session *session);

/* Rank 0. The logits after `length` tokens of the timeline. NULL: the last pass did not compute
 * them. */
const float *ith_session_logits_at(const ith_session *session, int64_t length);

/* Local. What all passes of an engine share, while one of its sessions is open. */
ith_pass_env ith_engine_env(const ith_engine *engine);

/* Local. A pass over ids [length, length + n) of the session, not yet run. */
ith_pass ith_session_pass(ith_session *session, int64_t n);

#endif
