/* completions.c - POST /v1/completions, /v1/chat/completions and /v1/responses: a request becomes a
 * call, and what the engine's thread tells of it a response or a stream. */
#include "base/error.h"
#include "serve/answer.h"
#include "serve/clock.h"
#include "serve/visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    LOOK_MS = 200,        /* is the client there still? */
    KEEP_ALIVE_MS = 2000, /* without news, before a stream has a comment */
    TEXT_MAX_TOKENS = 16, /* of an answer, unless the request says more */
    SEED_BITS = 53        /* of a random seed: those that a number in JavaScript keeps */
};

/* Why a request is refused. code NULL: that of the error's status. */
typedef struct refusal {
    const char *code;
    ith_error err;
} refusal;

/* ---- The request ---- */

static ith_status choose_seed(ith_request *r, ith_error *err)
{
    uint64_t seed;

    if (r->has_seed || r->how.sampling.temperature <= 0)
        return ITH_OK;
    if (getrandom(&seed, sizeof seed, 0) < 0)
        return ith_fail(err, ITH_E_IO, "no random seed");
    r->how.sampling.seed = seed >> (64 - SEED_BITS);
    return ITH_OK;
}

/* The body becomes that of a chat. */
static ith_status read_response(ith_answer *a, ith_error *err)
{
    json_t *chat;
    const char *param;
    ith_status status = ith_responses_to_chat(a->body, &chat, &param, err);

    if (status != ITH_OK) {
        snprintf(a->request.param, sizeof a->request.param, "%.60s", param != NULL ? param : "");
        return status;
    }
    a->response = ith_response_open(a->body, a->id, a->server->info->name, a->created);
    json_decref(a->body);
    a->body = chat;
    return a->response != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for a response");
}

/* The body's bytes are not needed afterwards. */
static ith_status read_request(ith_visit *x, ith_answer *a, ith_error *err)
{
    ith_request *r = &a->request;

    ITH_TRY(ith_visit_parse(x, r, &a->body, err));
    if (a->responds)
        ITH_TRY(read_response(a, err));
    r->how = x->server->preset;
    r->how.max_tokens = r->chat ? x->server->info->ctx : TEXT_MAX_TOKENS;
    ITH_TRY(ith_request_read(r, a->body, err));
    ITH_TRY(choose_seed(r, err));
    if (r->how.n_stop > 0 && x->server->vocab == NULL)
        return ith_request_wrong(r, "stop", err, "stop: the model has no tokenizer");
    return ITH_OK;
}

static ith_status check_ids(ith_answer *a, const ith_asked *asked, refusal *no)
{
    const ith_engine_info *info = a->server->info;
    const char *field = a->request.chat ? "messages" : "prompt";

    if (asked->n == 0)
        return ith_request_wrong(&a->request, field, &no->err,
                                 "the prompt is empty: not one token");
    if ((int64_t)asked->n > info->ctx) {
        no->code = "context_length_exceeded";
        return ith_request_wrong(&a->request, field, &no->err,
                                 "the maximum context length is %" PRId64
                                 " tokens, but the prompt has %zu",
                                 info->ctx, asked->n);
    }
    for (size_t i = 0; i < asked->n; i++)
        if (asked->ids[i] >= info->n_vocab)
            return ith_request_wrong(&a->request, field, &no->err,
                                     "token id %d at index %zu is not in the vocabulary of %d "
                                     "tokens",
                                     asked->ids[i], i, info->n_vocab);
    return ITH_OK;
}

/* Does the text begin with what the token is as the first of a text? */
static ith_status begins_with(const ith_vocab *vocab, const char *text, size_t len, int32_t id,
                              bool *so, ith_error *err)
{
    char *first;
    size_t n;

    ITH_TRY(ith_vocab_detokenize(vocab, &id, 1, &first, &n, err));
    *so = n <= len && memcmp(first, text, n) == 0;
    free(first);
    return ITH_OK;
}

