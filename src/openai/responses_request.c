/* responses_request.c - a request to /v1/responses becomes that of a chat. */
#include "openai/responses.h"

#include <string.h>

typedef struct reader {
    json_t *chat, *messages;
    json_t *thought;    /* of the next message of the assistant; NULL: none */
    const char **param; /* the field that is wrong */
    ith_error *err;
} reader;

static ith_status wrong(reader *r, const char *key, const char *expected)
{
    *r->param = key;
    return ith_fail(r->err, ITH_E_ARGUMENT, "%s: expected %s", key, expected);
}

static ith_status not_done(reader *r, const char *key, const char *what)
{
    *r->param = key;
    return ith_fail(r->err, ITH_E_UNSUPPORTED, "%.60s: %s is not supported", key, what);
}

static bool is_word(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

/* ---- Input ---- */

/* Parts as those of a chat's message; NULL: one is no text. */
static json_t *read_parts(const json_t *parts)
{
    json_t *list = json_array();
    const json_t *part;
    size_t i;

    json_array_foreach (parts, i, part) {
        const json_t *type = json_object_get(part, "type");
        json_t *text = json_object_get(part, "text");
        if (!json_is_string(text) ||
            !(is_word(type, "input_text") || is_word(type, "output_text") ||
              is_word(type, "text") || is_word(type, "reasoning_text"))) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, json_pack("{s:s, s:O}", "type", "text", "text", text));
    }
    return list;
}

/* A text, or parts; NULL: neither. */
static json_t *read_content(json_t *content)
{
    return json_is_string(content)  ? json_incref(content)
           : json_is_array(content) ? read_parts(content)
                                    : NULL;
}

/* The last message, if it is the assistant's; else a new one. */
static json_t *assistant(reader *r)
{
    json_t *last = json_array_get(r->messages, json_array_size(r->messages) - 1);

    if (json_array_size(r->messages) == 0 || !is_word(json_object_get(last, "role"), "assistant")) {
        last = json_pack("{s:s, s:n}", "role", "assistant", "content");
        json_array_append_new(r->messages, last);
    }
    if (r->thought != NULL)
        json_object_set_new(last, "reasoning_content", r->thought);
    r->thought = NULL;
    return last;
}

static ith_status add_message(reader *r, json_t *item)
{
    json_t *role = json_object_get(item, "role"), *message,
           *content = read_content(json_object_get(item, "content"));

    if (!json_is_string(role) || content == NULL) {
        json_decref(content);
        return wrong(r, "input", "messages with a role and content, a text or parts of text");
    }
    message = json_pack("{s:O, s:o}", "role", role, "content", content);
    if (is_word(role, "developer"))
        json_object_set_new(message, "role", json_string("system"));
    if (is_word(role, "assistant") && r->thought != NULL) {
        json_object_set_new(message, "reasoning_content", r->thought);
        r->thought = NULL;
    }
    json_array_append_new(r->messages, message);
    return ITH_OK;
}

static ith_status add_call(reader *r, json_t *item)
{
    json_t *id = json_object_get(item, "call_id"), *name = json_object_get(item, "name"),
           *arguments = json_object_get(item, "arguments"), *message, *calls;

    if (!json_is_string(id) || !json_is_string(name) || !json_is_string(arguments))
        return wrong(r, "input", "calls with call_id, name and arguments");
    message = assistant(r);
    calls = json_object_get(message, "tool_calls");
    if (calls == NULL) {
        calls = json_array();
        json_object_set_new(message, "tool_calls", calls);
    }
    json_array_append_new(calls, json_pack("{s:O, s:s, s:{s:O, s:O}}", "id", id, "type", "function",
                                           "function", "name", name, "arguments", arguments));
    return ITH_OK;
}

static ith_status add_output(reader *r, json_t *item)
{
    json_t *id = json_object_get(item, "call_id"),
           *content = read_content(json_object_get(item, "output"));

    if (!json_is_string(id) || content == NULL) {
        json_decref(content);
        return wrong(r, "input", "outputs of calls with call_id and output, a text");
    }
    json_array_append_new(r->messages, json_pack("{s:s, s:O, s:o}", "role", "tool", "tool_call_id",
                                                 id, "content", content));
    return ITH_OK;
}

/* Texts of a thought, which goes with what the assistant says next. One that has only a summary, or
 * is encrypted, says nothing here. */
