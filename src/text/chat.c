/* chat.c - prepares the variables of a chat template, and renders it. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for a conversation");
}

/* ---- Which template ---- */

typedef struct chosen {
    const char *where, *source;
    size_t len;
} chosen;

static ith_status choose_named(const ith_chat_files *files, const char *name, chosen *out,
                               ith_error *err)
{
    const ith_chat_template *t = ith_chat_files_find(files, name);

    if (t == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "the model has no chat template \"%.80s\"%s%.80s%s",
                        name, files->n > 0 ? "; it has \"" : "",
                        files->n > 0 ? files->templates[0].name : "",
                        files->n > 1   ? "\" and others"
                        : files->n > 0 ? "\""
                                       : "");
    *out = (chosen){t->where, t->source, t->len};
    return ITH_OK;
}

static ith_status choose(const ith_chat_files *files, const ith_chat_params *params, chosen *out,
                         ith_error *err)
{
    if (params->template_source != NULL) {
        *out =
            (chosen){"the chat template", params->template_source, strlen(params->template_source)};
        return ITH_OK;
    }
    if (params->template_name != NULL)
        return choose_named(files, params->template_name, out, err);
    if (files->n == 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "the model has no chat template; give one (--chat-template FILE), or the "
                        "prompt as it is, without a template (--raw)");
    if (params->tools != NULL && ith_chat_files_find(files, "tool_use") != NULL)
        return choose_named(files, "tool_use", out, err);
    return choose_named(files, "default", out, err);
}

/* ---- Messages ---- */

/* A copy without members that are null, and with what was thought under the two names that
 * templates use. */
static json_t *prepare_message(const json_t *message)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    json_t *out = json_object(), *thought = NULL, *value;
    const char *key;
    int failed = out == NULL;

    for (size_t i = 0; i < 3 && (thought == NULL || json_is_null(thought)); i++)
        thought = json_object_get(message, names[i]);
    thought = json_is_null(thought) ? NULL : thought;
    if (thought != NULL)
        failed |= json_object_set(out, "thinking", thought);
    json_object_foreach ((json_t *)message, key, value)
        if (!json_is_null(value))
            failed |= json_object_set(out, key, value);
    if (thought != NULL)
        failed |= json_object_set(out, "reasoning_content", thought);
    if (failed) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static ith_status add_listed(const ith_chat_params *params, json_t *messages, ith_error *err)
{
    for (size_t i = 0; i < params->n_messages; i++) {
        const ith_message *m = &params->messages[i];
        if (m->role == NULL || m->content == NULL)
            return ith_fail(err, ITH_E_ARGUMENT, "message %zu has no %s", i,
                            m->role == NULL ? "role" : "content");
        if (json_array_append_new(messages,
                                  json_pack("{s:o, s:o}", "role", ith_json_c_string(m->role),
                                            "content", ith_json_c_string(m->content))) != 0)
            return no_memory(err);
    }
    return ITH_OK;
}

/* Parses one of the caller's texts, a list of objects or an object. */
static ith_status parse(const char *text, const char *where, bool list, json_t **out,
                        ith_error *err)
{
    const json_t *item;
    size_t i;

    ITH_TRY(ith_json_parse(text, strlen(text), where, out, err));
    if (list ? !json_is_array(*out) : !json_is_object(*out))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: expected a JSON %s", where,
                        list ? "list of objects" : "object");
    json_array_foreach (*out, i, item)
        if (!json_is_object(item))
            return ith_fail(err, ITH_E_ARGUMENT, "%s: item %zu is not an object", where, i);
    return ITH_OK;
}

static ith_status make_messages(const ith_chat_params *params, json_t *messages, ith_error *err)
{
    json_t *given = NULL;
    const json_t *item;
    ith_status status = ITH_OK;
    size_t i;

    if (params->messages_json != NULL)
        ITH_CHECK(parse(params->messages_json, "messages", true, &given, err));
    json_array_foreach (given, i, item)
        if (json_array_append_new(messages, prepare_message(item)) != 0)
            ITH_CHECK(no_memory(err));
    ITH_CHECK(add_listed(params, messages, err));
    if (json_array_size(messages) == 0)
        status = ith_fail(err, ITH_E_ARGUMENT, "a conversation needs at least one message");
done:
    json_decref(given);
    return status;
}

/* ---- Variables ---- */

typedef struct variables {
    const ith_jinja *template;
    json_t *conversation, *own;
} variables;

static ith_status set(json_t *object, const char *name, json_t *value, ith_error *err)
{
    return json_object_set_new(object, name, value) == 0 ? ITH_OK : no_memory(err);
}

static ith_status set_tools(variables *v, const ith_chat_params *params, ith_error *err)
{
    json_t *tools = NULL;
    ith_status status;

    if (params->tools == NULL)
        return set(v->conversation, "tools", json_null(), err);
    status = parse(params->tools, "tools", true, &tools, err);
    if (status != ITH_OK) {
        json_decref(tools);
        return status;
    }
    ITH_TRY(set(v->conversation, "tools", tools, err));
    return ith_jinja_reads(v->template, "tools")
               ? ITH_OK
               : ith_fail(err, ITH_E_UNSUPPORTED, "the model's chat template takes no tools");
}

/* Templates name the choice differently. Those that know only `reasoning_effort` can be told not to
 * think if they have the effort "none". */
