/* flight.h - the prompts of ith_generate_many: those in flight on all ranks, and on rank 0 those
 * that wait. waiting.h, admit.h and many.c work on them. */
#ifndef ITH_ENGINE_FLIGHT_H
#define ITH_ENGINE_FLIGHT_H

#include "engine/prompt_pace.h"
#include "engine/speculate.h"
#include "engine/writer.h"

/* A prompt and its answer. */
typedef struct ith_flight {
    ith_session *session; /* NULL: it waits */
    int64_t total;        /* tokens that its timeline may come to */
    int64_t room;         /* tokens for which the session has memory */

    /* The rest on rank 0 only. */
    ith_many_prompt prompt;
    ith_generation answer;
    ith_writer writer;
    ith_error err;
    size_t first;                   /* tokens that its session begins with: of prompt.ids */
    bool begun;                     /* they are in the session, or wait there */
    bool admitted;                  /* once at least */
    size_t given;                   /* tokens of the prompt that do */
    int32_t ids[ITH_DECODE_TOKENS]; /* the last token chosen, then guesses at those after it */
    bool has_id;                    /* it waits for the next step */
    int64_t n_guesses;              /* of that step, or of the last one */
    int64_t n_right;                /* of these, found right so far */
    bool chooses;                   /* a token is to be chosen from the logits after them */
    ith_drafter *drafter;           /* NULL: none yet, or no guesses */
    ith_draft_pace draft_pace;

    /* While it waits: another in flight, whose first `shared` tokens it begins with. It waits until
     * they are computed. NULL: none. */
    struct ith_flight *leader;
    int64_t shared;
} ith_flight;

typedef struct ith_many {
    ith_engine *engine;
    const ith_many_params *params;
    ith_many_counts *counts;
    ith_session *holder;                /* keeps the workspace while no prompt is in flight */
    bool shares;                        /* prompts may share what they begin with */
    bool no_cache;                      /* it has failed */
    ith_flight *flights[ITH_STEP_MOST]; /* [n], in the order of admission */
    int n;
    ith_step_item items[ITH_STEP_MOST]; /* [n] */
    /* [n_left] Answered in the last step, but others are to begin with their tokens. */
    ith_flight *left[ITH_STEP_MOST];
    int n_left;

    /* Rank 0. */
    ith_flight *waiting[ITH_STEP_MOST]; /* [n_waiting], in the order of admission */
    int n_waiting;
    ith_prompt_pace prompt_pace;
    ith_prompt_pace_step prompt_step; /* the next */
    bool no_more;                     /* prompts */
    bool stopped;
    bool full; /* memory lacked for another, and nobody has left since */
} ith_many;

static inline bool ith_many_is_root(const ith_many *m)
{
    return m->engine->world->comm->rank == 0;
}

/* Local. Closes its session; accepts NULL. */
void ith_flight_free(ith_flight *flight);

/* Rank 0. The prompt ends: `done` is told, and err is why; NULL: it is answered. */
void ith_flight_tell(ith_many *m, ith_flight *flight, const ith_error *err);

#endif
