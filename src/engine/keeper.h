/* keeper.h - what a session needs to know of whoever saves its KV data and its answer.
 *
 * A session without a keeper (NULL) saves nothing. The only kind of keeper is in src/keep
 * (ith_session_keep). The engine calls it through this table, so that the engine does not depend on
 * files, archives and checkpoints.
 */
#ifndef ITH_ENGINE_KEEPER_H
#define ITH_ENGINE_KEEPER_H

#include "ithaca.h"

typedef struct ith_keeper ith_keeper;

typedef struct ith_keeper_ops {
    /* Collective, before a prompt of several tokens is computed. The session's ids hold its
     * timeline and n more tokens, and its cache has room for them. Restores the beginning of these
     * tokens, as far as it is saved, and moves the session's length to its end; *restored is the
     * number of tokens. It is negative if the session lost some, which must be computed again. The
     * last token is never restored: it must be computed for its logits. */
    ith_status (*begin)(ith_keeper *keeper, int64_t n, int64_t *restored, ith_error *err);

    /* Local, the same on all ranks. How many of the n tokens that are left the next pass may take:
     * recurrent states are saved where passes end. */
    int64_t (*most)(const ith_keeper *keeper, int64_t n);

    /* Collective, after each chunk of a prompt, and after each step of decoding. */
    ith_status (*chunk)(ith_keeper *keeper, ith_error *err);

    /* Collective, at the end of the prompt or where it was stopped. Later chunks are not saved
     * until the next `begin`. */
    ith_status (*rest)(ith_keeper *keeper, ith_error *err);

    /* Local, the same on all ranks. The session must not be truncated to fewer tokens than this. */
    int64_t (*least)(const ith_keeper *keeper);

    /* Local. The tokens of a saved answer, to be shown again, and how often the sampler's generator
     * was drawn from for them. *n is 0 on ranks other than 0, if no answer was saved, and for a
     * second answer. The last saved token is not included: it is chosen again, because its logits
     * are needed. */
    const int32_t *(*answer)(ith_keeper *keeper, int64_t *n, int64_t *draws);

    /* Rank 0. Token i of the answer was chosen, after `draws` draws in all. Tokens from `answer`
     * may be passed again. */
    void (*token)(ith_keeper *keeper, int64_t i, int32_t id, int64_t draws);

    /* Collective, when the session is closed and still complete. */
    void (*close)(ith_keeper *keeper);
} ith_keeper_ops;

/* The first field of each kind of keeper. */
struct ith_keeper {
    const ith_keeper_ops *ops;
};

#endif
