/* batch_request.c - reads requests, field by field from a table. */
#include "cli/batch_request.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Fields ---- */

typedef enum field_kind {
    ANYTHING, /* has no influence */
    TEXT,     /* the same, but must be a string */
    WHOLE,    /* int64_t */
    REAL,     /* float */
    FLAG,     /* bool */
    NUMBER_0, /* must be this: another would be asked for in vain */
    NUMBER_1,
    FALSE_ONLY,
    OWN /* read by a function */
} field_kind;

typedef enum endpoint { CHAT = 1, COMPLETIONS = 2, BOTH = 3 } endpoint;

typedef struct field {
    const char *key;
    endpoint of;
    field_kind kind;
    size_t at; /* in the request */
    double min, max;
    ith_status (*take)(ith_batch_request *r, const json_t *value, ith_error *err);
} field;

static ith_status wrong(ith_batch_request *r, const char *param, const char *expected,
                        ith_error *err)
{
    snprintf(r->param, sizeof r->param, "%.60s", param);
    return ith_fail(err, ITH_E_ARGUMENT, "%s: expected %s", param, expected);
}

static ith_status not_done(ith_batch_request *r, const char *param, const char *what,
                           ith_error *err)
{
    snprintf(r->param, sizeof r->param, "%.60s", param);
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: %s is not supported", param, what);
}

/* A string without a NUL; NULL: it is none. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

/* ---- Fields with rules of their own ---- */

static ith_status take_stop(ith_batch_request *r, const json_t *value, ith_error *err)
{
    static const char expected[] = "a text that is not empty, or a list of up to 16";
    size_t n = json_is_array(value) ? json_array_size(value) : 1;

    if (n > ITH_BATCH_STOPS)
        return wrong(r, "body.stop", expected, err);
    for (size_t i = 0; i < n; i++) {
        const char *text = text_of(json_is_array(value) ? json_array_get(value, i) : value);
        if (text == NULL || text[0] == 0)
            return wrong(r, "body.stop", expected, err);
        r->stops[i] = text;
    }
    r->how.stop = r->stops;
    r->how.n_stop = n;
    return ITH_OK;
}

static ith_status take_seed(ith_batch_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_integer(value))
        return wrong(r, "body.seed", "a whole number", err);
    r->how.sampling.seed = (uint64_t)json_integer_value(value);
    r->has_seed = true;
    return ITH_OK;
}

static ith_status take_prompt(ith_batch_request *r, const json_t *value, ith_error *err)
{
    bool ids = json_is_array(value) && json_array_size(value) > 0;

    for (size_t i = 0; ids && i < json_array_size(value); i++) {
        const json_t *id = json_array_get(value, i);
        ids = json_is_integer(id) && json_integer_value(id) >= 0 &&
              json_integer_value(id) <= INT32_MAX;
    }
    if (!ids && !json_is_string(value))
        return wrong(r, "body.prompt", "a text, or a list of token ids; one prompt a line", err);
    r->prompt = value;
    return ITH_OK;
}

/* Texts of a list of parts, one after another; NULL: it has others than texts, or no memory. */
static json_t *join_parts(const json_t *parts)
{
    ith_text all = {0};
    ith_error err;
    json_t *joined = NULL;
    bool fine = true;

    for (size_t i = 0; fine && i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i), *text = json_object_get(part, "text");
        const char *type = text_of(json_object_get(part, "type"));
        fine = type != NULL && strcmp(type, "text") == 0 && json_is_string(text) &&
               ith_text_append(&all, json_string_value(text), json_string_length(text), &err) ==
                   ITH_OK;
    }
    if (fine)
        joined = json_stringn(all.data != NULL ? all.data : "", all.len);
    ith_text_free(&all);
    return joined;
}