/* What stands before the answer: the prompt as it was sent, or the text of its tokens. */
static ith_status make_echo(const ith_answer *a, size_t i, ith_asked *asked, ith_error *err)
{
    const ith_vocab *vocab = a->server->vocab;
    size_t len;
    const char *text = ith_request_text(&a->request, i, &len);
    bool begun;

    if (vocab == NULL)
        return ITH_OK;
    if (text == NULL)
        return ith_vocab_detokenize(vocab, asked->ids, asked->n, &asked->text, &asked->len, err);
    ITH_TRY(begins_with(vocab, text, len, asked->ids[0], &begun, err));
    asked->before = !begun;
    asked->text = malloc(len + 1);
    if (asked->text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt");
    memcpy(asked->text, text, len);
    asked->len = len;
    return ITH_OK;
}

/* Prompt i for its n choices. */
static ith_status add_prompt(ith_answer *a, size_t i, refusal *no)
{
    ith_request *r = &a->request;
    ith_asked *asked = &a->prompts[i];

    ITH_TRY(ith_request_ids(r, i, a->server->vocab, &asked->ids, &asked->n, &no->err));
    ITH_TRY(check_ids(a, asked, no));
    if (r->echo)
        ITH_TRY(make_echo(a, i, asked, &no->err));
    a->prompt_tokens += (int64_t)asked->n;
    for (int64_t j = 0; j < r->n; j++) {
        ith_choice *c = &a->call->choices[i * (size_t)r->n + (size_t)j];
        c->ids = asked->ids;
        c->n_ids = asked->n;
        c->how = r->how;
        c->how.max_tokens =
            r->how.max_tokens > 0 ? r->how.max_tokens : 1; /* its logits are there */
        c->how.sampling.seed += (uint64_t)j;
    }
    return ITH_OK;
}

/* Choices without prompts. */
static ith_status make_call(ith_answer *a, ith_error *err)
{
    ith_request *r = &a->request;
    size_t n = ith_request_prompts(r) * (size_t)r->n;

    if (n > (size_t)a->server->params.waiting)
        return ith_request_wrong(r, r->n > 1 ? "n" : "prompt", err,
                                 "%zu answers are asked for, but only %d may wait in this server",
                                 n, a->server->params.waiting);
    a->n_prompts = ith_request_prompts(r);
    a->prompts = calloc(a->n_prompts, sizeof *a->prompts);
    if (a->prompts != NULL)
        a->call = ith_call_make(n);
    if (a->call == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a request");
    a->call->release = ith_answer_free;
    a->call->user = a;
    a->call->logprobs = r->logprobs;
    a->call->top = r->logprobs ? (int)r->top : 0;
    a->call->each_token = r->echo && r->logprobs;
    a->call->lists_end = !r->chat;
    a->call->hides = r->how.max_tokens == 0;
    a->call->streams = r->stream;
    return ITH_OK;
}

/* All that a request waits with; its body is freed. */
static ith_status prepare_all(ith_visit *x, ith_answer *a, refusal *no)
{
    ITH_TRY(read_request(x, a, &no->err));
    ITH_TRY(ith_request_grammar(&a->request, x->server->vocab, &no->err));
    ITH_TRY(make_call(a, &no->err));
    for (size_t i = 0; i < a->n_prompts; i++)
        ITH_TRY(add_prompt(a, i, no));
    ith_request_forget(&a->request);
    json_decref(a->body);
    a->body = NULL;
    return ITH_OK;
}

static ith_status prepare(ith_visit *x, ith_answer *a, refusal *no)
{
    ith_status status = prepare_all(x, a, no);

    return ith_json_lost(x->mark)
               ? ith_fail(&no->err, ITH_E_MEMORY, "no memory to read the request")
               : status;
}

static ith_status wait_in_line(ith_answer *a, refusal *no)
{
    switch (ith_queue_add(&a->server->queue, a->call)) {
    case ITH_QUEUED:
        return ITH_OK;
    case ITH_QUEUE_FULL:
        no->code = "overloaded";
        return ith_fail(&no->err, ITH_E_CANCELLED, "too many requests wait; try again later");
    case ITH_QUEUE_CLOSED:
        break;
    }
    return ith_fail(&no->err, ITH_E_CANCELLED, "the server is stopping");
}

/* ---- The response ---- */

/* With the lock. Have all choices ended? *failed: the first that has without an answer. */
static bool has_ended(const ith_call *call, const ith_choice **failed)
{
    bool all = true;

    *failed = NULL;
    for (size_t i = 0; i < call->n; i++) {
        const ith_choice *c = &call->choices[i];
        all = all && c->ended;
        if (*failed == NULL && c->ended && c->err.status != ITH_OK)
            *failed = c;
    }
    return all;
}

/* The response, of the only choice. `events` is filled. NULL: no memory. */
static json_t *whole_response(const ith_answer *a, json_t *events)
{
    ith_told told = {0};
    ith_news news;
    json_t *choice = NULL, *usage;
    bool fine = ith_choice_news(&a->call->choices[0], &told.known, &news) &&
                ith_answer_choice(a, 0, &news, &told, true, &choice);

    usage = ith_answer_usage(a, &told);
    fine =
        fine && choice != NULL &&
        ith_response_delta(a->response, json_object_get(choice, "delta"), events) &&
        ith_response_end(a->response, json_string_value(json_object_get(choice, "finish_reason")),
                         usage, events);
    json_decref(usage);
    json_decref(choice);
    ith_news_free(&news);
    ith_told_close(&told);
    return fine ? ith_response_json(a->response) : NULL;
}

/* When all choices have ended: nobody changes them any more. NULL: no memory. */
static json_t *whole_chat(const ith_answer *a)
{
    json_t *choices = json_array(), *all = NULL;
    ith_told *told = calloc(a->call->n, sizeof *told);
    bool fine = choices != NULL && told != NULL;

    for (size_t i = 0; fine && i < a->call->n; i++) {
        ith_news news;
        json_t *choice = NULL;
        fine = ith_choice_news(&a->call->choices[i], &told[i].known, &news) &&
               ith_answer_choice(a, i, &news, &told[i], false, &choice) &&
               json_array_append_new(choices, choice) == 0;
        ith_news_free(&news);
        ith_told_close(&told[i]);
    }
    if (fine)
        all = ith_answer_json(a, choices, ith_answer_usage(a, told), false);
    else
        json_decref(choices);
    free(told);
    return all;
}

static json_t *whole(const ith_answer *a)
{
    json_t *events, *all;

    if (a->response == NULL)
        return whole_chat(a);
    events = json_array();
    all = whole_response(a, events);
    json_decref(events);
    return all;
}

unsigned ith_completion_status(const ith_error *err, const char **code)
{
    unsigned status = ith_visit_status(err, code);

    return err->status == ITH_E_MEMORY ? MHD_HTTP_BAD_REQUEST : status; /* it never fits */
}

static enum MHD_Result respond(ith_visit *x, const ith_answer *a)
{
    ith_call *call = a->call;
    const ith_choice *failed;
    int64_t seen = 0;
    ith_error err = {0};
    const char *code;
    unsigned status;
    bool ended;

    for (;;) {
        ith_call_wait(call, &seen, LOOK_MS);
        ended = has_ended(call, &failed);
        if (failed != NULL)
            err = failed->err;
        pthread_mutex_unlock(&call->lock);
        if (failed != NULL) {
            status = ith_completion_status(&err, &code);
            return ith_visit_error(x, status, code, NULL, err.text);
        }
        if (ended)
            return ith_visit_json(x, MHD_HTTP_OK, whole(a));
        if (ith_visit_is_gone(x->connection))
            return MHD_NO;
    }
}

/* ---- The stream ---- */

typedef struct stream {
    ith_answer *answer;
    struct MHD_Connection *connection;
    int64_t seen;
    int64_t last; /* ith_now_ms, when something was written */
    char *out;    /* [len], malloc'd; what is not sent begins at `at` */
    size_t len, at;
    bool done, broken, begun;
    ith_told told[];
} stream;

/* Appends PREFIX TEXT and an empty line. */
static void put(stream *s, const char *prefix, const char *text)
{
    size_t more = strlen(prefix) + strlen(text) + 2;
    char *grown = realloc(s->out, s->len + more + 1);

    if (grown == NULL) {
        s->broken = true;
        return;
    }
    s->out = grown;
    s->len += (size_t)sprintf(s->out + s->len, "%s%s\n\n", prefix, text);
}

/* Takes the value. */
static void put_json(stream *s, json_t *value)
{
    char *text = value != NULL ? ith_json_text(value, false) : NULL;

    if (text != NULL)
        put(s, "data: ", text);
    s->broken = s->broken || text == NULL;
    free(text);
    json_decref(value);
}

/* Events of a response, which it takes. */
static void put_events(stream *s, json_t *events, bool fine)
{
    const json_t *event;
    size_t i;

    s->broken = s->broken || !fine;
    json_array_foreach (events, i, event) {
        char *text = ith_json_text(event, false);
        char prefix[100];
        snprintf(prefix, sizeof prefix,
                 "event: %.80s\ndata: ", json_string_value(json_object_get(event, "type")));
        if (text != NULL)
            put(s, prefix, text);
        s->broken = s->broken || text == NULL;
        free(text);
    }
    json_decref(events);
}

/* What is new of the response, whose choice's news are NULL if there are none. */
static void put_response(stream *s, const json_t *choice)
{
    const ith_answer *a = s->answer;
    const char *finish = json_string_value(json_object_get(choice, "finish_reason"));
    json_t *events = json_array(), *usage;
    bool fine = events != NULL;

    if (!s->begun)
        fine = fine && ith_response_begin(a->response, events);
    s->begun = true;
    if (choice != NULL)
        fine = fine && ith_response_delta(a->response, json_object_get(choice, "delta"), events);
    if (finish != NULL) {
        usage = ith_answer_usage(a, s->told);
        fine = fine && ith_response_end(a->response, finish, usage, events);
        json_decref(usage);
    }
    put_events(s, events, fine);
}

/* The end of all choices. */
static void put_end(stream *s)
{
    const ith_answer *a = s->answer;

    s->done = true;
    if (a->response != NULL)
        return; /* its last event was that */
    if (a->request.include_usage)
        put_json(s, ith_answer_json(a, json_array(), ith_answer_usage(a, s->told), true));
    put(s, "data: ", "[DONE]");
}

static void put_error(stream *s, const ith_error *err)
{
    const char *code;
    unsigned status = ith_completion_status(err, &code);
    json_t *events;

    s->done = true;
    if (s->answer->response == NULL) {
        put_json(s, ith_error_json(status, code, NULL, err->text));
        return;
    }
    events = json_array();
    put_events(s, events, ith_response_fail(s->answer->response, code, err->text, events));
}

/* What the stream has not of a call, as a copy. */
typedef struct state {
    bool ended, failed;
    ith_error err;
    int64_t computed, all; /* tokens of prompts */
    ith_news *news;        /* [n] */
} state;

/* With the lock. False: no memory. */
static bool copy_state(const stream *s, state *now)
{
    const ith_call *call = s->answer->call;
    const ith_choice *failed;
    bool fine = true;

    now->ended = has_ended(call, &failed);
    now->failed = failed != NULL;
    if (failed != NULL)
        now->err = failed->err;
    for (size_t i = 0; i < call->n; i++) {
        const ith_choice *c = &call->choices[i];
        int64_t n = (int64_t)c->n_ids;
        fine = ith_choice_news(c, &s->told[i].known, &now->news[i]) && fine;
        now->computed += c->computed < n ? c->computed : n;
        now->all += n;
    }
    return fine;
}

static void put_news(stream *s, const state *now)
{
    const ith_answer *a = s->answer;

    for (size_t i = 0; i < a->call->n; i++) {
        const ith_news *news = &now->news[i];
        json_t *choice;
        if (news->n_answer == 0 && !news->ended)
            continue;
        if (!ith_answer_choice(a, i, news, &s->told[i], true, &choice))
            s->broken = true;
        else if (a->response != NULL) {
            put_response(s, choice);
            json_decref(choice);
        } else if (choice != NULL)
            put_json(s, ith_answer_json(a, json_pack("[o]", choice), NULL, true));
    }
}

/* How far the prompts are, as a comment. */
static void put_progress(stream *s, const state *now)
{
    char text[80];

    snprintf(text, sizeof text, "%" PRId64 " of %" PRId64 " prompt tokens", now->computed,
             now->all);
    put(s, ": ", text);
}

/* Waits for a change, or a moment, and writes what there is. */
static void look(stream *s)
{
    ith_call *call = s->answer->call;
    state now = {.news = calloc(call->n, sizeof *now.news)};
    unsigned mark = ith_json_mark();
    bool fine = now.news != NULL;

    ith_call_wait(call, &s->seen, LOOK_MS);
    fine = fine && copy_state(s, &now);
    pthread_mutex_unlock(&call->lock);
    s->broken = s->broken || !fine;
    if (fine && now.failed)
        put_error(s, &now.err);
    else if (fine)
        put_news(s, &now);
    if (fine && now.ended && !now.failed)
        put_end(s);
    s->broken = ith_json_lost(mark) || s->broken;
    if (fine && s->len == 0 && ith_now_ms() - s->last >= KEEP_ALIVE_MS)
        put_progress(s, &now);
    for (size_t i = 0; now.news != NULL && i < call->n; i++)
        ith_news_free(&now.news[i]);
    free(now.news);
}

/* Fills `out`. False: the client has left. */
static bool wait_for_news(stream *s)
{
    s->len = s->at = 0;
    while (s->len == 0 && !s->broken) {
        look(s);
        if (s->len == 0 && ith_visit_is_gone(s->connection))
            return false;
    }
    s->last = ith_now_ms();
    return !s->broken;
}

/* An MHD_ContentReaderCallback. */
static ssize_t read_stream(void *user, uint64_t pos, char *to, size_t room)
{
    stream *s = user;
    size_t n;

    (void)pos;
    if (s->at == s->len) {
        if (s->done)
            return MHD_CONTENT_READER_END_OF_STREAM;
        ith_visit_be_patient(s->connection);
        if (!wait_for_news(s))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        ith_visit_be_strict(s->connection, s->answer->server);
    }
    n = s->len - s->at < room ? s->len - s->at : room;
    memcpy(to, s->out + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static void free_stream(void *user)
{
    stream *s = user;

    for (size_t i = 0; i < s->answer->call->n; i++)
        ith_told_close(&s->told[i]);
    ith_call_leave(s->answer->call);
    free(s->out);
    free(s);
}

/* Takes the call. */
static enum MHD_Result begin_stream(ith_visit *x, ith_answer *a)
{
    stream *s = calloc(1, sizeof *s + a->call->n * sizeof s->told[0]);
    struct MHD_Response *response;

    if (s == NULL) {
        ith_call_leave(a->call);
        return MHD_NO;
    }
    s->answer = a;
    s->connection = x->connection;
    s->last = ith_now_ms();
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, s, free_stream);
    if (response == NULL) {
        free_stream(s);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    return ith_visit_respond(x, MHD_HTTP_OK, response);
}

/* ---- All of it ---- */

static void name_answer(ith_answer *a)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof number, 0) < 0)
        number = (uint64_t)(uintptr_t)a;
    snprintf(a->id, sizeof a->id, "%s%016" PRIx64,
             a->responds       ? "resp_"
             : a->request.chat ? "chatcmpl-"
                               : "cmpl-",
             number);
    a->created = (int64_t)time(NULL);
}

/* Refused. The call, if there is one, has the answer. */
static enum MHD_Result refuse(ith_visit *x, ith_answer *a, const refusal *no)
{
    const char *param = a->request.param;
    enum MHD_Result result = ith_visit_refuse(
        x, &no->err, no->code, a->response != NULL ? ith_responses_param(param) : param);

    if (a->call != NULL)
        ith_call_leave(a->call);
    else
        ith_answer_free(a);
    return result;
}

enum MHD_Result ith_visit_complete(ith_visit *x, ith_completion kind)
{
    ith_answer *a = calloc(1, sizeof *a);
    refusal no = {0};
    enum MHD_Result result;
    ith_status status;

    if (a == NULL)
        return MHD_NO;
    a->server = x->server;
    a->responds = kind == ITH_COMPLETE_RESPONSE;
    a->request = (ith_request){.chat = kind != ITH_COMPLETE_TEXT, .served = true, .prefix = ""};
    name_answer(a);
    memcpy(x->id, a->id, sizeof x->id);
    status = prepare(x, a, &no);
    ith_visit_prepared(x);
    x->prompt_tokens = a->prompt_tokens;
    if (status == ITH_OK)
        status = wait_in_line(a, &no);
    if (status != ITH_OK)
        return refuse(x, a, &no);
    ith_call_hold(a->call);
    x->call = a->call;
    if (a->request.stream)
        return begin_stream(x, a);
    result = respond(x, a);
    ith_call_leave(a->call);
    return result;
}
