/* keep_state.h - the keeper of a session (engine/keeper.h): its state, which the files keep*.c
 * work on.
 *
 * keep.c opens and closes it; keep_read.c, keep_write.c and keep_answer.c do the work. Each step
 * is collective: every rank reads and writes the (segment, head) pairs that it holds. A failure
 * of the archive never fails a run: the user is warned, and the data is computed.
 */
#ifndef ITH_KEEP_KEEP_STATE_H
#define ITH_KEEP_KEEP_STATE_H

#include "engine/session.h"
#include "keep/archive.h"
#include "keep/checkpoint.h"
#include "keep/keep_writer.h"

typedef struct ith_keep {
    ith_keeper base;
    ith_session *session;
    ith_archive *archive;
    ith_keep_writer *writer;
    ith_checkpoint *checkpoint; /* rank 0's; NULL: none */
    bool checkpointed;          /* there is one, on all ranks */
    bool own_archive;           /* the archive is the checkpoint's, not a cache's */
    int64_t cache_bytes;
    ith_key model; /* stands for the model */
    ith_key root;  /* of the timeline: the model, and how it rotates the keys */
    ith_kv_shape shape;
    int *kv_layers;        /* [shape.n_layers] of the model's layers, those with a KV cache */
    int *state_layers;     /* [shape.state_layers] those with a recurrent state */
    int first_head;        /* of the KV heads whose segments this rank may hold, in each layer */
    int n_heads;           /* how many */
    ith_range state_heads; /* the recurrent heads that this rank holds, in each layer */
    int64_t state_tokens;  /* states are saved every so many tokens, and where a prompt ends */
    ith_warning_fn warn;
    void *user;

    /* Alike on all ranks: */
    bool off;          /* writing has failed: nothing more is written */
    ith_error why;     /* of `off` */
    bool active;       /* chunks are written: between `begin` and `rest` */
    int64_t restored;  /* tokens, by all prefills */
    int64_t n_written; /* whole segments of the timeline that are written or being written */
    ith_key parent;    /* key of the last of these */
    int64_t saved;     /* tokens of the timeline that are written or being written */
    int64_t state_at;  /* tokens before the last states that are written or being written */
    int64_t in_hand;   /* the first segment of the cache that is being written; -1: none */
    /* The last incomplete segment, or whole one whose states are saved for a while only; n 0: none.
     * And the one before, of which the last batch contains the tokens, and has later states. */
    ith_segment tail, older;

    /* Rank 0's: */
    ith_segment *batch; /* the segments of the last batch */
    int64_t n_batch;
    int64_t added;     /* tokens of prompt and answer that were not saved before */
    int64_t n_found;   /* tokens of the answer that the checkpoint had */
    int64_t n_answer;  /* tokens of the checkpoint's answer that are shown again */
    bool answer_begun; /* `answer` has been asked for */
    bool answer_lost;  /* a token could not be saved */
} ith_keep;

/* Accepts NULL. */
static inline ith_keep *ith_keep_of(ith_keeper *keeper)
{
    return (ith_keep *)keeper;
}

/* The layers with a KV cache are alike in heads (keep.c sees to it): this rank holds a segment of a
 * head in all of them or in none. In what follows `layer` counts these. */
bool ith_keep_holds(const ith_keep *keep, int head, int64_t segment);

/* A layer's segment of a head that is held. */
void *ith_keep_segment(const ith_keep *keep, int layer, int head, int64_t segment);

/* Does the layer's cache keep this segment? */
bool ith_keep_keeps(const ith_keep *keep, int layer, int64_t segment);

/* The state of the session in a layer, counted among those that have one. */
ith_recurrent_layer *ith_keep_state(const ith_keep *keep, int layer);

/* Between `begin` and `rest` passes leave states that can be saved. */
void ith_keep_activate(ith_keep *keep, bool active);

/* The root for a timeline as the session has it now. */
ith_key ith_keep_root(const ith_keep *keep);

/* Rank 0 tells the user "prompt cache: TEXT: CONSEQUENCE", or "checkpoint: ...". */
void ith_keep_warn(const ith_keep *keep, const char *text, const char *consequence);

#endif
