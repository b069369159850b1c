/* timeline.h - the session of a chat: it follows the conversation's tokens at the least cost.
 *
 * The conversation is written anew for each turn. What its tokens have in common with the session's
 * at the beginning stays, and the rest is computed: most often the last message alone. Templates
 * that change earlier turns, such as those that drop what the model thought, cost what follows the
 * change. Keys and values depend on the tokens alone, so a conversation that is resumed, on any
 * number of ranks, comes to the same bits as one that was never left.
 *
 * Rank 0 decides what to do and tells the others, which sleep while it waits for the user.
 */
#ifndef ITH_CLI_TIMELINE_H
#define ITH_CLI_TIMELINE_H

#include "cli/input.h"
#include "cli/keep_options.h"
#include "cli/speculation.h"
#include "cli/watch.h"

typedef struct ith_timeline {
    const ith_cli *cli;
    ith_watch *watch;
    ith_engine *engine;
    ith_session *session;
    const ith_keep_args *keep;
    int max_draft;
    ith_session *draft;

    /* Rank 0: the session's tokens, [n_tokens]. */
    int32_t *tokens;
    size_t n_tokens;
    int64_t computed; /* by the last call */
    bool broken;      /* by a failure after which the other ranks have left */
} ith_timeline;

/* Collective. The other members are set by the caller, who owns the engine. */
ith_status ith_timeline_open(ith_timeline *t, ith_error *err);
void ith_timeline_close(ith_timeline *t);

/* Rank 0. Makes the session hold these tokens; `ids` becomes the timeline's. ITH_E_ARGUMENT: they
 * do not fit into the context. ITH_E_CANCELLED: stopped; what was computed stays. Others as in
 * ith_session_prefill. */
ith_status ith_timeline_compute(ith_timeline *t, ith_ids *ids, ith_error *err);

/* Rank 0. The same, then an answer, of params->max_tokens at most; what they say of speculation is
 * replaced. Free *answer. */
ith_status ith_timeline_answer(ith_timeline *t, ith_ids *ids, const ith_generate_params *params,
                               ith_generation *answer, ith_error *err);

/* Rank 0: lets the others go. */
void ith_timeline_end(ith_timeline *t);

/* The other ranks: do what rank 0 says, until it lets them go or something fails for good. */
ith_status ith_timeline_follow(ith_timeline *t, ith_error *err);

#endif
