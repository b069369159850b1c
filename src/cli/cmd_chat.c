/* cmd_chat.c - a conversation at the terminal. */
#include "base/newfile.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/dialogue.h"
#include "cli/sampling_options.h"
#include "cli/signals.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct chat_args {
    ith_model_args model;
    ith_chat_args chat;
    ith_sampling_args sampling;
    ith_speculation_args speculation;
    ith_keep_args keep;
    int64_t max_tokens; /* -1: not given */
    const char *history;
} chat_args;

static const ith_option options[] = {
    {.name = "max-tokens",
     .letter = 'n',
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(chat_args, max_tokens),
     .min = 1,
     .max = 1e9,
     .otherwise = "as many as the context holds",
     .help = "maximum number of tokens in an answer"},
    {.name = "history",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(chat_args, history),
     .otherwise = "~/.local/state/ithaca/chat_history",
     .help = "file for the input history; off: none",
     .more = "XDG_STATE_HOME is respected. Only its owner can read it."},
    {.name = NULL},
};

static const ith_option_group group = {"Chat", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(chat_args, model.model)},
    {&group, 0},
    {&ith_group_chat, offsetof(chat_args, chat)},
    {&ith_group_sampling, offsetof(chat_args, sampling)},
    {&ith_group_speculation, offsetof(chat_args, speculation)},
    {&ith_group_prompt_cache, offsetof(chat_args, keep)},
    ITH_ENGINE_GROUPS(chat_args, model),
    {&ith_group_report_ranks, offsetof(chat_args, model)},
    {&ith_group_quiet, offsetof(chat_args, model.output)},
    {NULL, 0},
};

/* The same on all ranks, but for the dialogue, which rank 0 alone leads. */
typedef struct chat {
    ith_watch watch;
    ith_terminal terminal;
    ith_drafting drafting;
    ith_engine *engine;
    ith_timeline timeline;
    ith_dialogue dialogue;
} chat;

static int parse(const ith_cli *cli, int argc, char **argv, chat_args *args,
                 ith_engine_params *params)
{
    const char *name = ith_command_chat.name;
    int code;

    *args = (chat_args){.model = ith_model_args_default(),
                        .chat.thinking = ITH_THINKING_DEFAULT,
                        .sampling = ith_sampling_args_default(),
                        .max_tokens = -1};
    code = ith_args_parse(cli, &ith_command_chat, args, argc, argv);
    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, name, &args->model, params);
    if (code == ITH_ARGS_OK)
        code = ith_chat_args_check(cli, name, &args->chat);
    if (code == ITH_ARGS_OK)
        code = ith_keep_args_check(cli, name, &args->keep, &args->model);
    if (code != ITH_ARGS_OK)
        return code;
    return ith_speculation_args_check(cli, name, &args->speculation, args->model.exact);
}

/* ---- Rank 0 ---- */

