/* request.c - reads requests, field by field from a table. */
#include "openai/request.h"

#include "openai/forms/form.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Fields ---- */

typedef enum field_kind {
    ANYTHING,  /* has no influence */
    TEXT,      /* the same, but must be a string */
    WHOLE,     /* int64_t */
    WHOLE_INT, /* int */
    REAL,      /* float */
    FLAG,      /* bool */
    NUMBER_0,  /* must be this: another would be asked for in vain */
    NUMBER_1,
    ONLY, /* must be this JSON, which is the default */
    OWN   /* read by a function */
} field_kind;

/* Where a field may stand: in requests of this kind, in a file or sent to a server. */
enum {
    IN_CHAT = 1,
    IN_TEXT = 2,
    SERVED = 4,
    FILED = 8,
    CHAT = IN_CHAT | SERVED | FILED,
    COMPLETIONS = IN_TEXT | SERVED | FILED,
    BOTH = CHAT | COMPLETIONS
};

typedef struct field {
    const char *key;
    unsigned of;
    field_kind kind;
    size_t at; /* in the request */
    double min, max;
    ith_status (*take)(ith_request *r, const json_t *value, ith_error *err);
    const char *only;
} field;

static ith_status wrong(ith_request *r, const char *param, const char *expected, ith_error *err)
{
    snprintf(r->param, sizeof r->param, "%s%.48s", r->prefix, param);
    return ith_fail(err, ITH_E_ARGUMENT, "%s: expected %s", r->param, expected);
}

ith_status ith_request_wrong(ith_request *r, const char *name, ith_error *err, const char *format,
                             ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(r->param, sizeof r->param, "%s%.48s", r->prefix, name);
    return ith_fail(err, ITH_E_ARGUMENT, "%s", text);
}

static ith_status not_done(ith_request *r, const char *param, const char *what, ith_error *err)
{
    snprintf(r->param, sizeof r->param, "%s%.48s", r->prefix, param);
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: %s is not supported", r->param, what);
}

/* A string without a NUL; NULL: it is none. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

/* ---- Fields with rules of their own ---- */

static ith_status take_stop(ith_request *r, const json_t *value, ith_error *err)
{
    static const char expected[] =
        "a text that is not empty, of at most 4096 bytes, or a list of up to 16";
    size_t n = json_is_array(value) ? json_array_size(value) : 1;

    if (n > ITH_REQUEST_STOPS)
        return wrong(r, "stop", expected, err);
    for (size_t i = 0; i < n; i++) {
        const json_t *stop = json_is_array(value) ? json_array_get(value, i) : value;
        const char *text = text_of(stop);
        if (text == NULL || text[0] == 0 || json_string_length(stop) > ITH_REQUEST_STOP)
            return wrong(r, "stop", expected, err);
        json_decref(r->held[i]);
        r->held[i] = json_incref((json_t *)stop);
        r->stops[i] = text;
    }
    r->how.stop = r->stops;
    r->how.n_stop = n;
    return ITH_OK;
}

static ith_status take_seed(ith_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_integer(value))
        return wrong(r, "seed", "a whole number", err);
    r->how.sampling.seed = (uint64_t)json_integer_value(value);
    r->has_seed = true;
    return ITH_OK;
}

/* A text, or a list of token ids that is not empty. */
static bool is_prompt(const json_t *value)
{
    bool ids = json_is_array(value) && json_array_size(value) > 0;

    for (size_t i = 0; ids && i < json_array_size(value); i++) {
        const json_t *id = json_array_get(value, i);
        ids = json_is_integer(id) && json_integer_value(id) >= 0 &&
              json_integer_value(id) <= INT32_MAX;
    }
    return ids || json_is_string(value);
}

static ith_status take_prompt(ith_request *r, const json_t *value, ith_error *err)
{
    bool fine = is_prompt(value);

    r->prompt = value;
    if (!fine && r->served) {
        fine = json_is_array(value) && json_array_size(value) > 0;
        for (size_t i = 0; fine && i < json_array_size(value); i++)
            fine = is_prompt(json_array_get(value, i));
    }
    if (fine)
        return ITH_OK;
    return wrong(r, "prompt",
                 r->served ? "a text, a list of token ids, or a list of these"
                           : "a text, or a list of token ids; one prompt a line",
                 err);
}

