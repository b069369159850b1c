/* call.c - calls, their choices and the queue. */
#include "serve/call.h"

#include "serve/clock.h"

#include <stdlib.h>
#include <string.h>

ith_call *ith_call_make(size_t n)
{
    ith_call *call = calloc(1, sizeof *call + n * sizeof call->choices[0]);

    if (call == NULL)
        return NULL;
    pthread_mutex_init(&call->lock, NULL);
    ith_cond_open(&call->changed);
    call->refs = 1;
    call->n = n;
    for (size_t i = 0; i < n; i++)
        call->choices[i].call = call;
    return call;
}

static void free_call(ith_call *call)
{
    for (size_t i = 0; i < call->n; i++) {
        ith_choice *c = &call->choices[i];
        free(c->text);
        free(c->tokens);
        free(c->ends);
        free(c->embedding);
        free(c->chosen);
    }
    if (call->release != NULL)
        call->release(call->user);
    pthread_cond_destroy(&call->changed);
    pthread_mutex_destroy(&call->lock);
    free(call);
}

/* With the lock, which it gives back. So many refs less. Was it the last? */
static bool let_go(ith_call *call, int refs)
{
    bool last = (call->refs -= refs) == 0;

    pthread_mutex_unlock(&call->lock);
    return last;
}

/* The same; the last one frees the call. */
static void drop(ith_call *call, int refs)
{
    if (let_go(call, refs))
        free_call(call);
}

/* With the queue's lock. */
static void unlink_choice(ith_queue *q, ith_choice *c)
{
    *(c->prev != NULL ? &c->prev->next : &q->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &q->last) = c->prev;
    c->prev = c->next = NULL;
    c->waits = false;
    q->n--;
}

/* How many choices of a call have left the queue by this. */
static int take_back(ith_queue *q, ith_call *call)
{
    int n = 0;

    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < call->n; i++)
        if (call->choices[i].waits) {
            unlink_choice(q, &call->choices[i]);
            n++;
        }
    pthread_mutex_unlock(&q->lock);
    return n;
}

void ith_call_leave(ith_call *call)
{
    int back;

    if (call == NULL)
        return;
    back = call->queue != NULL ? take_back(call->queue, call) : 0;
    pthread_mutex_lock(&call->lock);
    call->gone = true;
    drop(call, 1 + back);
}

void ith_call_hold(ith_call *call)
{
    pthread_mutex_lock(&call->lock);
    call->refs++;
    pthread_mutex_unlock(&call->lock);
}

void ith_call_let_go(ith_call *call)
{
    pthread_mutex_lock(&call->lock);
    drop(call, 1);
}

/* The earlier of two times; 0 is none. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

ith_tally ith_call_tally(ith_call *call)
{
    ith_tally t = {0};

    pthread_mutex_lock(&call->lock);
    for (size_t i = 0; i < call->n; i++) {
        const ith_choice *c = &call->choices[i];
        if (c->computed > 0)
            t.begun = earlier(t.begun, c->waited_until);
        t.first = earlier(t.first, c->first);
        t.answer_tokens += (int64_t)c->n_answer;
        if (t.failed == ITH_OK && c->ended)
            t.failed = c->err.status;
    }
    pthread_mutex_unlock(&call->lock);
    return t;
}

void ith_call_wait(ith_call *call, int64_t *seen, int ms)
{
    int64_t until = ith_now_ms() + ms;

    pthread_mutex_lock(&call->lock);
    while (call->changes <= *seen)
        if (ith_wait_until(&call->changed, &call->lock, until) != 0)
            break;
    *seen = call->changes;
}

/* A copy of n bytes, never NULL if there is memory. */
static void *copy_of(const void *from, size_t n)
{
    void *copy = malloc(n + 1);

    if (copy != NULL && n > 0)
        memcpy(copy, from, n);
    return copy;
}

bool ith_choice_news(const ith_choice *c, const ith_known *known, ith_news *news)
{
    size_t one = 1 + (size_t)c->call->top;

    *news = (ith_news){.len = c->len - known->text,
                       .n_ends = c->n_answer - known->answer,
                       .n_tokens = c->n_tokens - known->token,
                       .n_answer = c->n_answer,
                       .ended = c->ended,
                       .finish = c->finish};
    news->text = copy_of(c->text + known->text, news->len);
    news->ends = copy_of(c->ends + known->answer, news->n_ends * sizeof *c->ends);
    news->tokens =
        copy_of(c->tokens + known->token * one, news->n_tokens * one * sizeof *c->tokens);
    for (size_t i = 0; news->ends != NULL && i < news->n_ends; i++)
        news->ends[i] -= known->text;
    return news->text != NULL && news->ends != NULL && news->tokens != NULL;
}

void ith_news_free(ith_news *news)
{
    free(news->text);
    free(news->ends);
    free(news->tokens);
}

/* ---- The queue ---- */

void ith_queue_open(ith_queue *q, int most)
{
    *q = (ith_queue){.most = most};
    pthread_mutex_init(&q->lock, NULL);
    ith_cond_open(&q->filled);
}

void ith_queue_bury(ith_queue *q)
{
    ith_call *dead, *next;

    pthread_mutex_lock(&q->lock);
    dead = q->dead;
    q->dead = NULL;
    pthread_mutex_unlock(&q->lock);
    for (; dead != NULL; dead = next) {
        next = dead->next_dead;
        free_call(dead);
    }
}

static void add_dead(ith_queue *q, ith_call *call)
{
    pthread_mutex_lock(&q->lock);
    call->next_dead = q->dead;
    q->dead = call;
    pthread_mutex_unlock(&q->lock);
}

void ith_queue_close(ith_queue *q)
{
    ith_queue_bury(q);
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
}

