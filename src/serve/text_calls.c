/* text_calls.c - texts go through calls, in rounds. */
#include "serve/text_calls.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    ROUND = 64,   /* texts in the queue at a time */
    LOOK_MS = 200 /* is the client there still? */
};

bool ith_texts_open(ith_texts *t, size_t n)
{
    t->items = calloc(n > 0 ? n : 1, sizeof *t->items);
    t->n = t->items != NULL ? n : 0;
    return t->items != NULL;
}

void ith_texts_close(ith_texts *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->items[i].ids);
        free(t->items[i].embedding);
    }
    free(t->items);
}

ith_status ith_texts_check(ith_texts *t, size_t i, const ith_engine_info *info, ith_error *err)
{
    const ith_text *text = &t->items[i];

    if (text->n_ids == 0)
        return ith_fail(err, ITH_E_ARGUMENT, "text %zu is empty: not one token", i);
    if ((int64_t)text->n_ids > info->ctx) {
        t->code = "context_length_exceeded";
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the maximum context length is %" PRId64 " tokens, but text %zu has %zu",
                        info->ctx, i, text->n_ids);
    }
    for (size_t k = 0; k < text->n_ids; k++)
        if (text->ids[k] < 0 || text->ids[k] >= info->n_vocab)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "token id %d at index %zu of text %zu is not in the vocabulary of %d "
                            "tokens",
                            text->ids[k], k, i, info->n_vocab);
    t->tokens += (int64_t)text->n_ids;
    return ITH_OK;
}

/* ---- A round ---- */

/* The tokens of a call's choices, which live as long as it. */
typedef struct held {
    size_t n;
    int32_t *ids[ROUND];
} held;

static void release(void *user)
{
    held *h = user;

    for (size_t i = 0; i < h->n; i++)
        free(h->ids[i]);
    free(h);
}

/* A call of texts [from, from + n), whose tokens it takes. NULL: no memory. */
static ith_call *make_call(const ith_server *server, ith_texts *t, size_t from, size_t n)
{
    held *h = calloc(1, sizeof *h);
    ith_call *call = h != NULL ? ith_call_make(n) : NULL;

    if (call == NULL) {
        free(h);
        return NULL;
    }
    call->release = release;
    call->user = h;
    call->embeds = t->embeds;
    call->ranks = !t->embeds;
    call->yes = t->yes;
    call->no = t->no;
    call->hides = true;
    h->n = n;
    for (size_t i = 0; i < n; i++) {
        ith_choice *c = &call->choices[i];
        c->ids = h->ids[i] = t->items[from + i].ids;
        c->n_ids = t->items[from + i].n_ids;
        c->how = server->preset;
        c->how.max_tokens = 1;
        c->how.sampling.temperature = 0;
        t->items[from + i].ids = NULL;
    }
    return call;
}

/* With the lock. Have all ended? *err: why the first has that failed. */
static bool has_ended(const ith_call *call, ith_error *err)
{
    bool all = true;

    for (size_t i = 0; i < call->n; i++) {
        const ith_choice *c = &call->choices[i];
        all = all && c->ended;
        if (c->ended && c->err.status != ITH_OK) {
            *err = c->err;
            return true;
        }
    }
    return all;
}

static ith_status wait_for(ith_visit *x, ith_call *call, bool *gone, ith_error *err)
{
    int64_t seen = 0;
    bool ended;

    for (;;) {
        ith_error why = {0};
        ith_call_wait(call, &seen, LOOK_MS);
        ended = has_ended(call, &why);
        pthread_mutex_unlock(&call->lock);
        if (why.status != ITH_OK)
            return ith_fail(err, why.status, "%s", why.text);
        if (ended)
            return ITH_OK;
        *gone = ith_visit_is_gone(x->connection);
        if (*gone)
            return ith_fail(err, ITH_E_CANCELLED, "the client has left");
    }
}

static ith_status wait_in_line(ith_server *server, ith_texts *t, ith_call *call, ith_error *err)
{
    switch (ith_queue_add(&server->queue, call)) {
    case ITH_QUEUED:
        return ITH_OK;
    case ITH_QUEUE_FULL:
        t->code = "overloaded";
        return ith_fail(err, ITH_E_CANCELLED, "too many requests wait; try again later");
    case ITH_QUEUE_CLOSED:
        break;
    }
    return ith_fail(err, ITH_E_CANCELLED, "the server is stopping");
}

/* All have ended: nobody changes them any more. */
static void take_results(ith_texts *t, size_t from, ith_call *call)
{
    for (size_t i = 0; i < call->n; i++) {
        ith_choice *c = &call->choices[i];
        t->items[from + i].embedding = c->embedding;
        c->embedding = NULL;
        t->items[from + i].score = c->score;
    }
}

/* The first call stands for all in the account of the visit. */
static void note_call(ith_visit *x, ith_call *call)
{
    if (x->call != NULL)
        return;
    ith_call_hold(call);
    x->call = call;
}

static ith_status run_round(ith_visit *x, ith_texts *t, size_t from, size_t n, bool *gone,
                            ith_error *err)
{
    ith_call *call = make_call(x->server, t, from, n);
    ith_status status;

    if (call == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a request");
    status = wait_in_line(x->server, t, call, err);
    if (status == ITH_OK) {
        note_call(x, call);
        status = wait_for(x, call, gone, err);
    }
    if (status == ITH_OK)
        take_results(t, from, call);
    ith_call_leave(call);
    return status;
}

/* Waits until all of them have what they are to get. *gone: the client has left. */
static ith_status run(ith_visit *x, ith_texts *t, bool *gone, ith_error *err)
{
    size_t waiting = (size_t)x->server->params.waiting, most = waiting < ROUND ? waiting : ROUND;
    ith_status status = ITH_OK;

    *gone = false;
    x->prompt_tokens = t->tokens;
    ith_visit_prepared(x);
    for (size_t from = 0; status == ITH_OK && from < t->n; from += most)
        status = run_round(x, t, from, t->n - from < most ? t->n - from : most, gone, err);
    return status;
}

enum MHD_Result ith_texts_answer(ith_visit *x, const ith_texts_kind *kind, void *request)
{
    ith_texts texts = {0};
    ith_error err = {0};
    const char *param = NULL;
    json_t *body = NULL;
    bool gone = false;
    enum MHD_Result result;
    ith_status status = ith_visit_parse(x, NULL, &body, &err);

    if (status == ITH_OK)
        status = kind->read(x, body, request, &texts, &param, &err);
    if (ith_json_lost(x->mark))
        status = ith_fail(&err, ITH_E_MEMORY, "no memory to read the request");
    if (status == ITH_OK) {
        param = NULL;
        status = run(x, &texts, &gone, &err);
    }
    if (gone)
        result = MHD_NO;
    else if (status == ITH_OK)
        result = ith_visit_json(x, MHD_HTTP_OK, kind->reply(x, request, &texts));
    else
        result = ith_visit_refuse(x, &err, texts.code, param);
    ith_texts_close(&texts);
    json_decref(body);
    return result;
}