/* Appends to *all, malloc'd. False: no memory. */
static bool append(char **all, size_t *len, const json_t *text)
{
    size_t more = json_string_length(text);
    char *grown = realloc(*all, *len + more + 1);

    if (grown == NULL)
        return false;
    memcpy(grown + *len, json_string_value(text), more);
    *all = grown;
    *len += more;
    return true;
}

/* Texts of a list of parts, one after another; NULL: it has others than texts (*text_only is
 * false), or there is no memory. */
static json_t *join_parts(const json_t *parts, bool *text_only)
{
    char *all = NULL;
    size_t len = 0;
    json_t *joined = NULL;
    bool fine = true;

    *text_only = true;
    for (size_t i = 0; fine && *text_only && i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i), *text = json_object_get(part, "text");
        const char *type = text_of(json_object_get(part, "type"));
        *text_only = type != NULL && strcmp(type, "text") == 0 && json_is_string(text);
        fine = *text_only && append(&all, &len, text);
    }
    if (fine)
        joined = json_stringn(all != NULL ? all : "", len);
    free(all);
    return joined;
}

/* A text, or parts; a message that calls tools needs none. */
static bool has_content(const json_t *message, const json_t *content)
{
    if (content != NULL && !json_is_null(content))
        return json_is_string(content) || json_is_array(content);
    return json_array_size(json_object_get(message, "tool_calls")) > 0;
}

/* Clients send the arguments of earlier calls as a text of JSON; most templates take the object,
 * and write it as their models do. What is no object stays a text. */
static bool read_arguments(json_t *message)
{
    json_t *call;
    size_t i;

    json_array_foreach (json_object_get(message, "tool_calls"), i, call) {
        json_t *function = json_object_get(call, "function"), *read = NULL,
               *text = json_object_get(function, "arguments");
        ith_error err;
        if (!json_is_string(text) ||
            !ith_request_is_flat(json_string_value(text), json_string_length(text)) ||
            ith_json_parse(json_string_value(text), json_string_length(text), "arguments", &read,
                           &err) != ITH_OK)
            continue;
        if (!json_is_object(read))
            json_decref(read);
        else if (json_object_set_new(function, "arguments", read) != 0)
            return false;
    }
    return true;
}

static ith_status take_messages(ith_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_array(value) || json_array_size(value) == 0)
        return wrong(r, "messages", "a list of messages", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *message = json_array_get(value, i), *content = json_object_get(message, "content"),
               *joined;
        bool text_only;
        if (text_of(json_object_get(message, "role")) == NULL || !has_content(message, content))
            return wrong(r, "messages", "objects with a role and content, a text", err);
        if (!read_arguments(message))
            return ith_fail(err, ITH_E_MEMORY, "no memory for messages");
        r->tools.n_earlier += json_array_size(json_object_get(message, "tool_calls"));
        if (!json_is_array(content))
            continue;
        joined = join_parts(content, &text_only);
        if (!text_only)
            return not_done(r, "messages", "content other than text", err);
        if (json_object_set_new(message, "content", joined) != 0)
            return ith_fail(err, ITH_E_MEMORY, "no memory for messages");
    }
    r->messages = ith_json_exact_text(value, false);
    return r->messages != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for messages");
}

static ith_status take_arguments(ith_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_object(value))
        return wrong(r, "chat_template_kwargs", "an object", err);
    r->arguments = ith_json_exact_text(value, false);
    return r->arguments != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for arguments");
}

