/* responses.c - an answer as the items of a response, and as the events that tell of them. */
#include "openai/responses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum item_kind { NONE, THOUGHT, MESSAGE, CALL } item_kind;

struct ith_response {
    json_t *object; /* with `output`: the items that are complete */
    json_t *output;
    int64_t events; /* so far */

    /* The item in work. */
    item_kind kind;
    json_t *item;
    char *text; /* [len]: of its only part, or its arguments */
    size_t len, room;
    char id[80];
};

/* ---- The object ---- */

static void copy_field(ith_response *r, const json_t *body, const char *key, json_t *otherwise)
{
    json_t *value = json_object_get(body, key);

    if (value != NULL && !json_is_null(value)) {
        json_object_set(r->object, key, value);
        json_decref(otherwise);
    } else {
        json_object_set_new(r->object, key, otherwise);
    }
}

static void copy_fields(ith_response *r, const json_t *body)
{
    copy_field(r, body, "instructions", json_null());
    copy_field(r, body, "max_output_tokens", json_null());
    copy_field(r, body, "metadata", json_object());
    copy_field(r, body, "parallel_tool_calls", json_true());
    copy_field(r, body, "reasoning", json_pack("{s:n, s:n}", "effort", "summary"));
    copy_field(r, body, "temperature", json_null());
    copy_field(r, body, "text", json_pack("{s:{s:s}}", "format", "type", "text"));
    copy_field(r, body, "tool_choice", json_string("auto"));
    copy_field(r, body, "tools", json_array());
    copy_field(r, body, "top_p", json_null());
    copy_field(r, body, "user", json_null());
}

ith_response *ith_response_open(const json_t *body, const char *id, const char *model,
                                int64_t created)
{
    ith_response *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->output = json_array();
    r->object =
        json_pack("{s:s, s:s, s:I, s:s, s:n, s:n, s:o, s:O, s:n, s:b, s:s, s:n}", "id", id,
                  "object", "response", "created_at", (json_int_t)created, "status", "in_progress",
                  "error", "incomplete_details", "model", ith_json_c_string(model), "output",
                  r->output, "previous_response_id", "store", 0, "truncation", "disabled", "usage");
    if (r->object == NULL || r->output == NULL) {
        ith_response_close(r);
        return NULL;
    }
    copy_fields(r, body);
    return r;
}

void ith_response_close(ith_response *r)
{
    if (r == NULL)
        return;
    json_decref(r->object);
    json_decref(r->output);
    json_decref(r->item);
    free(r->text);
    free(r);
}

json_t *ith_response_json(const ith_response *r)
{
    return json_deep_copy(r->object);
}

/* ---- Events ---- */

/* Takes the event. */
static bool put(ith_response *r, json_t *events, const char *type, json_t *event)
{
    if (event == NULL || json_object_set_new(event, "type", json_string(type)) != 0 ||
        json_object_set_new(event, "sequence_number", json_integer(r->events++)) != 0) {
        json_decref(event);
        return false;
    }
    return json_array_append_new(events, event) == 0;
}

/* With the response as it is now. */
static bool put_response(ith_response *r, json_t *events, const char *type)
{
    return put(r, events, type, json_pack("{s:o}", "response", ith_response_json(r)));
}

static json_int_t index_of(const ith_response *r)
{
    return (json_int_t)json_array_size(r->output);
}

static json_t *text_json(const ith_response *r)
{
    return ith_json_bytes(r->len > 0 ? r->text : "", r->len);
}

/* The only part of a message or a thought. */
static json_t *part_json(const ith_response *r, bool whole)
{
    json_t *text = whole ? text_json(r) : json_string("");

    return r->kind == MESSAGE ? json_pack("{s:s, s:o, s:[], s:[]}", "type", "output_text", "text",
                                          text, "annotations", "logprobs")
                              : json_pack("{s:s, s:o}", "type", "reasoning_text", "text", text);
}

/* Of an item: its id and place, and a member more, which it takes. */
static json_t *event_of(const ith_response *r, const char *key, json_t *value)
{
    json_t *event =
        json_pack("{s:s, s:I, s:o}", "item_id", r->id, "output_index", index_of(r), key, value);

    if (event != NULL && r->kind != CALL)
        json_object_set_new(event, "content_index", json_integer(0));
    return event;
}

static json_t *item_event(const ith_response *r)
{
    return json_pack("{s:I, s:o}", "output_index", index_of(r), "item", json_deep_copy(r->item));
}

static const char *text_event(const ith_response *r, bool done)
{
    static const char *const names[][2] = {
        [THOUGHT] = {"response.reasoning_text.delta", "response.reasoning_text.done"},
        [MESSAGE] = {"response.output_text.delta", "response.output_text.done"},
        [CALL] = {"response.function_call_arguments.delta",
                  "response.function_call_arguments.done"}};

    return names[r->kind][done];
}

/* ---- Items ---- */

static bool gather(ith_response *r, const char *text, size_t len)
{
    if (r->len + len + 1 > r->room) {
        size_t room = 2 * (r->len + len + 1);
        char *grown = realloc(r->text, room);
        if (grown == NULL)
            return false;
        r->text = grown;
        r->room = room;
    }
    memcpy(r->text + r->len, text, len);
    r->len += len;
    return true;
}

