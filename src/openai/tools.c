/* tools.c - reads tools, and makes the beginning and the grammar of calls. */
#include "openai/tools.h"

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

const char *ith_tools_take(ith_tools *t, const json_t *value)
{
    const json_t *tool;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) > ITH_TOOLS_MOST)
        return "a list of at most 128 tools";
    json_decref(t->names);
    t->names = json_object();
    json_array_foreach (value, i, tool) {
        const char *name = json_string_value(name_of(tool));
        if (!is_function(tool))
            return "tools of the type function: a name of up to 64 letters, digits, _, - and ., "
                   "and parameters, a JSON schema";
        if (json_object_get(t->names, name) != NULL)
            return "functions with different names";
        if (json_object_set_new(t->names, name, json_true()) != 0)
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
    if (t->choice == ITH_TOOLS_NAMED && json_object_get(t->names, t->named) == NULL)
        return "the name of one of the tools";
    if (json_array_size(t->list) == 0 || t->choice == ITH_TOOLS_NONE)
        ith_tools_free(t);
    return NULL;
}

void ith_tools_free(ith_tools *t)
{
    json_decref(t->list);
    json_decref(t->names);
    t->list = t->names = NULL;
}

/* ---- The form ---- */

#define PROBE "ithaca_probe"

/* A conversation with one call, as the template writes it. */
static ith_status show_call(const ith_vocab *vocab, const char *arguments, char **text,
                            ith_error *err)
{
    static const char messages[] =
        "[{\"role\": \"user\", \"content\": \"Call it.\"}, {\"role\": \"assistant\", "
        "\"content\": \"\", \"tool_calls\": [{\"id\": \"abcdefghi\", \"type\": \"function\", "
        "\"function\": {\"name\": \"" PROBE "\", \"arguments\": {\"x\": 1}}}]}, "
        "{\"role\": \"tool\", \"tool_call_id\": \"abcdefghi\", \"name\": \"" PROBE
        "\", \"content\": \"2\"}]";
    static const char tools[] =
        "[{\"type\": \"function\", \"function\": {\"name\": \"" PROBE "\", \"description\": "
        "\"Adds one.\", \"parameters\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": "
        "\"integer\", \"description\": \"A number.\"}}, \"required\": [\"x\"]}}}]";
    ith_chat_params chat = ith_chat_params_default();

    chat.messages_json = messages;
    chat.tools = tools;
    chat.arguments = arguments;
    chat.no_generation_prompt = true;
    return ith_chat_render(vocab, &chat, text, err);
}

/* The function that must be called; NULL: one of several. */
static const char *only_name(const ith_tools *t)
{
    if (t->choice == ITH_TOOLS_NAMED)
        return t->named;
    return json_array_size(t->list) == 1 ? json_string_value(name_of(json_array_get(t->list, 0)))
                                         : NULL;
}

/* Markers are in the opening, because they may be tokens that no grammar allows. */
static ith_status set_opening(ith_tools *t, ith_error *err)
{
    const char *name = only_name(t);

    t->opening[0] = 0;
    if (!ith_tools_must_call(t))
        return ITH_OK;
    if (t->form == ITH_CALLS_HERMES)
        snprintf(t->opening, sizeof t->opening, "<tool_call>\n");
    if (t->form == ITH_CALLS_MISTRAL)
        snprintf(t->opening, sizeof t->opening, "[TOOL_CALLS]");
    if (t->form != ITH_CALLS_HARMONY)
        return ITH_OK;
    if (name == NULL)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "tool_choice: \"required\" among several tools is not supported in the "
                        "form in which this model writes calls; name one of them");
    snprintf(t->opening, sizeof t->opening,
             "<|channel|>commentary to=functions.%s <|constrain|>json<|message|>", name);
    return ITH_OK;
}

ith_status ith_tools_find_form(ith_tools *t, const ith_vocab *vocab, const char *arguments,
                               ith_error *err)
{
    char *text = NULL;
    ith_status status;

    if (t->list == NULL)
        return ITH_OK;
    if (vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "tools: the model has no tokenizer");
    status = show_call(vocab, arguments, &text, err);
    if (status == ITH_OK)
        t->form = ith_calls_form_of(text, PROBE);
    free(text);
    if (status != ITH_OK)
        return ith_fail_prefix(err, status, "tools");
    if (t->form == ITH_CALLS_UNKNOWN)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "tools: the form in which the model's chat template writes calls is not "
                        "supported; those of Hermes and Qwen, Llama 3, Mistral and gpt-oss are");
    return set_opening(t, err);
}