/* {"type": "text"}, "json_object", or "json_schema" with {"json_schema": {"schema": ...}}. */
static ith_status take_format(ith_request *r, const json_t *value, ith_error *err)
{
    const char *type = text_of(json_object_get(value, "type"));
    const json_t *described = json_object_get(value, "json_schema"),
                 *schema = json_object_get(described, "schema");

    if (type == NULL)
        return wrong(r, "response_format", "an object with a type", err);
    if (strcmp(type, "text") == 0)
        return ITH_OK;
    r->format = "{\"type\": \"object\"}";
    if (strcmp(type, "json_object") == 0)
        return ITH_OK;
    if (strcmp(type, "json_schema") != 0)
        return not_done(r, "response_format", "another format than text and JSON", err);
    if (schema == NULL)
        return wrong(r, "response_format.json_schema", "an object with a schema", err);
    r->schema = ith_json_exact_text(schema, false);
    r->format = r->schema;
    return r->schema != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for a schema");
}

static ith_status take_tools(ith_request *r, const json_t *value, ith_error *err)
{
    const char *expected = ith_tools_take(&r->tools, value);
    return expected == NULL ? ITH_OK : wrong(r, "tools", expected, err);
}

static ith_status take_tool_choice(ith_request *r, const json_t *value, ith_error *err)
{
    const char *expected = ith_tools_take_choice(&r->tools, value);
    return expected == NULL ? ITH_OK : wrong(r, "tool_choice", expected, err);
}

static ith_status take_parallel(ith_request *r, const json_t *value, ith_error *err)
{
    if (!json_is_boolean(value))
        return wrong(r, "parallel_tool_calls", "true or false", err);
    r->tools.only_one = json_is_false(value);
    return ITH_OK;
}

static ith_status take_stream_options(ith_request *r, const json_t *value, ith_error *err)
{
    const json_t *usage = json_object_get(value, "include_usage");

    if (!json_is_object(value) || json_object_size(value) != (usage != NULL) ||
        (usage != NULL && !json_is_boolean(usage)))
        return wrong(r, "stream_options", "an object with include_usage, true or false", err);
    r->include_usage = json_is_true(usage);
    return ITH_OK;
}

/* In completions the number of best tokens is the wish itself. */
static ith_status take_logprobs(ith_request *r, const json_t *value, ith_error *err)
{
    json_int_t top = json_integer_value(value);

    if (!json_is_integer(value) || top < 0 || top > ITH_REQUEST_TOP)
        return wrong(r, "logprobs", "a whole number from 0 to 20", err);
    r->logprobs = true;
    r->top = top;
    return ITH_OK;
}

#define AT(member) offsetof(ith_request, member)

