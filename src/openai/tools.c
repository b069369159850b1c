/* tools.c - reads tools, and makes the beginning and the grammar of calls. */
#include "openai/tools.h"

#include "openai/fields.h"
#include "openai/forms/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Fields ---- */

/* Names stand in headers and in JSON, so they have nothing that would have to be escaped. */
static bool is_name(const json_t *value)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *name = json_string_value(value);
    size_t len = json_string_length(value);

    return name != NULL && len > 0 && len <= ITH_TOOL_NAME && strspn(name, allowed) == len;
}

static bool is_function(const json_t *tool)
{
    const char *type = json_string_value(json_object_get(tool, "type"));
    const json_t *function = json_object_get(tool, "function"),
                 *parameters = json_object_get(function, "parameters");

    return type != NULL && strcmp(type, "function") == 0 &&
           is_name(json_object_get(function, "name")) &&
           (parameters == NULL || json_is_null(parameters) || json_is_object(parameters));
}

static const json_t *name_of(const json_t *tool)
{
    return json_object_get(json_object_get(tool, "function"), "name");
}

/* A new reference; an empty object if there are none. */
static json_t *parameters_of(const json_t *tool)
{
    json_t *parameters = json_object_get(json_object_get(tool, "function"), "parameters");

    return json_is_object(parameters) ? json_incref(parameters) : json_object();
}

const char *ith_tools_take(ith_tools *t, const json_t *value)
{
    const json_t *tool;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) > ITH_TOOLS_MOST)
        return "a list of at most 128 tools";
    json_decref(t->functions);
    t->functions = json_object();
    json_array_foreach (value, i, tool) {
        const char *name = json_string_value(name_of(tool));
        if (!is_function(tool))
            return "tools of the type function: a name of up to 64 letters, digits, _, - and ., "
                   "and parameters, a JSON schema";
        if (json_object_get(t->functions, name) != NULL)
            return "functions with different names";
        if (json_object_set_new(t->functions, name, parameters_of(tool)) != 0)
            return "fewer functions: there is no memory";
    }
    json_decref(t->list);
    t->list = json_incref((json_t *)value);
    return NULL;
}

const char *ith_tools_take_choice(ith_tools *t, const json_t *value)
{
    static const char *const words[] = {"auto", "none", "required"};
    const char *word = json_string_value(value);
    const json_t *name = name_of(value);

    for (int i = 0; word != NULL && i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            t->choice = (ith_tool_choice)i;
            t->chosen = true;
            return NULL;
        }
    if (!is_function(value))
        return "auto, none, required, or {\"type\": \"function\", \"function\": {\"name\": ...}}";
    t->choice = ITH_TOOLS_NAMED;
    t->chosen = true;
    snprintf(t->named, sizeof t->named, "%s", json_string_value(name));
    return NULL;
}

bool ith_tools_must_call(const ith_tools *t)
{
    return t->choice == ITH_TOOLS_REQUIRED || t->choice == ITH_TOOLS_NAMED;
}

const char *ith_tools_settle(ith_tools *t)
{
    if (t->chosen && t->choice != ITH_TOOLS_NONE && json_array_size(t->list) == 0)
        return "none without tools";
    if (t->choice == ITH_TOOLS_NAMED && json_object_get(t->functions, t->named) == NULL)
        return "the name of one of the tools";
    if (json_array_size(t->list) == 0 || t->choice == ITH_TOOLS_NONE)
        ith_tools_free(t);
    return NULL;
}

void ith_tools_free(ith_tools *t)
{
    json_decref(t->list);
    json_decref(t->functions);
    t->list = t->functions = NULL;
}

/* ---- The opening ---- */

/* The function that must be called; NULL: one of several. */
static const char *only_name(const ith_tools *t)
{
    if (t->choice == ITH_TOOLS_NAMED)
        return t->named;
    return json_array_size(t->list) == 1 ? json_string_value(name_of(json_array_get(t->list, 0)))
                                         : NULL;
}

/* The text with `value` for the first `word`, malloc'd; NULL: no memory. */
static char *expand(const char *text, const char *word, const char *value)
{
    const char *at = strstr(text, word);
    size_t before = at != NULL ? (size_t)(at - text) : strlen(text), room;
    char *all;

    if (at == NULL)
        return strdup(text);
    room = strlen(text) + strlen(value) + 1;
    all = malloc(room);
    if (all != NULL)
        snprintf(all, room, "%.*s%s%s", (int)before, text, value, at + strlen(word));
    return all;
}