/* A model whose template cannot be used is no model to talk to: said before the first message. */
static ith_status check_template(const chat *c, ith_error *err)
{
    static const ith_message hello = {"user", "Hello"};
    ith_chat_params params = c->dialogue.conversation.inputs.params;
    const ith_vocab *vocab = ith_engine_vocab(c->engine);
    ith_status status;
    int32_t *ids;
    size_t n;

    if (vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the model has no tokenizer (tokenizer.json), which a chat needs");
    params.messages_json = NULL;
    params.messages = &hello;
    params.n_messages = 1;
    status = ith_chat_tokenize(vocab, &params, &ids, &n, NULL, err);
    free(ids);
    return status == ITH_E_ARGUMENT ? ITH_OK : status; /* it may ask for more than one message */
}

static ith_status open_dialogue(const ith_cli *cli, const chat_args *args, chat *c, ith_error *err)
{
    char path[ITH_PATH_MAX];
    const char *history = args->history;
    ith_dialogue *d = &c->dialogue;

    if (history == NULL && ith_typed_history_path(path, sizeof path))
        history = path;
    if (history != NULL && strcmp(history, "off") == 0)
        history = NULL;
    ITH_TRY(check_template(c, err));
    ITH_TRY(ith_typed_open(&c->terminal, history, &d->typed, err));
    d->cli = cli;
    d->timeline = &c->timeline;
    d->interactive = c->terminal.in != NULL;
    d->quiet = c->watch.quiet;
    d->max_tokens = args->max_tokens > 0 ? args->max_tokens : INT64_MAX;
    d->sampling = ith_sampling_args_apply(&args->sampling, c->engine, NULL);
    if (!d->quiet)
        ith_cli_notes(cli, ith_vocab_notes(ith_engine_vocab(c->engine)));
    if (!d->quiet && d->interactive)
        ith_cli_say(cli, "%s; /help lists commands, Ctrl-D ends the chat",
                    ith_engine_get_info(c->engine)->name);
    return ITH_OK;
}

static ith_status lead(chat *c, ith_error *err)
{
    ith_status status;

    ith_stop_signal(); /* listens from now on */
    ith_stop_interrupts();
    status = ith_dialogue_run(&c->dialogue, err);
    if (!c->timeline.broken)
        ith_timeline_end(&c->timeline);
    return status;
}

/* ---- All ranks ---- */

static ith_status work(const ith_cli *cli, const chat_args *args, const ith_engine_params *params,
                       chat *c, ith_error *err)
{
    bool leads = cli->rank == 0;

    ITH_TRY(ith_cli_agree(
        cli, leads ? ith_conversation_open(&args->chat, &c->dialogue.conversation, err) : ITH_OK));
    ITH_TRY(ith_drafting_open(cli, &args->speculation, params, &c->drafting, err));
    ITH_TRY(ith_engine_open(cli->world, params, &c->engine, err));
    ith_watch_end(&c->watch);
    ITH_TRY(ith_drafting_check(&c->drafting, c->engine, err));
    ith_cli_advise(cli, c->engine, c->watch.quiet);
    c->timeline = (ith_timeline){.cli = cli,
                                 .watch = &c->watch,
                                 .engine = c->engine,
                                 .keep = &args->keep,
                                 .max_draft = args->speculation.max,
                                 .draft = c->drafting.session};
    ITH_TRY(ith_timeline_open(&c->timeline, err));
    ITH_TRY(ith_cli_agree(cli, leads ? open_dialogue(cli, args, c, err) : ITH_OK));
    ith_stop_patiently(); /* Ctrl-C ends an answer, and is rank 0's affair */
    if (leads)
        return lead(c, err);
    return ith_timeline_follow(&c->timeline, err);
}

static int chat_main(const ith_cli *cli, int argc, char **argv)
{
    chat c = {.terminal.keys = -1};
    chat_args args;
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    if (cli->rank == 0)
        ith_terminal_open(&c.terminal);
    ith_watch_engine(&c.watch, cli, args.model.output.quiet, &params);
    status = work(cli, &args, &params, &c, &err);
    ith_watch_end(&c.watch);
    code = c.dialogue.failed && !c.dialogue.interactive ? ITH_EXIT_FAILED : ITH_EXIT_DONE;
    if (status != ITH_OK)
        code = c.dialogue.write_errno != 0 ? ith_cli_write_failure(cli, c.dialogue.write_errno)
                                           : ith_cli_failure(cli, status, &err);
    ith_typed_close(c.dialogue.typed);
    ith_terminal_close(&c.terminal);
    ith_conversation_close(&c.dialogue.conversation);
    ith_text_free(&c.dialogue.loaded);
    ith_timeline_close(&c.timeline);
    ith_engine_close(c.engine);
    ith_drafting_close(&c.drafting);
    return code;
}

const ith_command ith_command_chat = {
    .name = "chat",
    .summary = "talk with a model at the terminal",
    .synopsis = "chat MODEL [OPTION]...\n"
                "chat MODEL --messages FILE [OPTION]...",
    .description =
        "Reads messages and answers them. Only new messages are computed; the keys and values of "
        "earlier ones are kept. A line that begins with a slash is a command: /load FILE reads a "
        "text, /save FILE writes the conversation, /retry answers again, /help lists all commands. "
        "Ctrl-C stops an answer, or clears the line; Ctrl-D ends the chat.\n\n"
        "--messages continues a saved conversation, on any number of ranks, and with the same "
        "--seed in the same words. With --prompt-cache it need not be computed again. If standard "
        "input is not a terminal, each line is a message.",
    .examples = "ithaca chat Qwen/Qwen3-8B\n"
                "mpirun -n 4 ithaca chat Qwen3-8B --system \"Be brief.\"\n"
                "srun --pty --nodes 4 ithaca chat Qwen3-8B --prompt-cache ~/kv\n"
                "ithaca chat Qwen3-8B --messages saved.json --seed 7\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = chat_main,
};