static const field fields[] = {
    {.key = "messages", .of = CHAT, .kind = OWN, .take = take_messages},
    {.key = "prompt", .of = COMPLETIONS, .kind = OWN, .take = take_prompt},
    {.key = "model", .of = BOTH, .kind = TEXT},
    {"max_tokens", BOTH & ~SERVED, WHOLE, AT(how.max_tokens), 1, 1e9, NULL, NULL},
    {"max_tokens", CHAT & ~FILED, WHOLE, AT(how.max_tokens), 1, 1e9, NULL, NULL},
    {"max_tokens", COMPLETIONS & ~FILED, WHOLE, AT(how.max_tokens), 0, 1e9, NULL, NULL},
    {"max_completion_tokens", CHAT, WHOLE, AT(how.max_tokens), 1, 1e9, NULL, NULL},
    {"temperature", BOTH, REAL, AT(how.sampling.temperature), 0, 100, NULL, NULL},
    {"top_p", BOTH, REAL, AT(how.sampling.top_p), 0, 1, NULL, NULL},
    {"top_k", BOTH, WHOLE_INT, AT(how.sampling.top_k), 0, 1e9, NULL, NULL},
    {"min_p", BOTH, REAL, AT(how.sampling.min_p), 0, 1, NULL, NULL},
    {"repetition_penalty", BOTH, REAL, AT(how.sampling.repeat_penalty), 0.01, 100, NULL, NULL},
    {.key = "ignore_eos", .of = BOTH, .kind = FLAG, .at = AT(how.ignore_eos)},
    {.key = "seed", .of = BOTH, .kind = OWN, .take = take_seed},
    {.key = "stop", .of = BOTH, .kind = OWN, .take = take_stop},
    {.key = "chat_template_kwargs", .of = CHAT, .kind = OWN, .take = take_arguments},
    {.key = "response_format", .of = CHAT, .kind = OWN, .take = take_format},
    {.key = "n", .of = BOTH & ~SERVED, .kind = NUMBER_1},
    {"n", BOTH & ~FILED, WHOLE, AT(n), 1, ITH_REQUEST_CHOICES, NULL, NULL},
    {.key = "best_of", .of = COMPLETIONS & ~SERVED, .kind = NUMBER_1},
    {"best_of", COMPLETIONS & ~FILED, WHOLE, AT(best_of), 1, ITH_REQUEST_CHOICES, NULL, NULL},
    {.key = "stream", .of = BOTH & ~SERVED, .kind = ONLY, .only = "false"},
    {.key = "stream", .of = BOTH & ~FILED, .kind = FLAG, .at = AT(stream)},
    {.key = "stream_options", .of = BOTH & ~FILED, .kind = OWN, .take = take_stream_options},
    {.key = "echo", .of = COMPLETIONS & ~SERVED, .kind = ONLY, .only = "false"},
    {.key = "echo", .of = COMPLETIONS & ~FILED, .kind = FLAG, .at = AT(echo)},
    {.key = "logprobs", .of = CHAT & ~SERVED, .kind = ONLY, .only = "false"},
    {.key = "logprobs", .of = CHAT & ~FILED, .kind = FLAG, .at = AT(logprobs)},
    {.key = "logprobs", .of = COMPLETIONS & ~FILED, .kind = OWN, .take = take_logprobs},
    {"top_logprobs", CHAT & ~FILED, WHOLE, AT(top), 0, ITH_REQUEST_TOP, NULL, NULL},
    {.key = "presence_penalty", .of = BOTH, .kind = NUMBER_0},
    {.key = "frequency_penalty", .of = BOTH, .kind = NUMBER_0},
    {.key = "logit_bias", .of = BOTH, .kind = ONLY, .only = "{}"},
    {.key = "suffix", .of = COMPLETIONS, .kind = ONLY, .only = "\"\""},
    {.key = "tools", .of = CHAT, .kind = OWN, .take = take_tools},
    {.key = "tool_choice", .of = CHAT, .kind = OWN, .take = take_tool_choice},
    {.key = "parallel_tool_calls", .of = CHAT, .kind = OWN, .take = take_parallel},
    {.key = "functions", .of = CHAT, .kind = ONLY, .only = "[]"},
    {.key = "function_call", .of = CHAT, .kind = ONLY, .only = "\"none\""},
    {.key = "modalities", .of = CHAT, .kind = ONLY, .only = "[\"text\"]"},
    {.key = "service_tier", .of = CHAT, .kind = ONLY, .only = "\"auto\""},
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

static ith_status take_number(ith_request *r, const field *f, const char *param,
                              const json_t *value, ith_error *err)
{
    char expected[80];
    void *at = (char *)r + f->at;
    double x = json_number_value(value);
    bool whole = f->kind != REAL;

    snprintf(expected, sizeof expected, "a %snumber from %g to %g", whole ? "whole " : "", f->min,
             f->max);
    if (!(whole ? json_is_integer(value) : json_is_number(value)) || x < f->min || x > f->max)
        return wrong(r, param, expected, err);
    if (f->kind == REAL)
        *(float *)at = (float)x;
    else if (f->kind == WHOLE_INT)
        *(int *)at = (int)json_integer_value(value);
    else
        *(int64_t *)at = json_integer_value(value);
    return ITH_OK;
}

static ith_status take_default(ith_request *r, const field *f, const json_t *value, ith_error *err)
{
    char what[40];
    json_t *only = json_loads(f->only, JSON_DECODE_ANY, NULL);
    bool same = only != NULL && json_equal(only, value);

    json_decref(only);
    snprintf(what, sizeof what, "anything but %s", f->only);
    return same ? ITH_OK : not_done(r, f->key, what, err);
}

static ith_status take_field(ith_request *r, const field *f, const json_t *value, ith_error *err)
{
    const char *param = f->key;

    switch (f->kind) {
    case ANYTHING:
        return ITH_OK;
    case TEXT:
        return json_is_string(value) ? ITH_OK : wrong(r, param, "a text", err);
    case WHOLE:
    case WHOLE_INT:
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
    case ONLY:
        return take_default(r, f, value, err);
    case OWN:
        break;
    }
    return f->take(r, value, err);
}

/* NULL: there is none for such a request. */
static const field *find_field(const char *name, unsigned of)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].key, name) == 0 && (fields[i].of & of) == of)
            return &fields[i];
    return NULL;
}

