/* speculate.h - speculative decoding: guesses the next tokens, so that one pass over the model
 * computes the logits after all of them.
 *
 * Decoding reads all weights for every token; reading them for sixteen tokens costs little more.
 * Right guesses save passes (Leviathan et al. 2023, arXiv:2211.17192; Chen et al. 2023,
 * arXiv:2302.01318). A guess is right if it equals the token that the sampler chooses. The sampler
 * sees the same logits in the same order as without speculation, since logits have the same bits
 * however many tokens a pass has. So the text is the same, greedy or sampled.
 */
#ifndef ITH_ENGINE_SPECULATE_H
#define ITH_ENGINE_SPECULATE_H

#include "ithaca.h"

/* Whoever makes the guesses. */
typedef struct ith_drafter ith_drafter;

typedef struct ith_drafter_ops {
    /* Writes up to `max` tokens that may follow ids[0, n) to out; n >= 1, max >= 1. *n_out: how
     * many, on rank 0. `ids` begins with the ids of the last call, except for the last drafts. A
     * drafter by lookup: local, on rank 0. One with a model: collective, with the same ids on all
     * ranks. */
    ith_status (*draft)(ith_drafter *drafter, const int32_t *ids, int64_t n, int64_t max,
                        int32_t *out, int64_t *n_out, ith_error *err);
    void (*close)(ith_drafter *drafter); /* accepts NULL */
} ith_drafter_ops;

/* The first field of each kind of drafter. */
struct ith_drafter {
    const ith_drafter_ops *ops;
};

/* Local. Prompt lookup (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding): guesses what
 * followed the longest suffix of the timeline where it occurred before. Only rank 0 (`root`) does
 * any work. max_tokens: of the whole timeline. */
ith_status ith_drafter_lookup(bool root, int64_t max_tokens, ith_drafter **drafter, ith_error *err);

/* Collective. Guesses what a smaller model would say, greedily. The caller keeps `draft`, whose
 * timeline changes. ITH_E_ARGUMENT: its vocabulary is not that of `session`. */
ith_status ith_drafter_model(const ith_session *session, ith_session *draft, ith_drafter **drafter,
                             ith_error *err);

void ith_drafter_close(ith_drafter *drafter); /* accepts NULL */

/* ---- How many tokens to guess ----
 *
 * Pure functions. A wrong guess costs a fraction of a pass, a right one saves a pass. So guesses
 * are paid from a credit: emitted tokens earn a little, right guesses earn much, wrong ones cost.
 *
 * Text that does not repeat itself earns credit from emitted tokens only: a quarter of a guess each
 * if guesses are cheap, an eighth if they are dear, since the next passage may repeat something. A
 * model that guesses nothing right is not expected to improve: tokens earn an eighth, and half as
 * much after each draft that fails, so that n tokens get about log2(n) drafts. One right guess
 * restores the eighth.
 */

/* What a guess costs. */
typedef enum ith_guess_kind {
    ITH_GUESSES_CHEAP,   /* less than a tenth of a pass (ith_kernels.spare_arithmetic) */
    ITH_GUESSES_DEAR,    /* up to a third of a pass */
    ITH_GUESSES_OF_MODEL /* besides, a pass of the drafting model */
} ith_guess_kind;

typedef struct ith_draft_pace {
    int64_t credit;      /* in the units of speculate.c */
    int64_t max;         /* guesses of one draft */
    ith_guess_kind kind; /* may change */
    int64_t emitted;     /* what an emitted token earns now */
} ith_draft_pace;

ith_draft_pace ith_draft_pace_start(int64_t max, ith_guess_kind kind);

/* The number of tokens to guess next: 0 to max. */
int64_t ith_draft_pace_length(const ith_draft_pace *pace);

/* After a pass: of `drafted` guesses, `accepted` were right. */
void ith_draft_pace_count(ith_draft_pace *pace, int64_t drafted, int64_t accepted);

#endif
