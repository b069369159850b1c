/* chat_options.c - the options of a conversation. */
#include "cli/chat_options.h"

#include "base/json.h"
#include "cli/arguments.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ith_word thinking_words[] = {
    {"on", ITH_THINKING_ON, "the model thinks before it answers"},
    {"off", ITH_THINKING_OFF, "the model answers at once"},
    {.name = NULL},
};

static const ith_option options[] = {
    {.name = "system",
     .kind = ITH_OPTION_TEXT,
     .metavar = "TEXT",
     .at = offsetof(ith_chat_args, system),
     .help = "system message before the prompt"},
    {.name = "messages",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_chat_args, messages),
     .help = "JSON list of messages before the prompt",
     .more = "Objects with \"role\", \"content\" and what else the chat template reads, such as "
             "\"tool_calls\". -p and -f add one more user turn."},
    {.name = "tools",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_chat_args, tools),
     .help = "JSON list of functions that the model may call",
     .more = "In the form of OpenAI's interface: {\"type\": \"function\", \"function\": {\"name\", "
             "\"description\", \"parameters\"}}. The model's calls are part of its answer, as it "
             "writes them."},
    {.name = "thinking",
     .kind = ITH_OPTION_WORD,
     .words = thinking_words,
     .at = offsetof(ith_chat_args, thinking),
     .otherwise = "what the chat template does",
     .help = "whether the model thinks first",
     .more = "Only for chat templates that let the user choose, such as Qwen3's."},
    {.name = "chat-template",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_chat_args, template),
     .otherwise = "the model's own",
     .help = "chat template, in Jinja",
     .more = "Or the name of one of the model's own, where it has several."},
    {.name = "template-arg",
     .kind = ITH_OPTION_LIST,
     .metavar = "NAME=VALUE",
     .at = offsetof(ith_chat_args, settings),
     .help = "variable for the chat template",
     .more = "VALUE is JSON, or else a text: reasoning_effort=low. May be repeated."},
    {.name = "parse-special",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_chat_args, parse_special),
     .help = "read markers in the text as tokens",
     .more = "Under a chat template they are plain text otherwise, so that a text cannot end its "
             "own turn."},
    {.name = NULL},
};

const ith_option_group ith_group_chat = {"Chat template", options};

bool ith_chat_args_given(const ith_chat_args *args)
{
    return args->system != NULL || args->messages != NULL || args->tools != NULL ||
           args->template != NULL || args->settings.n > 0 || args->thinking != ITH_THINKING_DEFAULT;
}

int ith_chat_args_check(const ith_cli *cli, const char *command, const ith_chat_args *args)
{
    if (args->system != NULL && args->messages != NULL)
        return ith_args_wrong(cli, command,
                              "--messages FILE may begin with a system message; omit --system");
    for (size_t i = 0; i < args->settings.n; i++) {
        const char *equals = strchr(args->settings.items[i], '=');
        if (equals == NULL || equals == args->settings.items[i])
            return ith_args_wrong(cli, command, "--template-arg %s: expected NAME=VALUE",
                                  args->settings.items[i]);
    }
    return ITH_ARGS_OK;
}

/* ---- Reading ---- */

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for the conversation");
}

/* JSON as it will be parsed again when the model is there: what is wrong is said before. */
static ith_status read_json(const char *path, ith_text *text, ith_error *err)
{
    const char *name = ith_input_name(path);
    ith_status status = ITH_OK;
    json_t *root = NULL;

    ITH_TRY(ith_read_text(path, text, err));
    ITH_TRY(ith_check_text(name, text->data, text->len, err));
    ITH_TRY(ith_json_parse(text->data, text->len, name, &root, err));
    if (!json_is_array(root))
        status = ith_fail(err, ITH_E_FORMAT, "%s: expected a JSON list of objects", name);
    json_decref(root);
    return status;
}

/* The value as JSON, or as a text if it is none. NULL: no memory. */
static json_t *read_value(const char *text)
{
    char *list = NULL;
    json_t *root = NULL, *value;
    ith_error unread;

    if (asprintf(&list, "[%s]", text) < 0)
        return NULL;
    if (ith_json_parse(list, strlen(list), "", &root, &unread) == ITH_OK &&
        json_array_size(root) == 1)
        value = json_incref(json_array_get(root, 0));
    else
        value = json_string(text);
    json_decref(root);
    free(list);
    return value;
}

static ith_status read_setting(const char *text, json_t *settings, ith_error *err)
{
    const char *equals = strchr(text, '=');
    char *name = strndup(text, (size_t)(equals - text));
    ith_status status = ITH_OK;

    if (name == NULL)
        return no_memory(err);
    if (json_object_get(settings, name) != NULL)
        status = ith_fail(err, ITH_E_ARGUMENT, "--template-arg: %s is given twice", name);
    else if (json_object_set_new(settings, name, read_value(equals + 1)) != 0)
        status = no_memory(err);
    free(name);
    return status;
}

static ith_status read_settings(const ith_option_list *list, char **out, ith_error *err)
{
    json_t *settings;
    ith_status status = ITH_OK;

    if (list->n == 0)
        return ITH_OK;
    settings = json_object();
    for (size_t i = 0; i < list->n && status == ITH_OK; i++) {
        status = ith_check_text("--template-arg", list->items[i], strlen(list->items[i]), err);
        if (status == ITH_OK)
            status = read_setting(list->items[i], settings, err);
    }
    if (status == ITH_OK && (*out = ith_json_exact_text(settings, false)) == NULL)
        status = no_memory(err);
    json_decref(settings);
    return status;
}

/* A file of this name wins over a template of this name. */
static ith_status read_template(const char *name, ith_chat_inputs *out, ith_error *err)
{
    if (strcmp(name, "-") != 0 && strpbrk(name, "/.") == NULL && access(name, F_OK) != 0) {
        out->params.template_name = name;
        return ITH_OK;
    }
    ITH_TRY(ith_read_text(name, &out->template, err));
    ITH_TRY(ith_check_text(ith_input_name(name), out->template.data, out->template.len, err));
    out->params.template_source = out->template.data;
    return ITH_OK;
}

ith_status ith_chat_inputs_read(const ith_chat_args *args, const char *user, ith_chat_inputs *out,
                                ith_error *err)
{
    size_t n = 0;

    if (args->system != NULL) {
        ITH_TRY(ith_check_text("--system", args->system, strlen(args->system), err));
        out->list[n++] = (ith_message){"system", args->system};
    }
    if (user != NULL)
        out->list[n++] = (ith_message){"user", user};
    if (args->messages != NULL)
        ITH_TRY(read_json(args->messages, &out->messages, err));
    if (args->tools != NULL)
        ITH_TRY(read_json(args->tools, &out->tools, err));
    if (args->template != NULL)
        ITH_TRY(read_template(args->template, out, err));
    ITH_TRY(read_settings(&args->settings, &out->settings, err));
    out->params.messages = out->list;
    out->params.n_messages = n;
    out->params.messages_json = out->messages.data;
    out->params.tools = out->tools.data;
    out->params.arguments = out->settings;
    out->params.thinking = (ith_thinking)args->thinking;
    out->params.markers_everywhere = args->parse_special;
    return ITH_OK;
}

void ith_chat_inputs_free(ith_chat_inputs *inputs)
{
    ith_text_free(&inputs->messages);
    ith_text_free(&inputs->tools);
    ith_text_free(&inputs->template);
    free(inputs->settings);
    *inputs = (ith_chat_inputs){0};
}