static ith_status take_messages(ith_batch_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_array(value) || json_array_size(value) == 0)
        return wrong(r, "body.messages", "a list of messages", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *message = json_array_get(value, i), *content = json_object_get(message, "content"),
               *joined;
        if (text_of(json_object_get(message, "role")) == NULL)
            return wrong(r, "body.messages", "objects with a role and content", err);
        if (!json_is_array(content))
            continue;
        joined = join_parts(content);
        if (joined == NULL || json_object_set_new(message, "content", joined) != 0)
            return not_done(r, "body.messages", "content other than text", err);
    }
    r->messages = ith_json_exact_text(value, false);
    return r->messages != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for messages");
}

static ith_status take_arguments(ith_batch_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_object(value))
        return wrong(r, "body.chat_template_kwargs", "an object", err);
    r->arguments = ith_json_exact_text(value, false);
    return r->arguments != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for arguments");
}

/* {"type": "text"}, "json_object", or "json_schema" with {"json_schema": {"schema": ...}}. */
static ith_status take_format(ith_batch_request *r, const json_t *value, ith_error *err)
{
    const char *type = text_of(json_object_get(value, "type"));
    const json_t *described = json_object_get(value, "json_schema"),
                 *schema = json_object_get(described, "schema");

    if (type == NULL)
        return wrong(r, "body.response_format", "an object with a type", err);
    if (strcmp(type, "text") == 0)
        return ITH_OK;
    r->format = "{\"type\": \"object\"}";
    if (strcmp(type, "json_object") == 0)
        return ITH_OK;
    if (strcmp(type, "json_schema") != 0)
        return not_done(r, "body.response_format", "another format than text and JSON", err);
    if (schema == NULL)
        return wrong(r, "body.response_format.json_schema", "an object with a schema", err);
    r->schema = ith_json_exact_text(schema, false);
    r->format = r->schema;
    return r->schema != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for a schema");
}

#define AT(member) offsetof(ith_batch_request, member)

static const field fields[] = {
    {.key = "messages", .of = CHAT, .kind = OWN, .take = take_messages},
    {.key = "prompt", .of = COMPLETIONS, .kind = OWN, .take = take_prompt},
    {.key = "model", .of = BOTH, .kind = TEXT},
    {"max_tokens", BOTH, WHOLE, AT(how.max_tokens), 1, 1e9, NULL},
    {"max_completion_tokens", CHAT, WHOLE, AT(how.max_tokens), 1, 1e9, NULL},
    {"temperature", BOTH, REAL, AT(how.sampling.temperature), 0, 100, NULL},
    {"top_p", BOTH, REAL, AT(how.sampling.top_p), 0, 1, NULL},
    {"top_k", BOTH, WHOLE, AT(how.sampling.top_k), 0, 1e9, NULL},
    {"min_p", BOTH, REAL, AT(how.sampling.min_p), 0, 1, NULL},
    {"repetition_penalty", BOTH, REAL, AT(how.sampling.repeat_penalty), 0.01, 100, NULL},
    {.key = "ignore_eos", .of = BOTH, .kind = FLAG, .at = AT(how.ignore_eos)},
    {.key = "seed", .of = BOTH, .kind = OWN, .take = take_seed},
    {.key = "stop", .of = BOTH, .kind = OWN, .take = take_stop},
    {.key = "chat_template_kwargs", .of = CHAT, .kind = OWN, .take = take_arguments},
    {.key = "response_format", .of = CHAT, .kind = OWN, .take = take_format},
    {.key = "n", .of = BOTH, .kind = NUMBER_1},
    {.key = "best_of", .of = COMPLETIONS, .kind = NUMBER_1},
    {.key = "stream", .of = BOTH, .kind = FALSE_ONLY},
    {.key = "echo", .of = COMPLETIONS, .kind = FALSE_ONLY},
    {.key = "logprobs", .of = CHAT, .kind = FALSE_ONLY},
    {.key = "presence_penalty", .of = BOTH, .kind = NUMBER_0},
    {.key = "frequency_penalty", .of = BOTH, .kind = NUMBER_0},
    {.key = "user", .of = BOTH, .kind = TEXT},
    {.key = "metadata", .of = BOTH, .kind = ANYTHING},
    {.key = "store", .of = CHAT, .kind = ANYTHING},
};