static ith_status set_thinking(variables *v, ith_thinking thinking, ith_error *err)
{
    static const char *const names[] = {"enable_thinking", "thinking"};
    bool on = thinking == ITH_THINKING_ON, known = false;

    if (thinking == ITH_THINKING_DEFAULT)
        return ITH_OK;
    for (size_t i = 0; i < 2; i++)
        if (ith_jinja_reads(v->template, names[i])) {
            known = true;
            ITH_TRY(set(v->conversation, names[i], json_boolean(on), err));
        }
    if (known)
        return ITH_OK;
    if (ith_jinja_reads(v->template, "thinking_budget"))
        return on ? ITH_OK : set(v->conversation, "thinking_budget", json_integer(0), err);
    if (ith_jinja_reads(v->template, "reasoning_effort")) {
        if (ith_jinja_quotes(v->template, "none"))
            return set(v->conversation, "reasoning_effort", json_string(on ? "high" : "none"), err);
        return on ? ITH_OK
                  : ith_fail(err, ITH_E_UNSUPPORTED,
                             "the model's chat template cannot turn thinking off, only limit it by "
                             "its argument reasoning_effort");
    }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "the model's chat template does not let the user choose whether it thinks");
}

static ith_status set_arguments(variables *v, const char *text, ith_error *err)
{
    json_t *arguments = NULL, *value;
    ith_status status = ITH_OK;
    const char *name;

    if (text == NULL)
        return ITH_OK;
    ITH_CHECK(parse(text, "template arguments", false, &arguments, err));
    json_object_foreach (arguments, name, value) {
        if (strcmp(name, "messages") == 0 || strcmp(name, "tools") == 0)
            ITH_CHECK(ith_fail(err, ITH_E_ARGUMENT, "%s cannot be an argument of the chat template",
                               name));
        if (!ith_jinja_reads(v->template, name))
            ITH_CHECK(ith_fail(err, ITH_E_ARGUMENT,
                               "the model's chat template has no argument \"%.80s\"", name));
        ITH_CHECK(set(v->conversation, name, json_incref(value), err));
    }
done:
    json_decref(arguments);
    return status;
}

static ith_status fill(variables *v, const ith_chat_files *files, const ith_chat_params *params,
                       ith_error *err)
{
    json_t *messages;

    v->conversation = json_object();
    v->own = json_object();
    if (v->conversation == NULL || v->own == NULL ||
        (files->tokens != NULL && json_object_update(v->own, files->tokens) != 0))
        return no_memory(err);
    ITH_TRY(set(v->own, "add_generation_prompt", json_boolean(!params->no_generation_prompt), err));
    messages = json_array();
    ITH_TRY(set(v->conversation, "messages", messages, err));
    ITH_TRY(make_messages(params, messages, err));
    ITH_TRY(set_tools(v, params, err));
    ITH_TRY(set(v->conversation, "documents", json_null(), err));
    ITH_TRY(set_thinking(v, params->thinking, err));
    return set_arguments(v, params->arguments, err);
}

/* A long conversation may take longer and more memory than a short one. */
static ith_jinja_limits limits_for(const ith_chat_params *params)
{
    ith_jinja_limits limits = {0};
    size_t bytes = params->messages_json != NULL ? strlen(params->messages_json) : 0;

    bytes += params->tools != NULL ? strlen(params->tools) : 0;
    bytes += params->arguments != NULL ? strlen(params->arguments) : 0;
    for (size_t i = 0; i < params->n_messages; i++)
        bytes += strlen(params->messages[i].content);
    limits.more_steps = bytes;
    limits.more_bytes = 32 * bytes;
    return limits;
}

ith_status ith_chat_write(const ith_chat_files *files, const ith_chat_params *params,
                          ith_chat_text *out, ith_error *err)
{
    ith_jinja *template = NULL;
    ith_jinja_limits limits;
    variables v = {0};
    chosen source = {0};
    ith_status status;

    *out = (ith_chat_text){0};
    ITH_TRY(choose(files, params, &source, err));
    ITH_TRY(ith_jinja_parse(source.source, source.len, source.where, &template, err));
    v.template = template;
    ITH_CHECK(fill(&v, files, params, err));
    limits = limits_for(params);
    ITH_CHECK(ith_jinja_render(
        template,
        &(ith_jinja_input){.conversation = v.conversation, .own = v.own, .own_roles = true},
        &limits, &out->rendered, err));
    out->source = source.source;
    out->source_len = source.len;
done:
    json_decref(v.conversation);
    json_decref(v.own);
    ith_jinja_free(template);
    return status;
}

/* ---- Where an answer ends ---- */

ith_status ith_chat_write_answer(const ith_chat_files *files, ith_chat_text *out, size_t *end,
                                 ith_error *err)
{
    static const char answer[] = "An answer."; /* no template writes it */
    const ith_message messages[] = {{"user", "A question?"}, {"assistant", answer}};
    const ith_chat_params params = {
        .messages = messages, .n_messages = 2, .no_generation_prompt = true};
    size_t len = sizeof answer - 1;

    ITH_TRY(ith_chat_write(files, &params, out, err));
    for (*end = out->rendered.len; *end >= len; (*end)--)
        if (memcmp(out->rendered.text + *end - len, answer, len) == 0)
            return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED, "the chat template does not show an answer");
}
