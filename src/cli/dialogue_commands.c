/* dialogue_commands.c - what a user can say to the chat itself. */
#include "cli/dialogue.h"

#include "base/folders.h"
#include "cli/similar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef ith_status command_fn(ith_dialogue *d, const char *argument, ith_error *err);

typedef struct slash_command {
    const char *name, *argument, *help;
    command_fn *run;
} slash_command;

static ith_status help(ith_dialogue *d, const char *argument, ith_error *err);

static ith_status leave(ith_dialogue *d, const char *argument, ith_error *err)
{
    (void)argument;
    (void)err;
    d->over = true;
    return ITH_OK;
}

/* "~/x": the shell is not there to read it. */
static ith_status set_path(const char *argument, char path[ITH_PATH_MAX], ith_error *err)
{
    if (argument[0] == '\0')
        return ith_fail(err, ITH_E_ARGUMENT, "the name of a file is missing");
    return ith_user_path(argument, "", path, err);
}

static ith_status read_file(const char *path, ith_text *text, ith_error *err)
{
    ITH_TRY(ith_read_text(path, text, err));
    ITH_TRY(ith_check_text(path, text->data, text->len, err));
    while (text->len > 0 && strchr("\r\n", text->data[text->len - 1]) != NULL)
        text->data[--text->len] = '\0';
    if (text->data[strspn(text->data, " \t\r\n\v\f")] == '\0')
        return ith_fail(err, ITH_E_ARGUMENT, "%s: there is no text in it", path);
    return ITH_OK;
}

static ith_status load(ith_dialogue *d, const char *argument, ith_error *err)
{
    size_t before = d->loaded.len;
    char path[ITH_PATH_MAX];
    ith_text text = {0};
    ith_status status;

    ITH_CHECK(set_path(argument, path, err));
    ITH_CHECK(read_file(path, &text, err));
    if (before > 0)
        ITH_CHECK(ith_text_append(&d->loaded, "\n\n", 2, err));
    ITH_CHECK(ith_text_append(&d->loaded, text.data, text.len, err));
    ITH_CHECK(ith_dialogue_compute(d, err));
    if (!d->quiet)
        ith_cli_say(d->cli, "%s: %lld tokens; your next message follows it", path,
                    (long long)d->timeline->computed);
done:
    if (status != ITH_OK && d->loaded.data != NULL) {
        d->loaded.len = before;
        d->loaded.data[before] = '\0';
    }
    if (status == ITH_E_CANCELLED && !d->quiet)
        ith_cli_say(d->cli, "stopped; the file is not part of the conversation");
    ith_text_free(&text);
    return status;
}

static ith_status save(ith_dialogue *d, const char *argument, ith_error *err)
{
    size_t n = ith_conversation_length(&d->conversation);
    char path[ITH_PATH_MAX];

    ITH_TRY(set_path(argument, path, err));
    ITH_TRY(ith_conversation_save(&d->conversation, path, err));
    if (!d->quiet)
        ith_cli_say(d->cli, "%zu message%s in %s; --messages %s goes on from there", n,
                    n == 1 ? "" : "s", path, path);
    return ITH_OK;
}

static ith_status no_answer(ith_error *err)
{
    return ith_fail(err, ITH_E_ARGUMENT, "there is no answer yet");
}

/* An answer that does not come leaves the one that there was. */
static ith_status answer_anew(ith_dialogue *d, json_t *last, ith_error *err)
{
    size_t n = ith_conversation_length(&d->conversation);
    ith_status status;

    d->retries++;
    status = ith_dialogue_answer(d, err);
    if (ith_conversation_length(&d->conversation) > n) {
        json_decref(last);
        return status;
    }
    d->retries--;
    ith_dialogue_say_stopped(d, status, "the answer stays as it was");
    ITH_TRY(ith_conversation_put(&d->conversation, last, err));
    return status;
}

static ith_status retry(ith_dialogue *d, const char *argument, ith_error *err)
{
    json_t *last;

    (void)argument;
    if (strcmp(ith_conversation_last_role(&d->conversation), "assistant") != 0)
        return no_answer(err);
    last = ith_conversation_take(&d->conversation);
    if (strcmp(ith_conversation_last_role(&d->conversation), "user") != 0) {
        ITH_TRY(ith_conversation_put(&d->conversation, last, err));
        return ith_fail(err, ITH_E_ARGUMENT, "the answer was not to a message");
    }
    if (d->sampling.temperature <= 0 && !d->quiet)
        ith_cli_note(d->cli, "the temperature is 0, so the answer will be the same; --temp changes "
                             "that");
    return answer_anew(d, last, err);
}

static ith_status undo(ith_dialogue *d, const char *argument, ith_error *err)
{
    (void)argument;
    if (d->loaded.len > 0) {
        ith_text_free(&d->loaded);
        return ITH_OK;
    }
    if (strcmp(ith_conversation_last_role(&d->conversation), "assistant") != 0)
        return no_answer(err);
    ith_conversation_cut(&d->conversation, ith_conversation_length(&d->conversation) - 1);
    if (strcmp(ith_conversation_last_role(&d->conversation), "user") == 0)
        ith_conversation_cut(&d->conversation, ith_conversation_length(&d->conversation) - 1);
    return ITH_OK;
}