/* ---- Reading ---- */

static bool is_number(const json_t *value, double number)
{
    return json_is_number(value) && !(json_number_value(value) < number) &&
           !(json_number_value(value) > number);
}

static ith_status take_number(ith_batch_request *r, const field *f, const char *param,
                              const json_t *value, ith_error *err)
{
    char expected[80];
    void *at = (char *)r + f->at;
    double x = json_number_value(value);

    snprintf(expected, sizeof expected, "a %snumber from %g to %g",
             f->kind == WHOLE ? "whole " : "", f->min, f->max);
    if (!(f->kind == WHOLE ? json_is_integer(value) : json_is_number(value)) || x < f->min ||
        x > f->max)
        return wrong(r, param, expected, err);
    if (f->kind == REAL)
        *(float *)at = (float)x;
    else if (at == &r->how.sampling.top_k)
        r->how.sampling.top_k = (int)json_integer_value(value);
    else
        *(int64_t *)at = json_integer_value(value);
    return ITH_OK;
}

static ith_status take_field(ith_batch_request *r, const field *f, const json_t *value,
                             ith_error *err)
{
    char param[ITH_BATCH_PARAM];

    snprintf(param, sizeof param, "body.%s", f->key);
    switch (f->kind) {
    case ANYTHING:
        return ITH_OK;
    case TEXT:
        return json_is_string(value) ? ITH_OK : wrong(r, param, "a text", err);
    case WHOLE:
    case REAL:
        return take_number(r, f, param, value, err);
    case FLAG:
        if (!json_is_boolean(value))
            return wrong(r, param, "true or false", err);
        *(bool *)((char *)r + f->at) = json_is_true(value);
        return ITH_OK;
    case NUMBER_0:
        return is_number(value, 0) ? ITH_OK : not_done(r, param, "anything but 0", err);
    case NUMBER_1:
        return is_number(value, 1) ? ITH_OK : not_done(r, param, "anything but 1", err);
    case FALSE_ONLY:
        return json_is_false(value) ? ITH_OK : not_done(r, param, "anything but false", err);
    case OWN:
        break;
    }
    return f->take(r, value, err);
}

/* NULL: there is none for such a request. */
static const field *find_field(const char *name, endpoint of)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].key, name) == 0 && (fields[i].of & of) != 0)
            return &fields[i];
    return NULL;
}

static ith_status unknown(ith_batch_request *r, const char *prefix, const char *name,
                          ith_error *err)
{
    char param[ITH_BATCH_PARAM];

    snprintf(param, sizeof param, "%s%.48s", prefix, name);
    return not_done(r, param, "this field", err);
}

static ith_status take_body(ith_batch_request *r, json_t *body, ith_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach (body, name, value) {
        const field *f = find_field(name, r->chat ? CHAT : COMPLETIONS);
        if (json_is_null(value))
            continue;
        if (f == NULL)
            return unknown(r, "body.", name, err);
        ITH_TRY(take_field(r, f, value, err));
    }
    if (r->chat ? r->messages != NULL : r->prompt != NULL)
        return ITH_OK;
    return wrong(r, r->chat ? "body.messages" : "body.prompt",
                 r->chat ? "a list of messages" : "a prompt", err);
}

/* By its address, or without one by what it has. */
static ith_status find_endpoint(ith_batch_request *r, const json_t *body, ith_error *err)
{
    const json_t *value = json_object_get(r->root, "url");
    const char *url = text_of(value);

    r->chat = json_object_get(body, "messages") != NULL;
    if (value == NULL || json_is_null(value))
        return ITH_OK;
    r->chat = url != NULL && strcmp(url, "/v1/chat/completions") == 0;
    return r->chat || (url != NULL && strcmp(url, "/v1/completions") == 0)
               ? ITH_OK
               : wrong(r, "url", "/v1/chat/completions or /v1/completions", err);
}

