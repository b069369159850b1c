/* call.h - a request that is being answered: its choices, what is known of each, and the queue in
 * front of the engine.
 *
 * An HTTP thread makes a call and waits for it; the engine's thread answers its choices one by one.
 * The call lives until both have left it. Lock order: the queue's, then the call's. The engine's
 * thread takes a call's lock in each step, so others hold it only while they copy.
 */
#ifndef ITH_SERVE_CALL_H
#define ITH_SERVE_CALL_H

#include "ithaca.h"

#include <pthread.h>
#include <stdatomic.h>

/* A token and its -ln p, [1 + top]: first its own, then the best. */
typedef struct ith_ranked {
    int32_t id;
    float nll;
} ith_ranked;

typedef struct ith_call ith_call;
typedef struct ith_queue ith_queue;

typedef struct ith_choice {
    ith_call *call;

    /* Set before it waits. */
    const int32_t *ids; /* [n_ids], the `user`'s, which n choices of a prompt share */
    size_t n_ids;
    ith_generate_params how;

    /* Guarded by the queue's lock. */
    struct ith_choice *prev, *next;
    bool waits;

    /* Guarded by call->lock. */
    char *text;
    size_t len, text_room;
    ith_ranked *tokens; /* [n_tokens][1 + top]: with each_token also the prompt's but its first */
    size_t n_tokens, token_room;
    size_t n_answer; /* tokens of the answer so far */
    size_t *ends;    /* [n_answer]: the length of the text behind each */
    size_t end_room;
    int64_t reused; /* tokens of the prompt, see ith_generation; when it has ended */
    int64_t computed;
    int64_t waited_until; /* ith_now_ms, when it was last seen waiting */
    int64_t first;        /* of the first token of the answer; 0: there is none */
    bool ended;
    bool lacks; /* memory for its text */
    ith_finish finish;
    ith_error err;    /* if it ended without an answer */
    float *embedding; /* [hidden], malloc'd; NULL: not asked for */
    double score;

    /* Of the engine's thread: a chosen token, until its text comes. */
    ith_ranked *chosen; /* [1 + top] */
    bool has_chosen, chosen_ends;
} ith_choice;

struct ith_call {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    ith_queue *queue; /* that it has been in; NULL: none */
    int refs;         /* HTTP threads that hold it, and choices in the queue or in flight */
    bool gone;        /* nobody waits for it any more */
    bool each_token;  /* also the prompt's logprobs */
    bool logprobs;
    bool lists_end; /* logprobs have the token that ends an answer, too */
    bool hides;     /* the answer: the prompt alone was asked for */
    bool streams;   /* wakes its waiters for each token, not only at the end */

    /* Nothing is written. */
    bool embeds; /* each choice gets an embedding; */
    bool ranks;  /* or a score: how likely token `yes` is beside `no` */
    int32_t yes, no;
    int top;
    void (*release)(void *user); /* called with `user` at the end; NULL: nothing to do */
    void *user;
    ith_call *next_dead; /* of the queue's */
    int64_t changes;
    size_t n;
    ith_choice choices[];
};

/* n choices, all zero. NULL: no memory. */
ith_call *ith_call_make(size_t n);

/* The HTTP thread leaves: waiting choices are taken from the queue, and those in flight are
 * cancelled. NULL is accepted. */
void ith_call_leave(ith_call *call);

/* HTTP thread. Takes and releases a reference to a call, which lives as long as there is one. */
void ith_call_hold(ith_call *call);
void ith_call_let_go(ith_call *call);

/* What is known of all choices. Times are ith_now_ms; 0: not yet. */
typedef struct ith_tally {
    int64_t begun; /* the first was worked on */
    int64_t first; /* token of an answer */
    int64_t answer_tokens;
    ith_status failed; /* of the first choice that failed; ITH_OK: none has */
} ith_tally;

ith_tally ith_call_tally(ith_call *call);

/* HTTP thread. Waits for more changes than *seen, at most `ms` milliseconds, and sets *seen to
 * their number. Returns with the call locked. */
void ith_call_wait(ith_call *call, int64_t *seen, int ms);

/* How much of a choice the reader has. */
typedef struct ith_known {
    size_t text;   /* bytes */
    size_t token;  /* with logprobs */
    size_t answer; /* tokens of the answer */
} ith_known;

/* What is new of a choice, as a copy. */
typedef struct ith_news {
    char *text; /* [len], malloc'd */
    size_t len;
    size_t *ends; /* [n_ends], malloc'd: bytes of `text` up to the end of each new token */
    size_t n_ends;
    ith_ranked *tokens; /* [n_tokens][1 + top], malloc'd */
    size_t n_tokens, n_answer;
    bool ended;
    ith_finish finish;
} ith_news;

/* With the lock. What is new since `known`. False: no memory. Free it after a failure too. */
bool ith_choice_news(const ith_choice *choice, const ith_known *known, ith_news *news);
void ith_news_free(ith_news *news);

/* ---- The queue ---- */

struct ith_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    ith_choice *first, *last;
    atomic_int n; /* written under the lock, read without */
    int most;
    bool closed;
    ith_call *dead; /* calls that the engine's thread was the last to leave */
};

void ith_queue_open(ith_queue *queue, int most);
void ith_queue_close(ith_queue *queue);

/* Frees calls that the engine's thread has finished with. They may hold much memory, such as the
 * tables of a grammar. For any other thread to call now and then. */
void ith_queue_bury(ith_queue *queue);

typedef enum ith_queued { ITH_QUEUED, ITH_QUEUE_FULL, ITH_QUEUE_CLOSED } ith_queued;

/* HTTP thread. Queues all choices of a call, or none. */
ith_queued ith_queue_add(ith_queue *queue, ith_call *call);

/* Engine's thread. Waits up to `ms` milliseconds for a choice. Is there one? */
bool ith_queue_wait(ith_queue *queue, int ms);

/* Engine's thread. The next one; NULL: there is none. */
ith_choice *ith_queue_take(ith_queue *queue);

/* Engine's thread. Closes the queue: nothing is added any more. */
void ith_queue_shut(ith_queue *queue);

/* ---- Progress, from the engine's thread ---- */

/* Is it still wanted? computed: its tokens so far; -1: it is still waiting. */
bool ith_choice_wanted(ith_choice *choice, int64_t computed);

/* A token of the prompt, [1 + top]. */
void ith_choice_prompt_token(ith_choice *choice, const ith_ranked *token);

/* Text, and with it the chosen token. False: it is no longer wanted, or there is no memory. */
bool ith_choice_text(ith_choice *choice, const char *text, size_t len);

/* The number of prompt tokens that were not computed. Call it before the end. */
void ith_choice_reused(ith_choice *choice, int64_t n);

/* Its embedding, [n]. Call it before the end. False: no memory. */
bool ith_choice_embedding(ith_choice *choice, const float *embedding, size_t n);

/* Did its text run out of memory? */
bool ith_choice_lacks(ith_choice *choice);

/* It has ended; err->status ITH_OK: with an answer. The choice may be freed by then. */
void ith_choice_end(ith_choice *choice, ith_finish finish, const ith_error *err);

#endif