static void add_thought(reader *r, const json_t *item)
{
    const json_t *part, *content = json_object_get(item, "content");
    size_t i;

    json_array_foreach (content, i, part) {
        json_t *text = json_object_get(part, "text");
        const char *before = r->thought != NULL ? json_string_value(r->thought) : "";
        json_t *both =
            json_is_string(text) ? json_sprintf("%s%s", before, json_string_value(text)) : NULL;
        if (both == NULL)
            continue;
        json_decref(r->thought);
        r->thought = both;
    }
}

static ith_status add_item(reader *r, json_t *item)
{
    const json_t *type = json_object_get(item, "type");

    if (type == NULL || is_word(type, "message"))
        return add_message(r, item);
    if (is_word(type, "function_call"))
        return add_call(r, item);
    if (is_word(type, "function_call_output"))
        return add_output(r, item);
    if (!is_word(type, "reasoning"))
        return not_done(r, "input", "an item that is no message, call, output or reasoning");
    add_thought(r, item);
    return ITH_OK;
}

static ith_status take_input(reader *r, const char *key, json_t *value)
{
    json_t *item;
    size_t i;

    if (json_is_string(value)) {
        json_array_append_new(r->messages,
                              json_pack("{s:s, s:O}", "role", "user", "content", value));
        return ITH_OK;
    }
    if (json_array_size(value) == 0)
        return wrong(r, key, "a text, or a list of items");
    json_array_foreach (value, i, item)
        ITH_TRY(add_item(r, item));
    return ITH_OK;
}

/* It stands before all messages: fields come in any order. */
static ith_status take_instructions(reader *r, const char *key, json_t *value)
{
    if (!json_is_string(value))
        return wrong(r, key, "a text");
    json_array_insert_new(r->messages, 0,
                          json_pack("{s:s, s:O}", "role", "system", "content", value));
    return ITH_OK;
}

/* ---- Tools and formats ---- */

static ith_status take_tools(reader *r, const char *key, json_t *value)
{
    json_t *list = json_array(), *tool;
    size_t i;

    json_object_set_new(r->chat, "tools", list);
    if (!json_is_array(value))
        return wrong(r, key, "a list of functions");
    json_array_foreach (value, i, tool) {
        json_t *function = json_is_object(tool) ? json_copy(tool) : json_object();
        if (!is_word(json_object_get(tool, "type"), "function")) {
            json_decref(function);
            return not_done(r, key, "a tool that is no function");
        }
        json_object_del(function, "type");
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "type", "function", "function", function));
    }
    return ITH_OK;
}

static ith_status take_choice(reader *r, const char *key, json_t *value)
{
    json_t *name = json_object_get(value, "name");

    if (json_is_string(name) && is_word(json_object_get(value, "type"), "function"))
        json_object_set_new(
            r->chat, key,
            json_pack("{s:s, s:{s:O}}", "type", "function", "function", "name", name));
    else
        json_object_set(r->chat, key, value);
    return ITH_OK;
}

/* {"format": {"type": "json_schema", "schema": ...}} */
static ith_status take_text(reader *r, const char *key, json_t *value)
{
    json_t *format = json_object_get(value, "format"), *part;
    const char *name;

    if (!json_is_object(value))
        return wrong(r, key, "an object with a format");
    json_object_foreach (value, name, part)
        if (part != format && !json_is_null(part) && !is_word(part, "medium"))
            return not_done(r, key, "another member than format");
    if (!is_word(json_object_get(format, "type"), "json_schema")) {
        if (format != NULL && !json_is_null(format))
            json_object_set(r->chat, "response_format", format);
        return ITH_OK;
    }
    json_object_set_new(r->chat, "response_format",
                        json_pack("{s:s, s:{s:O?}}", "type", "json_schema", "json_schema", "schema",
                                  json_object_get(format, "schema")));
    return ITH_OK;
}

/* How hard the model is to think goes to its template. Summaries are not made: the thoughts
 * themselves are returned. */
static ith_status take_reasoning(reader *r, const char *key, json_t *value)
{
    json_t *effort = json_object_get(value, "effort"), *arguments;

    if (!json_is_object(value))
        return wrong(r, key, "an object");
    if (effort == NULL || json_is_null(effort))
        return ITH_OK;
    arguments = json_object_get(r->chat, "chat_template_kwargs");
    arguments = json_is_object(arguments) ? json_copy(arguments) : json_object();
    json_object_set(arguments, "reasoning_effort", effort);
    json_object_set_new(r->chat, "chat_template_kwargs", arguments);
    return ITH_OK;
}

