/* ithaca_many.h - many sessions in one pass, and many prompts in flight. A section of ithaca.h,
 * which includes it after the sections that it needs. */
#ifndef ITHACA_MANY_H
#define ITHACA_MANY_H

#ifndef ITHACA_H
#error "include <ithaca.h>, which includes this header"
#endif

/* ---- Steps: many sessions at a time -------------------------------------------------------------
 *
 * One pass through the model reads all of its weights, and decoding a token computes little with
 * them. A step takes many sessions through the same pass: the next token of those that decode, and
 * chunks of the prompts of others. The logits of a session have the same bits as when it runs
 * alone, whichever sessions share the step and however its prompt is cut.
 *
 *     ith_step_item items[2] = {{.session = a, .ids = prompt_a, .n = n_a},
 *                               {.session = b, .ids = prompt_b, .n = n_b}};
 *     while (more) {
 *         ith_engine_step(engine, items, 2, &err);
 *         for (each item)
 *             if (its `logits` are not NULL)
 *                 ...rank 0 chooses `id`: items[i].ids = &id, items[i].n = 1
 *             else
 *                 items[i].n = 0: its prompt continues in the next step
 *     }
 *
 * A step computes at most one chunk of prompts (ith_engine_info) beside the tokens of sessions that
 * decode; prompts are served in the order of the items. On several ranks, a prompt longer than a
 * few tokens is computed in a pass of its own, by tokens, because arithmetic limits it and not the
 * reading of weights; everything else is computed by rows, in one pass. ith_generate_many (Many
 * prompts) consists of steps. */

enum { ITH_STEP_MOST = 64 };

typedef struct ith_step_item {
    ith_session *session;

    /* Rank 0: tokens to append, [n], after those that still wait. n may be 0. Other ranks may leave
     * both zero. */
    const int32_t *ids;
    size_t n;

    /* Rank 0: the last n_guesses of these are guesses at what follows the first (Speculation). Then
     * n is 1 + n_guesses, and no token of the session waits. At most ith_step_guesses. */
    size_t n_guesses;

    /* Set by the step. Rank 0: the n_vocab logits after the last token, and the output of the model
     * that they are made of, [hidden of ith_engine_info] (Embeddings); valid until the engine's
     * next step. With guesses: those after the first token; ith_step_logits has those after each
     * guess. NULL: tokens of the session still wait, or there were none; on other ranks. */
    const float *logits, *output;
} ith_step_item;

/* Collective. One step of n sessions, 1 to ITH_STEP_MOST, each listed once; items and guesses
 * together, too, are ITH_STEP_MOST at most. After its step, ith_session_logits returns NULL for a
 * session, which holds all guesses: the caller truncates it to those that were right.
 * Errors: ITH_E_ARGUMENT for ids, as for ith_session_prefill, for guesses, and if no tokens wait at
 * all; ITH_E_MEMORY if a KV cache cannot grow: no token has been appended. Others as for
 * ith_session_prefill: tokens of finished passes stay, guesses of others are dropped, the rest
 * still wait, and a step with n = 0 tries them again. */
ith_status ith_engine_step(ith_engine *engine, ith_step_item *items, size_t n, ith_error *err);

/* Local, the same on all ranks. The guesses that a step can verify for the session: 0 to
 * ITH_DRAFT_MAX. */
size_t ith_step_guesses(const ith_session *session);

/* Rank 0. The logits after guess `guess` of an item, 1 to n_guesses, or after the token before
 * them: 0. `logits` of the item is not NULL. */
const float *ith_step_logits(const ith_engine *engine, const ith_step_item *item, size_t guess);

/* Local. -ln p(id) of n tokens under these logits, [n_vocab]: the floats that ith_session_score
 * gives. */
void ith_logits_nll(const ith_engine *engine, const float *logits, const int32_t *ids, size_t n,
                    float *nll);

/* Local. The number of tokens of the session that wait for a step. The same on all ranks. */
int64_t ith_session_pending(const ith_session *session);