/* What fields say together. */
static ith_status check_tools(ith_request *r, ith_error *err)
{
    const char *expected = ith_tools_settle(&r->tools);

    if (expected != NULL)
        return wrong(r, "tool_choice", expected, err);
    if (r->tools.list != NULL && r->format != NULL)
        return not_done(r, "response_format", "a format beside tools", err);
    if (r->tools.list != NULL && ith_tools_must_call(&r->tools) && r->how.ignore_eos)
        return wrong(r, "tool_choice", "auto or none beside ignore_eos", err);
    return ITH_OK;
}

static ith_status check_served(ith_request *r, ith_error *err)
{
    if (r->n == 0)
        r->n = 1;
    if (r->include_usage && !r->stream)
        return wrong(r, "stream_options", "none without stream", err);
    if (r->chat && r->top > 0 && !r->logprobs)
        return wrong(r, "top_logprobs", "none without logprobs", err);
    if (!r->chat && r->how.max_tokens == 0 && !r->echo)
        return wrong(r, "max_tokens", "at least 1 without echo", err);
    if (r->best_of != 0 && r->best_of != r->n)
        return not_done(r, "best_of", "anything but n", err);
    if (ith_request_prompts(r) > ITH_REQUEST_CHOICES)
        return wrong(r, "prompt", "at most 128 prompts", err);
    if ((size_t)r->n > ITH_REQUEST_CHOICES / ith_request_prompts(r))
        return wrong(r, "n", "at most 128 answers to all prompts together", err);
    return ITH_OK;
}

bool ith_request_is_flat(const char *text, size_t len)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < len && depth <= ITH_REQUEST_NESTING; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    }
    return depth <= ITH_REQUEST_NESTING;
}

ith_status ith_request_read(ith_request *r, json_t *body, ith_error *err)
{
    const char *name;
    json_t *value;

    r->how.continues = !r->chat;
    json_object_foreach (body, name, value) {
        const field *f =
            find_field(name, (r->chat ? IN_CHAT : IN_TEXT) | (r->served ? SERVED : FILED));
        if (json_is_null(value))
            continue;
        if (f == NULL)
            return not_done(r, name, "this field", err);
        ITH_TRY(take_field(r, f, value, err));
    }
    if (r->chat ? r->messages == NULL : r->prompt == NULL)
        return wrong(r, r->chat ? "messages" : "prompt",
                     r->chat ? "a list of messages" : "a prompt", err);
    ITH_TRY(check_tools(r, err));
    return r->served ? check_served(r, err) : ITH_OK;
}

void ith_request_forget(ith_request *r)
{
    free(r->messages);
    free(r->arguments);
    free(r->schema);
    json_decref(r->tools.list);
    r->tools.list = NULL;
    r->messages = r->arguments = r->schema = NULL;
    r->format = NULL;
    r->prompt = NULL;
}

void ith_request_free(ith_request *r)
{
    ith_request_forget(r);
    ith_tools_free(&r->tools);
    for (size_t i = 0; i < ITH_REQUEST_STOPS; i++)
        json_decref(r->held[i]);
    ith_grammar_close(r->how.grammar);
    *r = (ith_request){0};
}

/* ---- Grammar and tokens ---- */

/* An error of others, which belongs to a field. */
static ith_status blame(ith_request *r, const char *name, ith_error *err)
{
    snprintf(r->param, sizeof r->param, "%s%s", r->prefix, name);
    return err->status;
}

