/* answer.c - answers in OpenAI's JSON. */
#include "serve/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ith_answer_free(void *user)
{
    ith_answer *a = user;

    for (size_t i = 0; a->prompts != NULL && i < a->n_prompts; i++) {
        free(a->prompts[i].ids);
        free(a->prompts[i].text);
    }
    free(a->prompts);
    ith_request_free(&a->request);
    ith_response_close(a->response);
    json_decref(a->body);
    free(a);
}

/* ---- Tokens ---- */

/* The bytes of a token; NULL: it has none, or there is no tokenizer. */
typedef struct piece {
    const char *bytes;
    size_t len;
    char *owned; /* malloc'd, or NULL */
} piece;

/* `first`: as the first of a text. */
static piece piece_of(const ith_answer *a, int32_t id, bool first)
{
    const ith_vocab *vocab = a->server->vocab;
    ith_status status = ITH_OK;
    piece p = {0};

    if (first)
        status = ith_vocab_detokenize(vocab, &id, 1, &p.owned, &p.len, NULL);
    if (status == ITH_OK)
        p.bytes = p.owned;
    else if (status == ITH_E_MEMORY)
        ith_json_lose();
    if (p.bytes == NULL)
        p.bytes = ith_vocab_token(vocab, id, &p.len);
    return p;
}

/* What a token is called: its text; "bytes:\xe2\x82" if they are part of a character; its id if
 * the model has no tokenizer. */
static json_t *name_of(const piece *p, int32_t id)
{
    json_t *name = p->bytes != NULL ? json_stringn(p->bytes, p->len) : json_sprintf("%d", id);
    char *text;

    if (name != NULL || p->bytes == NULL)
        return name;
    text = ith_json_malloc(7 + 4 * p->len);
    if (text == NULL)
        return NULL;
    strcpy(text, "bytes:");
    for (size_t i = 0; i < p->len; i++)
        sprintf(text + 6 + 4 * i, "\\x%02x", (unsigned char)p->bytes[i]);
    name = json_string(text);
    free(text);
    return name;
}

/* What cannot follow at all has a number, too. */
static json_t *logprob(const ith_ranked *t)
{
    return isfinite(t->nll) ? ith_json_number(-t->nll) : json_real(-9999.0);
}

static int64_t characters(const char *text, size_t len)
{
    int64_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += (text[i] & 0xc0) != 0x80;
    return n;
}

/* ---- Logprobs of completions: four lists ---- */

typedef struct lists {
    json_t *tokens, *logprobs, *top, *offsets;
} lists;

/* {name: logprob}, the token's own last. */
static json_t *top_of(const ith_answer *a, const ith_ranked *ranked)
{
    json_t *top = json_object();

    for (int k = 1; k <= a->call->top + 1; k++) {
        const ith_ranked *t = &ranked[k <= a->call->top ? k : 0];
        piece p = piece_of(a, t->id, false);
        json_t *name = name_of(&p, t->id);
        if (name != NULL && json_object_get(top, json_string_value(name)) == NULL)
            json_object_setn_new(top, json_string_value(name), json_string_length(name),
                                 logprob(t));
        json_decref(name);
    }
    return top;
}

/* Token k of prompt and answer. ranked: [1 + top]; NULL: nothing is known of it, as of the first.
 * Offsets are those of the prompt's text as it was sent, then of the answer behind it. */
static void list_token(const ith_answer *a, lists *l, const ith_asked *asked, size_t k, int32_t id,
                       const ith_ranked *ranked, ith_told *told)
{
    bool echo = a->request.echo, of_text = !echo || k >= asked->before;
    piece p = piece_of(a, id, echo && k == asked->before);

    if (echo && k == asked->n)
        told->offset = characters(asked->text, asked->len);
    json_array_append_new(l->tokens, name_of(&p, id));
    json_array_append_new(l->logprobs, ranked != NULL ? logprob(ranked) : json_null());
    json_array_append_new(l->offsets, json_integer(told->offset));
    json_array_append_new(l->top, ranked != NULL ? top_of(a, ranked) : json_null());
    if (of_text && p.bytes != NULL)
        told->offset += characters(p.bytes, p.len);
    free(p.owned);
}