/* ---- Many prompts -------------------------------------------------------------------------------
 *
 * ith_generate_many answers any number of prompts, several at a time, in steps. When one ends, the
 * next starts. Each answer is the one that ith_generate gives.
 *
 * A prompt starts when memory for it, and for a few more tokens, is available; its answer takes
 * more as it grows. When memory is short, prompts wait for others to end. If an answer cannot grow,
 * the prompt that was started last gives up its memory and waits. It starts again later and keeps
 * the tokens that it had produced. Answers do not depend on this.
 *
 * Prompts with a common beginning compute it once: later ones reuse the keys and values of the
 * first, and whole segments are stored once.
 *
 * With max_draft, tokens of answers are guessed from the prompt and the answer, as ith_generate
 * does. A pass of few tokens is as fast with some guesses. So guesses fill up passes to 16 tokens,
 * and are left out where more prompts decode, or where a prompt is computed. */

/* A prompt, and how to answer it. */
typedef struct ith_many_prompt {
    int32_t *ids; /* [n_ids], malloc'd; ith_generate_many frees it */
    size_t n_ids;
    ith_generate_params how; /* no draft, no answer; max_draft may differ between prompts */
    void *user;              /* the caller's */

    /* Compute the prompt token by token, and call `token` of ith_many_params for each but the
     * first. The prompt cache is not used. */
    bool each_token;

    /* Not with each_token. The prompt is answered with its embedding, which is not normalized; no
     * token is chosen, and `token` is not called. No prompt cache serves it. */
    bool embeds;
} ith_many_prompt;

/* Progress. Counts are of this call. */
typedef struct ith_many_counts {
    int64_t in_flight;     /* prompts */
    int64_t done;          /* prompts that ended */
    int64_t prompt_tokens; /* computed, or read from a prompt cache */
    int64_t restored;      /* of these, read */
    int64_t shared;        /* of these, taken from a prompt in flight with the same beginning */
    int64_t begun_again;   /* times that a prompt gave up its memory and started again */
    int64_t answer_tokens;
    int64_t steps;
    int64_t drafted, accepted; /* tokens guessed, and guessed right */
} ith_many_counts;

/* in_flight, and the folder and limit of the prompt cache, are the same on all ranks; functions are
 * called on rank 0 only. */
typedef struct ith_many_params {
    int in_flight; /* prompts at a time, 1 to ITH_STEP_MOST */

    /* For all prompts: cache, cache_bytes, warn and its user. NULL: none. */
    const ith_keep_params *keep;

    /* Writes the next prompt to *prompt. False: there is none. */
    bool (*next)(void *user, ith_many_prompt *prompt);

    /* Ask `next` again before each step after it had none. The call still ends when no prompt is in
     * flight. For prompts that arrive over time, as at a server. */
    bool asks_again;

    /* Beside answers a step takes only a part of a chunk of long prompts, so that it takes about
     * twice as long as without them: for people who read answers as they come. A long prompt then
     * takes up to twice as long. */
    bool paced;

    /* A prompt has ended: with an answer; or, if err->status is not ITH_OK, with an error that
     * concerns it alone, or because the run ended first (ITH_E_CANCELLED). False: stop. */
    bool (*done)(void *user, const ith_many_prompt *prompt, const ith_generation *answer,
                 const ith_error *err);

    /* May be NULL. Called after each step for each prompt in flight, with the number of tokens of
     * prompt and answer computed so far; and before each step for each prompt that waits, with
     * `length` -1, or 0 if it has been in flight and will start again. False: the prompt ends
     * (ITH_FINISH_CANCELLED). */
    bool (*wanted)(void *user, const ith_many_prompt *prompt, int64_t length);

    /* May be NULL. Token `id` follows these logits, [n_vocab]: it was chosen, or it is a token of a
     * prompt with `each_token`. on_text is called after a chosen one. `ends`: the token ends the
     * answer and is not part of it. */
    void (*token)(void *user, const ith_many_prompt *prompt, int32_t id, const float *logits,
                  bool ends);

    /* Called before each step; may be NULL. False: stop. */
    bool (*goes_on)(void *user, const ith_many_counts *counts);

    void *user; /* first argument of all of them */
} ith_many_params;

/* Collective. Answers prompts until there are no more. *counts is the same on all ranks, after a
 * failure too.
 * Errors: ITH_E_CANCELLED: a function returned false to stop. Others are those of ith_session_open,
 * ith_session_keep and ith_engine_step that concern more than one prompt. A prompt that does not
 * fit the context, does not fit in memory even alone, or whose numbers are not finite, ends with an
 * error of its own. */
ith_status ith_generate_many(ith_engine *engine, const ith_many_params *params,
                             ith_many_counts *counts, ith_error *err);

#endif