/* ---- The grammar ---- */

/* What stands around the arguments of a function, behind the opening. */
static json_t *frame_of(const ith_tools *t, const json_t *tool)
{
    const json_t *function = json_object_get(tool, "function");
    const char *name = json_string_value(json_object_get(function, "name")), *after = "}";
    json_t *schema = json_object_get(function, "parameters"), *before;

    if (t->form == ITH_CALLS_HERMES)
        after = "}\n</tool_call>";
    if (t->form == ITH_CALLS_HARMONY) {
        before = json_string("");
        after = "";
    } else {
        before = json_sprintf("{\"name\": \"%s\", \"%s\": ", name,
                              t->form == ITH_CALLS_LLAMA ? "parameters" : "arguments");
    }
    schema = json_is_object(schema) ? json_incref(schema) : json_object();
    if (json_object_get(schema, "type") == NULL) {
        json_t *object = json_copy(schema); /* arguments are an object, whatever a schema lacks */
        json_decref(schema);
        schema = object;
        json_object_set_new(schema, "type", json_string("object"));
    }
    return json_pack("{s:s, s:o, s:o, s:s}", "name", name, "before", before, "schema", schema,
                     "after", after);
}

static json_t *frames_of(const ith_tools *t)
{
    json_t *list = json_array(), *all;
    const json_t *tool;
    const char *between = NULL;
    size_t i;

    json_array_foreach (t->list, i, tool)
        if (t->choice != ITH_TOOLS_NAMED || strcmp(json_string_value(name_of(tool)), t->named) == 0)
            json_array_append_new(list, frame_of(t, tool));
    if (t->form == ITH_CALLS_HERMES)
        between = "\n<tool_call>\n";
    if (t->form == ITH_CALLS_MISTRAL)
        between = ", ";
    all = json_pack("{s:s, s:o, s:s}", "begin", t->form == ITH_CALLS_MISTRAL ? "[" : "", "frames",
                    list, "end", t->form == ITH_CALLS_MISTRAL ? "]" : "");
    if (between != NULL && !t->only_one)
        json_object_set_new(all, "between", json_string(between));
    return all;
}

ith_status ith_tools_grammar(const ith_tools *t, const ith_vocab *vocab, ith_grammar **grammar,
                             ith_error *err)
{
    json_t *frames;
    char *text;
    ith_status status;

    if (t->list == NULL || !ith_tools_must_call(t))
        return ITH_OK;
    frames = frames_of(t);
    text = frames != NULL ? ith_json_exact_text(frames, false) : NULL;
    json_decref(frames);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for tools");
    status = ith_grammar_from_frames(vocab, text, strlen(text), grammar, err);
    free(text);
    return status;
}

/* ---- The prompt ---- */

/* Does the prompt leave the model to think? */
static bool ends_in_thought(const ith_vocab *vocab, const int32_t *ids, size_t n)
{
    enum { TAIL = 16 };
    static const char think[] = "<think>";
    size_t len = 0, first = n > TAIL ? n - TAIL : 0, word = sizeof think - 1;
    char *text = NULL;
    bool ends = false;

    if (ith_vocab_detokenize(vocab, ids + first, n - first, &text, &len, NULL) == ITH_OK) {
        while (len > 0 && strchr(" \n\r\t", text[len - 1]) != NULL && text[len - 1] != 0)
            len--;
        ends = len >= word && memcmp(text + len - word, think, word) == 0;
    }
    free(text);
    return ends;
}

static ith_status append(const ith_vocab *vocab, const char *text, int32_t **ids, size_t *n,
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

ith_status ith_tools_end_prompt(ith_tools *t, const ith_vocab *vocab, int32_t **ids, size_t *n,
                                ith_error *err)
{
    char text[ITH_TOOL_OPENING + 20];
    bool thinks;

    if (t->list == NULL)
        return ITH_OK;
    thinks = ends_in_thought(vocab, *ids, *n);
    t->thinks = thinks && !ith_tools_must_call(t);
    if (!ith_tools_must_call(t))
        return ITH_OK;
    snprintf(text, sizeof text, "%s%s", thinks ? "\n</think>\n\n" : "", t->opening);
    return text[0] != 0 ? append(vocab, text, ids, n, err) : ITH_OK;
}