/* With the queue's lock. */
static void append(ith_queue *q, ith_choice *c)
{
    c->prev = q->last;
    *(q->last != NULL ? &q->last->next : &q->first) = c;
    q->last = c;
    c->waits = true;
    q->n++;
}

ith_queued ith_queue_add(ith_queue *q, ith_call *call)
{
    ith_queued result = ITH_QUEUED;

    pthread_mutex_lock(&q->lock);
    if (q->closed)
        result = ITH_QUEUE_CLOSED;
    else if ((size_t)(q->most - q->n) < call->n)
        result = ITH_QUEUE_FULL;
    if (result == ITH_QUEUED) {
        pthread_mutex_lock(&call->lock);
        call->refs += (int)call->n;
        call->queue = q;
        pthread_mutex_unlock(&call->lock);
    }
    for (size_t i = 0; result == ITH_QUEUED && i < call->n; i++)
        append(q, &call->choices[i]);
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
    return result;
}

bool ith_queue_wait(ith_queue *q, int ms)
{
    int64_t until = ith_now_ms() + ms;
    bool some;

    pthread_mutex_lock(&q->lock);
    while (q->first == NULL)
        if (ith_wait_until(&q->filled, &q->lock, until) != 0)
            break;
    some = q->first != NULL;
    pthread_mutex_unlock(&q->lock);
    return some;
}

ith_choice *ith_queue_take(ith_queue *q)
{
    ith_choice *c;

    pthread_mutex_lock(&q->lock);
    c = q->first;
    if (c != NULL)
        unlink_choice(q, c);
    pthread_mutex_unlock(&q->lock);
    return c;
}

void ith_queue_shut(ith_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_mutex_unlock(&q->lock);
}

/* ---- The engine's thread tells ---- */

/* With the lock, which it gives back. Who waits for the whole answer is not woken for a part. */
static void change(ith_call *call)
{
    call->changes++;
    if (call->streams)
        pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

bool ith_choice_wanted(ith_choice *c, int64_t computed)
{
    bool wanted;

    pthread_mutex_lock(&c->call->lock);
    if (computed < 0)
        c->waited_until = ith_now_ms();
    if (computed > c->computed)
        c->computed = computed;
    wanted = !c->call->gone;
    pthread_mutex_unlock(&c->call->lock);
    return wanted;
}

static bool grow(void **buffer, size_t *room, size_t need, size_t size)
{
    size_t more = *room > 0 ? *room : 64;
    void *grown;

    if (need <= *room)
        return true;
    while (more < need)
        more *= 2;
    grown = realloc(*buffer, more * size);
    if (grown == NULL)
        return false;
    *buffer = grown;
    *room = more;
    return true;
}

/* With the lock. */
static bool add_token(ith_choice *c, const ith_ranked *token)
{
    size_t one = 1 + (size_t)c->call->top;

    if (!grow((void **)&c->tokens, &c->token_room, c->n_tokens + 1, one * sizeof *token))
        return false;
    memcpy(c->tokens + c->n_tokens * one, token, one * sizeof *token);
    c->n_tokens++;
    return true;
}

void ith_choice_prompt_token(ith_choice *c, const ith_ranked *token)
{
    pthread_mutex_lock(&c->call->lock);
    c->lacks = c->lacks || !add_token(c, token);
    c->call->gone = c->call->gone || c->lacks;
    change(c->call);
}

/* With the lock. */
static bool add_text(ith_choice *c, const char *text, size_t len)
{
    if (!grow((void **)&c->text, &c->text_room, c->len + len + 1, 1))
        return false;
    memcpy(c->text + c->len, text, len);
    c->len += len;
    return true;
}

/* With the lock. The chosen token, if there is one. */
static bool add_chosen(ith_choice *c)
{
    if (!c->has_chosen)
        return true;
    if (!c->chosen_ends) {
        if (!grow((void **)&c->ends, &c->end_room, c->n_answer + 1, sizeof *c->ends))
            return false;
        c->ends[c->n_answer++] = c->len;
    }
    return !c->call->logprobs || (c->chosen_ends && !c->call->lists_end) || add_token(c, c->chosen);
}

bool ith_choice_text(ith_choice *c, const char *text, size_t len)
{
    bool fine;

    pthread_mutex_lock(&c->call->lock);
    fine = !c->call->gone;
    if (c->first == 0 && c->has_chosen && !c->call->hides)
        c->first = ith_now_ms();
    if (fine && !c->call->hides)
        fine = add_text(c, text, len) && add_chosen(c);
    c->lacks = c->lacks || (!fine && !c->call->gone);
    c->has_chosen = false;
    change(c->call);
    return fine;
}

void ith_choice_reused(ith_choice *c, int64_t n)
{
    pthread_mutex_lock(&c->call->lock);
    c->reused = n;
    pthread_mutex_unlock(&c->call->lock);
}

bool ith_choice_embedding(ith_choice *c, const float *embedding, size_t n)
{
    float *copy = copy_of(embedding, n * sizeof *copy);

    pthread_mutex_lock(&c->call->lock);
    c->embedding = copy;
    pthread_mutex_unlock(&c->call->lock);
    return copy != NULL;
}

bool ith_choice_lacks(ith_choice *c)
{
    bool lacks;

    pthread_mutex_lock(&c->call->lock);
    lacks = c->lacks;
    pthread_mutex_unlock(&c->call->lock);
    return lacks;
}

void ith_choice_end(ith_choice *c, ith_finish finish, const ith_error *err)
{
    ith_call *call = c->call;

    pthread_mutex_lock(&call->lock);
    c->ended = true;
    c->finish = call->hides ? ITH_FINISH_LENGTH : finish;
    c->err = *err;
    call->changes++;
    pthread_cond_signal(&call->changed);
    if (let_go(call, 1))
        add_dead(call->queue, call);
}