/* The template takes the arguments of earlier calls as texts. False: no memory. */
static bool write_arguments(json_t *messages)
{
    const json_t *message;
    json_t *call;
    size_t i, k;

    json_array_foreach (messages, i, message)
        json_array_foreach (json_object_get(message, "tool_calls"), k, call) {
            json_t *function = json_object_get(call, "function");
            const json_t *arguments = json_object_get(function, "arguments");
            char *text = json_is_object(arguments) ? ith_json_exact_text(arguments, false) : NULL;
            bool fine = !json_is_object(arguments) ||
                        (text != NULL &&
                         json_object_set_new(function, "arguments", json_string(text)) == 0);
            free(text);
            if (!fine)
                return false;
        }
    return true;
}

static ith_status rewrite_messages(ith_request *r, ith_error *err)
{
    json_t *messages = NULL;
    char *text = NULL;

    ITH_TRY(ith_json_parse(r->messages, strlen(r->messages), "messages", &messages, err));
    if (write_arguments(messages))
        text = ith_json_exact_text(messages, false);
    json_decref(messages);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for messages");
    free(r->messages);
    r->messages = text;
    return ITH_OK;
}

static ith_status find_speech(ith_request *r, const ith_vocab *vocab, ith_error *err)
{
    unsigned wanted = (r->tools.list != NULL ? ITH_SPEECH_TOOLS : 0) |
                      (r->tools.n_earlier > 0 ? ITH_SPEECH_CALLS : 0);

    if (!r->chat)
        return ITH_OK;
    if (ith_speech_find(&r->speech, vocab, r->arguments, wanted, err) != ITH_OK)
        return blame(r, "tools", err);
    return r->speech.text_arguments && r->tools.n_earlier > 0 ? rewrite_messages(r, err) : ITH_OK;
}

static ith_status prepare_tools(ith_request *r, const ith_vocab *vocab, ith_error *err)
{
    if (r->tools.list == NULL)
        return ITH_OK;
    if (ith_tools_open(&r->tools, r->speech.form, err) != ITH_OK)
        return blame(r, "tools", err);
    if (ith_tools_grammar(&r->tools, r->speech.form, vocab, &r->how.grammar, err) != ITH_OK) {
        blame(r, "tools", err);
        return ith_fail_prefix(err, err->status, "%s", r->param);
    }
    return ITH_OK;
}

ith_status ith_request_parse(ith_request *r, const char *text, size_t len, const char *where,
                             json_t **root, ith_error *err)
{
    return ith_json_parse_strict(text, len, where, root, &r->inexact) == ITH_OK
               ? ITH_OK
               : ith_json_parse(text, len, where, root, err);
}

/* A schema must not become another one. */
static ith_status check_exact(ith_request *r, const char *name, ith_error *err)
{
    if (r->inexact.status == ITH_OK)
        return ITH_OK;
    ith_fail(err, ITH_E_ARGUMENT, "beside a schema the JSON must be exact: %s", r->inexact.text);
    blame(r, name, err);
    return ith_fail_prefix(err, err->status, "%s", r->param);
}

ith_status ith_request_grammar(ith_request *r, const ith_vocab *vocab, ith_error *err)
{
    static const char name[] = "response_format";
    ith_status status;

    if (r->format != NULL || r->tools.list != NULL)
        ITH_TRY(check_exact(r, r->format != NULL ? name : "tools", err));
    ITH_TRY(find_speech(r, vocab, err));
    if (r->format == NULL)
        return prepare_tools(r, vocab, err);
    if (r->how.ignore_eos)
        return wrong(r, name, "none beside ignore_eos", err);
    status = ith_grammar_from_schema(vocab, r->format, strlen(r->format), &r->how.grammar, err);
    if (status == ITH_OK)
        return ITH_OK;
    blame(r, name, err);
    return ith_fail_prefix(err, status, "%s", r->param);
}