static json_t *completion_logprobs(const ith_answer *a, const ith_asked *asked,
                                   const ith_news *news, ith_told *told)
{
    size_t one = 1 + (size_t)a->call->top, k = told->known.token;
    lists l = {json_array(), json_array(), json_array(), json_array()};

    if (a->request.echo && !told->begun)
        list_token(a, &l, asked, 0, asked->ids[0], NULL, told);
    k += a->request.echo; /* the first is not among them */
    for (size_t i = 0; i < news->n_tokens; i++) {
        const ith_ranked *t = news->tokens + i * one;
        list_token(a, &l, asked, k + i, t->id, t, told);
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "tokens", l.tokens, "token_logprobs", l.logprobs,
                     "top_logprobs", l.top, "text_offset", l.offsets);
}

/* ---- Logprobs of chats: a list of objects ---- */

static json_t *chat_token(const ith_answer *a, const ith_ranked *t, bool first)
{
    piece p = piece_of(a, t->id, first);
    json_t *list = json_array(), *token;

    for (size_t i = 0; p.bytes != NULL && i < p.len; i++)
        json_array_append_new(list, json_integer((unsigned char)p.bytes[i]));
    token = json_pack("{s:o, s:o, s:o}", "token", name_of(&p, t->id), "logprob", logprob(t),
                      "bytes", list);
    free(p.owned);
    return token;
}

static json_t *chat_logprobs(const ith_answer *a, const ith_news *news, const ith_told *told)
{
    size_t one = 1 + (size_t)a->call->top;
    json_t *content = json_array();

    for (size_t i = 0; i < news->n_tokens; i++) {
        const ith_ranked *t = news->tokens + i * one;
        bool first = told->known.token + i == 0;
        json_t *token = chat_token(a, t, first), *top = json_array();
        for (size_t k = 1; k < one; k++)
            json_array_append_new(top, chat_token(a, t + k, first));
        json_object_set_new(token, "top_logprobs", top);
        json_array_append_new(content, token);
    }
    return json_pack("{s:o, s:n}", "content", content, "refusal");
}

/* ---- Choices ---- */

static const char *finish_of(const ith_news *news, const ith_told *told)
{
    if (!news->ended)
        return NULL;
    if (news->finish != ITH_FINISH_STOP)
        return "length";
    return told->message != NULL ? ith_message_stop(told->message) : "stop";
}

/* The new text, after the echo if that was not shown yet. */
static json_t *text_of(const ith_asked *asked, const ith_news *news, const ith_told *told)
{
    size_t before = told->begun ? 0 : asked->len;
    char *both = ith_json_malloc(before + news->len + 1);
    json_t *text;

    if (both == NULL)
        return NULL;
    if (before > 0)
        memcpy(both, asked->text, before);
    memcpy(both + before, news->text, news->len);
    text = ith_json_bytes(both, before + news->len);
    free(both);
    return text;
}

static bool open_message(const ith_answer *a, size_t i, ith_told *told)
{
    char key[60];

    snprintf(key, sizeof key, "%s %zu", a->id, i);
    told->message = ith_message_open(&a->request, key);
    return told->message != NULL;
}

/* The text goes to the message, token by token, which is how those of thoughts are counted. False:
 * no memory. */
static bool push_text(const ith_answer *a, size_t i, const ith_news *news, ith_told *told)
{
    size_t at = 0;

    if (told->message == NULL && !open_message(a, i, told))
        return false;
    for (size_t k = 0; k < news->n_ends; k++) {
        bool before = ith_message_is_thinking(told->message);
        if (!ith_message_push(told->message, news->text + at, news->ends[k] - at, false))
            return false;
        at = news->ends[k];
        told->thought += before || ith_message_is_thinking(told->message);
    }
    return ith_message_push(told->message, news->text + at, news->len - at, news->ended);
}