/* The end of the item in work, if there is one. */
static bool end_item(ith_response *r, json_t *events, const char *status)
{
    bool fine = true;
    json_t *event;

    if (r->kind == NONE)
        return true;
    event = event_of(r, r->kind == CALL ? "arguments" : "text", text_json(r));
    if (r->kind == MESSAGE && event != NULL)
        json_object_set_new(event, "logprobs", json_array());
    if (r->kind == CALL && event != NULL)
        json_object_set(event, "name", json_object_get(r->item, "name"));
    fine = put(r, events, text_event(r, true), event);
    if (r->kind != CALL) {
        fine = fine && put(r, events, "response.content_part.done",
                           event_of(r, "part", part_json(r, true)));
        json_object_set_new(r->item, "content", json_pack("[o]", part_json(r, true)));
    } else {
        json_object_set_new(r->item, "arguments", text_json(r));
    }
    json_object_set_new(r->item, "status", json_string(status));
    fine = fine && put(r, events, "response.output_item.done", item_event(r)) &&
           json_array_append(r->output, r->item) == 0;
    json_decref(r->item);
    r->item = NULL;
    r->kind = NONE;
    r->len = 0;
    return fine;
}

static json_t *new_item(const ith_response *r, const json_t *call)
{
    const json_t *function = json_object_get(call, "function");

    switch (r->kind) {
    case THOUGHT:
        return json_pack("{s:s, s:s, s:s, s:[], s:[]}", "id", r->id, "type", "reasoning", "status",
                         "in_progress", "summary", "content");
    case CALL:
        return json_pack("{s:s, s:s, s:s, s:O, s:O, s:s}", "id", r->id, "type", "function_call",
                         "status", "in_progress", "call_id", json_object_get(call, "id"), "name",
                         json_object_get(function, "name"), "arguments", "");
    default:
        return json_pack("{s:s, s:s, s:s, s:s, s:[]}", "id", r->id, "type", "message", "status",
                         "in_progress", "role", "assistant", "content");
    }
}

/* Another item begins. call: NULL unless it is one. */
static bool begin_item(ith_response *r, item_kind kind, const json_t *call, json_t *events)
{
    static const char *const prefixes[] = {
        [NONE] = "", [THOUGHT] = "rs", [MESSAGE] = "msg", [CALL] = "fc"};
    const char *id = json_string_value(json_object_get(r->object, "id"));

    if (!end_item(r, events, "completed"))
        return false;
    r->kind = kind;
    snprintf(r->id, sizeof r->id, "%s_%.40s_%d", prefixes[kind],
             strncmp(id, "resp_", 5) == 0 ? id + 5 : id, (int)index_of(r));
    r->item = new_item(r, call);
    if (r->item == NULL || !put(r, events, "response.output_item.added", item_event(r)))
        return false;
    return kind == CALL ||
           put(r, events, "response.content_part.added", event_of(r, "part", part_json(r, false)));
}

/* More of the item in work. */
static bool add_text(ith_response *r, const json_t *text, json_t *events)
{
    json_t *event;

    if (json_string_length(text) == 0)
        return true;
    event = event_of(r, "delta", json_incref((json_t *)text));
    if (r->kind == MESSAGE && event != NULL)
        json_object_set_new(event, "logprobs", json_array());
    return gather(r, json_string_value(text), json_string_length(text)) &&
           put(r, events, text_event(r, false), event);
}

/* A text of a thought or a message. */
static bool take_text(ith_response *r, item_kind kind, const json_t *text, json_t *events)
{
    if (json_string_length(text) == 0)
        return true;
    return (r->kind == kind || begin_item(r, kind, NULL, events)) && add_text(r, text, events);
}

static bool take_call(ith_response *r, const json_t *call, json_t *events)
{
    const json_t *arguments = json_object_get(json_object_get(call, "function"), "arguments");

    return (json_object_get(call, "id") == NULL || begin_item(r, CALL, call, events)) &&
           add_text(r, arguments, events);
}

/* ---- All of it ---- */

bool ith_response_begin(ith_response *r, json_t *events)
{
    return put_response(r, events, "response.created") &&
           put_response(r, events, "response.in_progress");
}

bool ith_response_delta(ith_response *r, const json_t *delta, json_t *events)
{
    const json_t *call;
    size_t i;

    if (!take_text(r, THOUGHT, json_object_get(delta, "reasoning_content"), events) ||
        !take_text(r, MESSAGE, json_object_get(delta, "content"), events))
        return false;
    json_array_foreach (json_object_get(delta, "tool_calls"), i, call)
        if (!take_call(r, call, events))
            return false;
    return true;
}

static json_t *usage_json(const json_t *usage)
{
    return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?}", "input_tokens",
                     json_object_get(usage, "prompt_tokens"), "input_tokens_details",
                     json_object_get(usage, "prompt_tokens_details"), "output_tokens",
                     json_object_get(usage, "completion_tokens"), "output_tokens_details",
                     json_object_get(usage, "completion_tokens_details"), "total_tokens",
                     json_object_get(usage, "total_tokens"));
}

bool ith_response_end(ith_response *r, const char *finish, const json_t *usage, json_t *events)
{
    bool cut = strcmp(finish, "length") == 0;
    const char *status = cut ? "incomplete" : "completed";

    if (!end_item(r, events, status))
        return false;
    json_object_set_new(r->object, "status", json_string(status));
    json_object_set_new(r->object, "usage", usage_json(usage));
    if (cut)
        json_object_set_new(r->object, "incomplete_details",
                            json_pack("{s:s}", "reason", "max_output_tokens"));
    return put_response(r, events, cut ? "response.incomplete" : "response.completed");
}

bool ith_response_fail(ith_response *r, const char *code, const char *text, json_t *events)
{
    json_object_set_new(r->object, "status", json_string("failed"));
    json_object_set_new(
        r->object, "error",
        json_pack("{s:s, s:o}", "code", "server_error", "message", ith_json_c_string(text)));
    return put(
        r, events, "error",
        json_pack("{s:s, s:o, s:n}", "code", code, "message", ith_json_c_string(text), "param"));
}