static ith_status copy_ids(const json_t *list, int32_t **ids, size_t *n, ith_error *err)
{
    *n = json_array_size(list);
    *ids = malloc(*n * sizeof **ids);
    if (*ids == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt");
    for (size_t i = 0; i < *n; i++)
        (*ids)[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ITH_OK;
}

static bool is_list(const ith_request *r)
{
    return json_is_array(r->prompt) && !json_is_integer(json_array_get(r->prompt, 0));
}

size_t ith_request_prompts(const ith_request *r)
{
    return is_list(r) ? json_array_size(r->prompt) : 1;
}

static const json_t *prompt_of(const ith_request *r, size_t i)
{
    return is_list(r) ? json_array_get(r->prompt, i) : r->prompt;
}

const char *ith_request_text(const ith_request *r, size_t i, size_t *len)
{
    const json_t *prompt = prompt_of(r, i);

    *len = json_string_length(prompt);
    return json_string_value(prompt);
}

static ith_status append_text(const ith_vocab *vocab, const char *text, int32_t **ids, size_t *n,
                              ith_error *err)
{
    int32_t *more, *grown;
    size_t n_more;

    ITH_TRY(
        ith_vocab_tokenize(vocab, text, strlen(text), ITH_TOKENIZE_SPECIAL, &more, &n_more, err));
    grown = realloc(*ids, (*n + n_more + 1) * sizeof *grown);
    if (grown == NULL) {
        free(more);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt");
    }
    if (n_more > 0)
        memcpy(grown + *n, more, n_more * sizeof *more);
    *ids = grown;
    *n += n_more;
    free(more);
    return ITH_OK;
}

/* An answer that a grammar keeps to begins with no thought, and with the call that must be made. */
static ith_status end_prompt(ith_request *r, const ith_vocab *vocab, int32_t **ids, size_t *n,
                             ith_error *err)
{
    char text[ITH_TOOL_OPENING + 40];
    const char *opening = r->tools.opening;
    ith_speech *s = &r->speech;

    ITH_TRY(ith_speech_end(s, vocab, *ids, *n, err));
    if (r->how.grammar == NULL)
        return ITH_OK;
    if (r->format != NULL && s->form == &ith_form_harmony)
        snprintf(r->tools.opening, sizeof r->tools.opening, "<|channel|>final<|message|>");
    snprintf(text, sizeof text, "%s%s%s%s", s->thinks ? "\n" : "", s->thinks ? s->marks->close : "",
             s->thinks ? "\n\n" : "", opening);
    s->thinks = false;
    return text[0] != 0 ? append_text(vocab, text, ids, n, err) : ITH_OK;
}

static ith_status tokenize_messages(ith_request *r, const ith_vocab *vocab, int32_t **ids,
                                    size_t *n_ids, ith_error *err)
{
    ith_chat_params chat = ith_chat_params_default();
    char *tools = NULL;
    ith_status status;

    if (r->tools.list != NULL) {
        tools = ith_json_exact_text(r->tools.list, false);
        if (tools == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for tools");
    }
    chat.messages_json = r->messages;
    chat.arguments = r->arguments;
    chat.tools = tools;
    status = ith_chat_tokenize(vocab, &chat, ids, n_ids, NULL, err);
    free(tools);
    return status == ITH_OK ? end_prompt(r, vocab, ids, n_ids, err) : status;
}

ith_status ith_request_ids(ith_request *r, size_t i, const ith_vocab *vocab, int32_t **ids,
                           size_t *n_ids, ith_error *err)
{
    const json_t *prompt = prompt_of(r, i);
    size_t len;
    const char *text = ith_request_text(r, i, &len);

    *ids = NULL;
    *n_ids = 0;
    if (!r->chat && json_is_array(prompt))
        return copy_ids(prompt, ids, n_ids, err);
    if (vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the model has no tokenizer: give %sprompt as a list of token ids",
                        r->prefix);
    if (!r->chat)
        return ith_vocab_tokenize(vocab, text, len,
                                  ITH_TOKENIZE_SPECIAL | (len > 0 ? ITH_TOKENIZE_BOS : 0), ids,
                                  n_ids, err);
    return tokenize_messages(r, vocab, ids, n_ids, err);
}
