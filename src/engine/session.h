/* session.h - the session behind its handle: one timeline, its state, and its last logits. */
#ifndef ITH_ENGINE_SESSION_H
#define ITH_ENGINE_SESSION_H

#include "engine/engine.h"
#include "engine/keeper.h"
#include "model/pass.h"

struct ith_session {
    ith_engine *engine;
    int64_t number; /* of those that the engine has opened */
    ith_state *state;
    ith_span span;       /* of the current pass */
    bool has_workspace;  /* counted in the engine's n_sessions */
    int64_t ctx;         /* the longest timeline, in tokens */
    int64_t chunk;       /* tokens of a pass over all ranks */
    int64_t rows_tokens; /* with several ranks, passes of up to this length run by rows */
    int64_t length;      /* of the timeline, in tokens */
    int64_t pending;     /* tokens after these, in `ids`, that wait for a step */
    bool prompt;         /* the keeper's `begin` has been called for them */
    int64_t stop;        /* a pass ends here, unless the timeline is beyond; 0: anywhere */
    int64_t most;        /* tokens that a pass takes at most; 0: a chunk */
    bool is_long;        /* its keys are rotated by the model's long_rope */
    /* The progress of several calls may be reported as one: the tokens of earlier calls, and of all
     * of them. total 0: each call is reported by itself. */
    int64_t before, total;
    ith_profile *profile;   /* of every pass; NULL: not measured */
    const ith_probe *probe; /* of every pass; NULL: none */
    int32_t *ids;           /* [ctx] the whole timeline, on every rank */
    /* Rank 0: [ITH_DECODE_TOKENS][ith_logits_ld], from the last pass; NULL before the first. Row
     * i < n_logits follows a timeline of logits_from + i tokens. */
    float *logits;
    int64_t logits_from, n_logits;
    float *
        output; /* rank 0: [hidden] what the last token's are made of; NULL until it is asked for */
    float *score_logits; /* NULL until the first score, like the next two */
    float *nll;          /* [chunk] */
    int32_t *targets;    /* [chunk] */
    ith_keeper *keeper;  /* NULL: nothing is saved on disk */
};

typedef struct ith_session_sizes {
    int64_t ctx, chunk;
    int64_t back;     /* cuts that take back up to so many tokens are possible in any case */
    bool all_by_rows; /* passes of any length run by rows, so that every rank sees all tokens */
    int64_t logits;   /* tokens with logits in a pass; fewer than ITH_DECODE_TOKENS: so many */
} ith_session_sizes;

/* Collective. Opens a session with its own sizes; ith_session_open uses the engine's. */
ith_status ith_session_open_sized(ith_engine *engine, const ith_session_sizes *sizes,
                                  ith_session **session, ith_error *err);

/* As ith_session_truncate, whose `length` is known to be the same on all ranks. Local. */
ith_status ith_session_cut(ith_session *session, int64_t length, ith_error *err);

/* Collective. Like ith_session_prefill, but every one of the n tokens gets logits. The session
 * still has them when it is truncated to one of the tokens. 1 <= n <= ith_session_few(session). */
ith_status ith_session_extend(ith_session *session, const int32_t *ids, size_t n, ith_error *err);
/* The same with ids that all ranks have, and that can follow. The session has had logits. */
ith_status ith_session_extend_known(ith_session *session, const int32_t *ids, size_t n,
                                    ith_error *err);
int64_t ith_session_few(const ith_session *session);

/* Local. Are these ids such that n of them can follow the session's tokens and those that wait? */
ith_status ith_session_check_ids(const ith_session *session, const int32_t *ids, size_t n,
                                 ith_error *err);

/* Collective. State for n_tokens in all, in memory: where that fails, it is here and not in a pass.
 * What every rank has been promised is populated, so that no rank waits for memory that another
 * cannot get. On failure the state is as small as the timeline allows. */
ith_status ith_session_make_room(ith_session *session, int64_t n_tokens, ith_error *err);

/* Local, the same on all ranks. Can another session begin with the first n tokens of this one, as
 * ith_session_share does? */
bool ith_session_shareable(const ith_session *session, int64_t n);

/* Collective. An empty session of the same engine is to begin with the first n tokens of another,
 * which is shareable: whole segments of keys and values are shared by reference, which takes no
 * memory for them. Then it gets room (ith_session_make_room), and the rest is copied, which is
 * local. Neither may be cut back to fewer tokens afterwards. On ITH_E_MEMORY it is as empty as
 * before. */
ith_status ith_session_share(ith_session *session, const ith_session *from, int64_t n,
                             ith_error *err);
void ith_session_copy(ith_session *session, const ith_session *from, int64_t n);

/* Local, the same on all ranks. How many of the n tokens that wait the next pass may take: passes
 * end where a keeper saves states, and at the session's `stop`. */
int64_t ith_session_most(const ith_session *session, int64_t n);

/* Local, the same on all ranks. Can a pass follow the timeline? ITH_E_UNSUPPORTED: its recurrent
 * states have gone on, in a pass that has failed. */
ith_status ith_session_check_state(const ith_session *session, ith_error *err);

/* Local. Before n ids after the timeline are computed: with other rotary frequencies for a longer
 * timeline, or again for a shorter one, all of it must be computed anew. Returns how many tokens
 * that are; the timeline is empty then. */
int64_t ith_session_change_rope(ith_session *session, int64_t n);

/* Collective. Passes of the engine, one of whose sessions is open, can have so many logits. */
ith_status ith_engine_widen(ith_engine *engine, int64_t logits, ith_error *err);

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
