/* speculate.h - guesses at the next tokens, of which one pass over the model then computes the logits all at once.
 *
 * Decoding reads all weights for every token; reading them for sixteen costs little more. What is guessed right is emitted without
 * passes of its own (Leviathan et al. 2023, arXiv 2211.17192; Chen et al. 2023, arXiv 2302.01318). The sampler chooses each token from
 * the same logits in the same order as without, since logits have the same bits however many tokens a pass has (contract 2): the text
 * is the same, greedy or sampled. A guess counts when it is the very token that the sampler chose.
 */
#ifndef ITH_ENGINE_SPECULATE_H
#define ITH_ENGINE_SPECULATE_H

#include "ithaca.h"

typedef struct ith_drafter ith_drafter;

typedef struct ith_drafter_ops {
    /* Collective. Up to `max` >= 1 tokens that may follow ids[0, n), n >= 1, into out; *n_out says how many on rank 0. `ids`, the same on all
     * ranks, begins with what it was at the last call, the drafts excepted. */
    ith_status (*draft)(ith_drafter *drafter, const int32_t *ids, int64_t n, int64_t max, int32_t *out, int64_t *n_out,
                        ith_error *err);
    void (*close)(ith_drafter *drafter); /* accepts NULL */
} ith_drafter_ops;

struct ith_drafter { /* the first field of each kind */
    const ith_drafter_ops *ops;
};

/* Prompt lookup (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding): what followed the longest ending of the timeline where it
 * occurred before. Local, and works on rank 0 only. max_tokens: of the whole timeline. */
ith_status ith_drafter_lookup(bool root, int64_t max_tokens, ith_drafter **drafter, ith_error *err);

/* What a smaller model would say, greedily. Collective. `draft` stays the caller's; its timeline is changed. ITH_E_ARGUMENT if its
 * vocabulary is not that of `session`. */
ith_status ith_drafter_model(const ith_session *session, ith_session *draft, ith_drafter **drafter, ith_error *err);

void ith_drafter_close(ith_drafter *drafter); /* accepts NULL */

/* ---- How many to guess: pure ---- */

/* What a guess costs: looked up, nothing but a place in the pass over the model; ITH_GUESSES_OF_MODEL a pass of their own model. */
typedef enum ith_guess_kind {
    ITH_GUESSES_CHEAP, /* places in a pass cost less than a tenth of it (ith_kernels.spare_arithmetic) */
    ITH_GUESSES_DEAR,  /* up to a third */
    ITH_GUESSES_OF_MODEL
} ith_guess_kind;

/* A guess that fails costs a fraction of a pass, one that holds saves a pass. So the length of drafts is paid for: tokens emitted earn a
 * little, right guesses much, wrong ones cost. Text that repeats nothing soon has only what emitted tokens earn: a quarter of a guess each where
 * guesses are cheap, an eighth where they are dear, since the next passage may repeat again. A model that guesses nothing right is not expected to improve: an eighth, and half as
 * much after each draft that fails, so that of n tokens some log2(n) drafts are tried; one right guess restores it. */
typedef struct ith_draft_pace {
    int64_t credit; /* in units of speculate.c */
    int64_t max;    /* guesses at a time */
    ith_guess_kind kind;
    int64_t emitted; /* what a token earns now */
} ith_draft_pace;

ith_draft_pace ith_draft_pace_start(int64_t max, ith_guess_kind kind);
int64_t ith_draft_pace_length(const ith_draft_pace *pace); /* 0 to max */
void ith_draft_pace_count(ith_draft_pace *pace, int64_t drafted, int64_t accepted);

#endif