/* Beside the body. */
static ith_status take_line(ith_batch_request *r, ith_error *err)
{
    static const char *const known[] = {"custom_id", "method", "url", "body"};
    const json_t *method = json_object_get(r->root, "method");
    const char *name;
    json_t *value;

    json_object_foreach (r->root, name, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(name, known[i]) == 0;
        if (!found && !json_is_null(value))
            return unknown(r, "", name, err);
    }
    if (method != NULL && (text_of(method) == NULL || strcmp(text_of(method), "POST") != 0))
        return wrong(r, "method", "POST", err);
    return r->custom_id != NULL && r->custom_id[0] != 0
               ? ITH_OK
               : wrong(r, "custom_id", "a text that names the request", err);
}

ith_status ith_batch_request_read(ith_batch_request *r, const char *text, size_t len,
                                  ith_error *err)
{
    json_t *body;

    ITH_TRY(ith_json_parse(text, len, "the line", &r->root, err));
    if (!json_is_object(r->root))
        return ith_fail(err, ITH_E_FORMAT, "the line is not a JSON object");
    r->custom_id = text_of(json_object_get(r->root, "custom_id"));
    ITH_TRY(take_line(r, err));
    body = json_object_get(r->root, "body");
    if (!json_is_object(body))
        return wrong(r, "body", "an object", err);
    ITH_TRY(find_endpoint(r, body, err));
    return take_body(r, body, err);
}

void ith_batch_request_free(ith_batch_request *r)
{
    json_decref(r->root);
    free(r->messages);
    free(r->arguments);
    free(r->schema);
    ith_grammar_close(r->how.grammar);
    *r = (ith_batch_request){0};
}

/* ---- Grammar and tokens ---- */

ith_status ith_batch_request_grammar(ith_batch_request *r, const ith_vocab *vocab, ith_error *err)
{
    static const char param[] = "body.response_format";
    ith_status status;

    if (r->format == NULL)
        return ITH_OK;
    if (r->how.ignore_eos)
        return wrong(r, param, "no response_format beside ignore_eos", err);
    status = ith_grammar_from_schema(vocab, r->format, strlen(r->format), &r->how.grammar, err);
    if (status == ITH_OK)
        return ITH_OK;
    snprintf(r->param, sizeof r->param, "%s", param);
    return ith_fail_prefix(err, status, "%s", param);
}

static ith_status copy_ids(const json_t *list, ith_ids *ids, ith_error *err)
{
    ids->n = json_array_size(list);
    ids->data = malloc(ids->n * sizeof *ids->data);
    if (ids->data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt");
    for (size_t i = 0; i < ids->n; i++)
        ids->data[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ITH_OK;
}

ith_status ith_batch_request_ids(const ith_batch_request *r, const ith_vocab *vocab, ith_ids *ids,
                                 ith_error *err)
{
    ith_chat_params chat = ith_chat_params_default();
    size_t len = r->chat ? 0 : json_string_length(r->prompt);

    *ids = (ith_ids){0};
    if (!r->chat && json_is_array(r->prompt))
        return copy_ids(r->prompt, ids, err);
    if (vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the model has no tokenizer: give body.prompt as a list of token ids");
    if (!r->chat)
        return ith_vocab_tokenize(vocab, json_string_value(r->prompt), len,
                                  ITH_TOKENIZE_SPECIAL | (len > 0 ? ITH_TOKENIZE_BOS : 0),
                                  &ids->data, &ids->n, err);
    chat.messages_json = r->messages;
    chat.arguments = r->arguments;
    return ith_chat_tokenize(vocab, &chat, &ids->data, &ids->n, NULL, err);
}