ith_status ith_tools_open(ith_tools *t, const ith_form *form, ith_error *err)
{
    const char *name = only_name(t);
    char index[24], *named, *all = NULL;

    t->opening[0] = 0;
    if (!ith_tools_must_call(t))
        return ITH_OK;
    if (name == NULL && ith_form_names_one(form))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "tool_choice: \"required\" among several tools is not supported in the "
                        "form in which this model writes calls; name one of them");
    snprintf(index, sizeof index, "%zu", t->n_earlier);
    named = expand(form->opening, "{name}", name != NULL ? name : "");
    if (named != NULL)
        all = expand(named, "{index}", index);
    if (all != NULL)
        snprintf(t->opening, sizeof t->opening, "%s", all);
    free(named);
    free(all);
    return all != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for tools");
}

/* ---- The grammar: what stands around the arguments of a function, behind the opening ---- */

/* The same as JSON. */
static json_t *expanded(const char *text, const char *word, const char *value)
{
    char *all = expand(text, word, value);
    json_t *json = all != NULL ? json_string(all) : NULL;

    free(all);
    return json;
}

/* Arguments are an object, whatever a schema lacks. */
static json_t *object_schema(const json_t *parameters)
{
    json_t *schema = json_is_object(parameters) ? json_copy((json_t *)parameters) : json_object();

    if (json_object_get(schema, "type") == NULL)
        json_object_set_new(schema, "type", json_string("object"));
    return schema;
}

static ith_status frame_of(const ith_form *form, const json_t *tool, json_t **frame, ith_error *err)
{
    const json_t *function = json_object_get(tool, "function"),
                 *parameters = json_object_get(function, "parameters");
    const char *name = json_string_value(json_object_get(function, "name"));
    json_t *fields = NULL;

    *frame = NULL;
    if (form->field_before != NULL)
        ITH_TRY(ith_fields_of(parameters, name, form, &fields, err));
    *frame = json_pack("{s:s, s:o, s:s}", "name", name, "before",
                       expanded(form->before, "{name}", name), "after", form->after);
    if (json_object_set_new(*frame, fields != NULL ? "fields" : "schema",
                            fields != NULL ? fields : object_schema(parameters)) != 0) {
        json_decref(*frame);
        *frame = NULL;
        return ith_fail(err, ITH_E_MEMORY, "no memory for tools");
    }
    return ITH_OK;
}

static bool is_allowed(const ith_tools *t, const json_t *tool)
{
    return t->choice != ITH_TOOLS_NAMED || strcmp(json_string_value(name_of(tool)), t->named) == 0;
}

/* *frames is the caller's, also after a failure. */
static ith_status frames_of(const ith_tools *t, const ith_form *form, json_t **frames,
                            ith_error *err)
{
    json_t *list = json_array(), *frame;
    const json_t *tool;
    size_t i;

    *frames = json_pack("{s:s, s:o, s:s}", "begin", form->begin, "frames", list, "end", form->end);
    if (*frames == NULL ||
        (form->between != NULL && !t->only_one &&
         json_object_set_new(*frames, "between", json_string(form->between)) != 0))
        return ith_fail(err, ITH_E_MEMORY, "no memory for tools");
    json_array_foreach (t->list, i, tool)
        if (is_allowed(t, tool)) {
            ITH_TRY(frame_of(form, tool, &frame, err));
            if (json_array_append_new(list, frame) != 0)
                return ith_fail(err, ITH_E_MEMORY, "no memory for tools");
        }
    return ITH_OK;
}

ith_status ith_tools_grammar(const ith_tools *t, const ith_form *form, const ith_vocab *vocab,
                             ith_grammar **grammar, ith_error *err)
{
    json_t *frames;
    char *text;
    ith_status status;

    if (t->list == NULL || !ith_tools_must_call(t))
        return ITH_OK;
    status = frames_of(t, form, &frames, err);
    if (status != ITH_OK) {
        json_decref(frames);
        return status;
    }
    text = ith_json_exact_text(frames, false);
    json_decref(frames);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for tools");
    status = ith_grammar_from_frames(vocab, text, strlen(text), grammar, err);
    free(text);
    return status;
}