static ith_status take_arguments(reader *r, const char *key, json_t *value)
{
    json_t *old = json_object_get(r->chat, key), *both;

    if (!json_is_object(value))
        return wrong(r, key, "an object");
    both = json_copy(value);
    if (old != NULL)
        json_object_update(both, old);
    json_object_set_new(r->chat, key, both);
    return ITH_OK;
}

/* ---- Fields ---- */

typedef struct field {
    const char *key;
    const char *as;   /* of the chat: the value is the same; NULL: */
    const char *only; /* accepted if it is this; "": whatever it is; NULL: */
    ith_status (*take)(reader *r, const char *key, json_t *value);
} field;

static const field fields[] = {
    {"input", NULL, NULL, take_input},
    {"instructions", NULL, NULL, take_instructions},
    {"tools", NULL, NULL, take_tools},
    {"tool_choice", NULL, NULL, take_choice},
    {"text", NULL, NULL, take_text},
    {"reasoning", NULL, NULL, take_reasoning},
    {"chat_template_kwargs", NULL, NULL, take_arguments},
    {"model", "model", NULL, NULL},
    {"max_output_tokens", "max_completion_tokens", NULL, NULL},
    {"parallel_tool_calls", "parallel_tool_calls", NULL, NULL},
    {"temperature", "temperature", NULL, NULL},
    {"top_p", "top_p", NULL, NULL},
    {"top_k", "top_k", NULL, NULL},
    {"min_p", "min_p", NULL, NULL},
    {"repetition_penalty", "repetition_penalty", NULL, NULL},
    {"seed", "seed", NULL, NULL},
    {"stop", "stop", NULL, NULL},
    {"ignore_eos", "ignore_eos", NULL, NULL},
    {"stream", "stream", NULL, NULL},
    {"user", "user", NULL, NULL},
    {"metadata", NULL, "", NULL},
    {"store", NULL, "", NULL},
    {"stream_options", NULL, "", NULL},
    {"prompt_cache_key", NULL, "", NULL},
    {"prompt_cache_retention", NULL, "", NULL},
    {"safety_identifier", NULL, "", NULL},
    {"background", NULL, "false", NULL},
    {"include", NULL, "[]", NULL},
    {"service_tier", NULL, "\"auto\"", NULL},
    {"top_logprobs", NULL, "0", NULL},
    {"truncation", NULL, "\"disabled\"", NULL},
};

enum { N_FIELDS = sizeof fields / sizeof *fields };

static const field *find_field(const char *key)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static ith_status take_field(reader *r, const char *key, json_t *value)
{
    const field *f = find_field(key);
    json_t *only;
    bool same;

    if (json_is_null(value))
        return ITH_OK;
    if (f == NULL)
        return not_done(r, key, "this field");
    if (f->take != NULL)
        return f->take(r, key, value);
    if (f->as != NULL) {
        json_object_set(r->chat, f->as, value);
        return ITH_OK;
    }
    if (f->only[0] == 0)
        return ITH_OK;
    only = json_loads(f->only, JSON_DECODE_ANY, NULL);
    same = json_equal(only, value);
    json_decref(only);
    return same ? ITH_OK : not_done(r, key, "another value than the default");
}

static ith_status read_body(reader *r, const json_t *body)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)body, key, value)
        ITH_TRY(take_field(r, key, value));
    return json_object_get(body, "input") != NULL ? ITH_OK
                                                  : wrong(r, "input", "a text, or a list of items");
}

ith_status ith_responses_to_chat(const json_t *body, json_t **chat, const char **param,
                                 ith_error *err)
{
    reader r = {.chat = json_object(), .messages = json_array(), .param = param, .err = err};
    ith_status status;

    *param = NULL;
    *chat = NULL;
    json_object_set(r.chat, "messages", r.messages);
    status = read_body(&r, body);
    json_decref(r.messages);
    json_decref(r.thought);
    if (status == ITH_OK)
        *chat = r.chat;
    else
        json_decref(r.chat);
    return status;
}

const char *ith_responses_param(const char *chat)
{
    if (strcmp(chat, "messages") == 0)
        return "input";
    if (strcmp(chat, "chat_template_kwargs") == 0)
        return "reasoning";
    if (strncmp(chat, "response_format", 15) == 0)
        return "text.format";
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].as != NULL && strcmp(fields[i].as, chat) == 0)
            return fields[i].key;
    return chat;
}