/* Is there something to be told? What may become a call is held back. */
static bool has_news(const ith_news *news, const ith_told *told, bool chat)
{
    bool text = chat ? ith_message_has_news(told->message) : news->len > 0;

    return !told->begun || text || news->n_tokens > 0 || news->ended;
}

static json_t *choice_json(const ith_answer *a, size_t i, const ith_news *news, ith_told *told,
                           bool streamed)
{
    const ith_asked *asked = &a->prompts[i / (size_t)a->request.n];
    json_t *logprobs = json_null();

    if (a->call->logprobs)
        logprobs = a->request.chat ? chat_logprobs(a, news, told)
                                   : completion_logprobs(a, asked, news, told);
    if (a->request.chat)
        return json_pack("{s:I, s:o, s:o, s:s?}", "index", (json_int_t)i,
                         streamed ? "delta" : "message", ith_message_json(told->message, streamed),
                         "logprobs", logprobs, "finish_reason", finish_of(news, told));
    return json_pack("{s:I, s:o, s:o, s:s?}", "index", (json_int_t)i, "text",
                     text_of(asked, news, told), "logprobs", logprobs, "finish_reason",
                     finish_of(news, told));
}

bool ith_answer_choice(const ith_answer *a, size_t i, const ith_news *news, ith_told *told,
                       bool streamed, json_t **choice)
{
    *choice = NULL;
    if (told->ended)
        return true;
    if (a->request.chat && !push_text(a, i, news, told))
        return false;
    if (has_news(news, told, a->request.chat)) {
        *choice = choice_json(a, i, news, told, streamed);
        told->begun = true;
        if (*choice == NULL)
            return false;
    }
    told->known.text += news->len;
    told->known.token += news->n_tokens;
    told->known.answer += news->n_ends;
    told->ended = news->ended;
    return true;
}

void ith_told_close(ith_told *told)
{
    ith_message_close(told->message);
    told->message = NULL;
}

/* ---- Around them ---- */

json_t *ith_answer_usage(const ith_answer *a, const ith_told *told)
{
    int64_t n = 0, thought = 0, reused = 0;
    json_t *usage;

    for (size_t i = 0; i < a->call->n; i++) {
        n += (int64_t)a->call->choices[i].n_answer;
        thought += told[i].thought;
        reused += i % (size_t)a->request.n == 0 ? a->call->choices[i].reused : 0;
    }
    usage = json_pack("{s:I, s:I, s:I}", "prompt_tokens", (json_int_t)a->prompt_tokens,
                      "completion_tokens", (json_int_t)n, "total_tokens",
                      (json_int_t)(a->prompt_tokens + n));
    if (a->request.chat && usage != NULL) {
        json_object_set_new(usage, "prompt_tokens_details",
                            json_pack("{s:I}", "cached_tokens", (json_int_t)reused));
        json_object_set_new(usage, "completion_tokens_details",
                            json_pack("{s:I}", "reasoning_tokens", (json_int_t)thought));
    }
    return usage;
}

json_t *ith_answer_json(const ith_answer *a, json_t *choices, json_t *usage, bool streamed)
{
    const char *object = !a->request.chat ? "text_completion"
                         : streamed       ? "chat.completion.chunk"
                                          : "chat.completion";
    json_t *all =
        json_pack("{s:s, s:s, s:I, s:o, s:o, s:I}", "id", a->id, "object", object, "created",
                  (json_int_t)a->created, "model", ith_json_c_string(a->server->info->name),
                  "choices", choices, "seed", (json_int_t)a->request.how.sampling.seed);

    if (usage != NULL)
        json_object_set_new(all, "usage", usage);
    else if (a->request.include_usage)
        json_object_set_new(all, "usage", json_null());
    return all;
}