static ith_status clear(ith_dialogue *d, const char *argument, ith_error *err)
{
    bool system = ith_conversation_system(&d->conversation) != NULL;

    (void)argument;
    (void)err;
    ith_conversation_cut(&d->conversation, system ? 1 : 0);
    ith_text_free(&d->loaded);
    return ITH_OK;
}

static ith_status set_system(ith_dialogue *d, const char *argument, ith_error *err)
{
    const char *now = ith_conversation_system(&d->conversation);

    if (argument[0] == '\0') {
        printf("%s\n", now != NULL ? now : "(none)");
        return ITH_OK;
    }
    ITH_TRY(ith_check_text("the system message", argument, strlen(argument), err));
    return ith_conversation_set_system(&d->conversation, strcmp(argument, "-") == 0 ? "" : argument,
                                       err);
}

static ith_status set_thinking(ith_dialogue *d, const char *argument, ith_error *err)
{
    ith_thinking *thinking = &d->conversation.inputs.params.thinking;

    if (strcmp(argument, "on") == 0)
        *thinking = ITH_THINKING_ON;
    else if (strcmp(argument, "off") == 0)
        *thinking = ITH_THINKING_OFF;
    else
        return ith_fail(err, ITH_E_ARGUMENT, "/thinking on, or /thinking off");
    return ITH_OK;
}

static ith_status info(ith_dialogue *d, const char *argument, ith_error *err)
{
    const ith_engine_info *engine = ith_engine_get_info(d->timeline->engine);
    size_t n = ith_conversation_length(&d->conversation);

    (void)argument;
    (void)err;
    printf("%s, %d x %d threads, mesh %s, %s\n", engine->name, engine->ranks, engine->threads,
           engine->mesh, engine->simd);
    printf("%zu message%s; %zu of %lld tokens of context used\n", n, n == 1 ? "" : "s",
           d->timeline->n_tokens, (long long)engine->ctx);
    printf("temperature %g, seed %llu\n", (double)d->sampling.temperature,
           (unsigned long long)d->sampling.seed);
    return ITH_OK;
}

static const slash_command commands[] = {
    {"help", "", "this list", help},
    {"load", "FILE", "read a text; the next message follows it", load},
    {"save", "FILE", "write the conversation, for --messages FILE", save},
    {"retry", "", "answer the last message anew", retry},
    {"undo", "", "take back the last message, or what was loaded", undo},
    {"clear", "", "forget all messages but the system message", clear},
    {"system", "TEXT", "set the system message; -: none; without TEXT: show it", set_system},
    {"thinking", "on|off", "whether the model thinks first", set_thinking},
    {"info", "", "model, context, seed", info},
    {"exit", "", "end the chat, as Ctrl-D does", leave},
    {"quit", "", NULL, leave},
    {NULL, NULL, NULL, NULL},
};

static ith_status help(ith_dialogue *d, const char *argument, ith_error *err)
{
    char name[32];

    (void)d;
    (void)argument;
    (void)err;
    for (const slash_command *c = commands; c->name != NULL; c++) {
        if (c->help == NULL)
            continue;
        snprintf(name, sizeof name, "/%s %s", c->name, c->argument);
        printf("  %-17s %s\n", name, c->help);
    }
    printf("\nA message may have several lines: Alt-Enter, \\ at the end of a line, or \"\"\"\n"
           "before and after it. // begins a message with a slash. Ctrl-C stops an answer.\n");
    return ITH_OK;
}

ith_status ith_dialogue_command(ith_dialogue *d, const char *line, ith_error *err)
{
    size_t len = strcspn(line + 1, " \t\n");
    ith_similar similar = {.typed = line + 1, .len = len};
    const char *argument = line + 1 + len + strspn(line + 1 + len, " \t\n");
    char hint[80], *trimmed;
    ith_status status;

    for (const slash_command *c = commands; c->name != NULL; c++) {
        if (strlen(c->name) != len || strncmp(c->name, line + 1, len) != 0) {
            ith_similar_try(&similar, c->name);
            continue;
        }
        if (c->argument[0] == '\0' && argument[0] != '\0')
            return ith_fail(err, ITH_E_ARGUMENT, "/%s stands alone", c->name);
        trimmed = strdup(argument);
        if (trimmed == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for a command");
        for (size_t n = strlen(trimmed); n > 0 && strchr(" \t\n", trimmed[n - 1]) != NULL; n--)
            trimmed[n - 1] = '\0';
        status = c->run(d, trimmed, err);
        free(trimmed);
        fflush(stdout);
        return status;
    }
    return ith_fail(err, ITH_E_ARGUMENT, "unknown command /%.*s%s; see /help", (int)len, line + 1,
                    ith_similar_hint(&similar, "/", hint, sizeof hint));
}
