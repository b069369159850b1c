/* run_options.c - the tables of `ithaca run`, and what they mean together. */
#include "cli/run_options.h"

#include "cli/arguments.h"
#include "cli/input.h"

#include <string.h>

enum { DEFAULT_TOKENS = 256 };

/* ---- Prompt ---- */

static const ith_option prompt_options[] = {
    {.name = "prompt",
     .letter = 'p',
     .kind = ITH_OPTION_TEXT,
     .metavar = "TEXT",
     .at = offsetof(ith_prompt_args, text),
     .help = "the prompt, or the question about the file of -f"},
    {.name = "file",
     .letter = 'f',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_prompt_args, file),
     .help = "text file that is the prompt or precedes it",
     .more = "With -p, both make one user turn: the file, a blank line, the text. - is standard "
             "input."},
    {.name = "ids",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_prompt_args, ids_file),
     .help = "file of token ids that are the whole prompt",
     .more = "Ids are separated by white space or commas; - is standard input. Implies --raw."},
    {.name = "raw",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_prompt_args, raw),
     .help = "no chat template: the text is the whole prompt",
     .more = "Markers such as <|im_start|> in the text are read as tokens."},
    {.name = NULL},
};

static const ith_option_group prompt_group = {"Prompt", prompt_options};

/* ---- Answer ---- */

static const ith_option answer_options[] = {
    {.name = "max-tokens",
     .letter = 'n',
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(ith_run_args, max_tokens),
     .max = 1e9,
     .otherwise = "256; with --answer-ids, all of the file",
     .help = "maximum number of tokens in the answer"},
    {.name = "stop",
     .kind = ITH_OPTION_LIST,
     .metavar = "TEXT",
     .at = offsetof(ith_run_args, stop),
     .help = "end the answer before this text",
     .more = "May be repeated."},
    {.name = "ignore-eos",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_run_args, ignore_eos),
     .help = "continue where the model would end its answer"},
    {.name = "answer-ids",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_run_args, answer_file),
     .help = "answer with these token ids instead of sampling",
     .more = "All of them, or the first -n: to time speculation on any text."},
    {.name = "json-schema",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_run_args, schema_file),
     .help = "the answer is JSON that is valid by this schema",
     .more = "JSON Schema 2020-12. Tokens that do not fit are not chosen."},
    {.name = "grammar",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_run_args, grammar_file),
     .help = "the answer fits this grammar in GBNF",
     .more = "Rules as of llama.cpp. Tokens that do not fit are not chosen."},
    {.name = NULL},
};

static const ith_option_group answer_group = {"Answer", answer_options};

/* ---- Reports ---- */

static const ith_option report_options[] = {
    {.name = "profile",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_run_args, profile),
     .help = "show where the time went",
     .more = "Prefill and decode of rank 0; with --json, of every layer."},
    {.name = "trace",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_run_args, trace),
     .help = "write a timeline of all passes",
     .more = "In the form of Chrome's trace viewer, for ui.perfetto.dev: products, attention, "
             "exchange, gathers and waits for weights and ranks, of every rank and layer, and "
             "decompression of streamed "
             "weights."},
    {.name = "report-pages",
     .aliases = {"report-placement"},
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_run_args, report_pages),
     .help = "show on which memory nodes (NUMA) pages lie",
     .more =
         "For each rank and memory node: how much of the weights and of the KV cache should lie "
         "there, how much does, and how much is in huge pages."},
    {.name = NULL},
};

static const ith_option_group report_group = {"Output", report_options};

const ith_group_use ith_run_groups[] = {
    {&ith_group_model, offsetof(ith_run_args, model.model)},
    {&prompt_group, offsetof(ith_run_args, prompt)},
    {&ith_group_chat, offsetof(ith_run_args, prompt.chat)},
    {&answer_group, 0},
    {&ith_group_sampling, offsetof(ith_run_args, sampling)},
    {&ith_group_speculation, offsetof(ith_run_args, speculation)},
    {&ith_group_prompt_cache, offsetof(ith_run_args, keep)},
    {&ith_group_checkpoint, offsetof(ith_run_args, keep)},
    ITH_ENGINE_GROUPS(ith_run_args, model),
    {&ith_group_report_ranks, offsetof(ith_run_args, model)},
    {&report_group, 0},
    {&ith_group_json, offsetof(ith_run_args, model.output)},
    {&ith_group_quiet, offsetof(ith_run_args, model.output)},
    {NULL, 0},
};

/* ---- */

static int check_prompt(const ith_cli *cli, const char *command, ith_prompt_args *prompt)
{
    static const char blank[] = " \t\r\n\v\f";

    if (prompt->ids_file != NULL && (prompt->text != NULL || prompt->file != NULL))
        return ith_args_wrong(cli, command, "--ids is the whole prompt; omit -p and -f");
    if (prompt->ids_file == NULL && prompt->text == NULL && prompt->file == NULL &&
        prompt->chat.messages == NULL)
        return ith_args_wrong(
            cli, command, "the prompt is missing: -p TEXT, -f FILE, --messages FILE or --ids FILE");
    if (prompt->text != NULL && prompt->text[strspn(prompt->text, prompt->raw ? "" : blank)] == 0)
        return ith_args_wrong(cli, command, "there is no text in -p \"%s\"", prompt->text);
    if (prompt->ids_file != NULL && prompt->chat.parse_special)
        return ith_args_wrong(cli, command, "--parse-special is about text; omit it with --ids");
    prompt->raw |= prompt->ids_file != NULL;
    if (prompt->raw && ith_chat_args_given(&prompt->chat))
        return ith_args_wrong(cli, command,
                              "--system, --messages, --tools, --thinking, --chat-template and "
                              "--template-arg need a chat template; omit --raw and --ids");
    return ith_chat_args_check(cli, command, &prompt->chat);
}

/* Answers are UTF-8: another text would never be found. */
static int check_stop(const ith_cli *cli, const char *command, const ith_option_list *stop)
{
    ith_error err;

    for (size_t i = 0; i < stop->n; i++) {
        if (stop->items[i][0] == 0)
            return ith_args_wrong(cli, command, "--stop \"\" would end every answer");
        if (ith_check_text("--stop", stop->items[i], strlen(stop->items[i]), &err) != ITH_OK)
            return ith_args_wrong(cli, command, "%s", err.text);
    }
    return ITH_ARGS_OK;
}

/* One grammar, which ends the answer. */
static int check_grammar(const ith_cli *cli, const char *command, const ith_run_args *args)
{
    if (args->schema_file == NULL && args->grammar_file == NULL)
        return ITH_ARGS_OK;
    if (args->schema_file != NULL && args->grammar_file != NULL)
        return ith_args_wrong(cli, command, "give --json-schema or --grammar, not both");
    if (args->ignore_eos || args->answer_file != NULL)
        return ith_args_wrong(cli, command,
                              "--json-schema and --grammar end the answer: omit --ignore-eos and "
                              "--answer-ids");
    return ITH_ARGS_OK;
}

static int check(const ith_cli *cli, const char *command, ith_run_args *args)
{
    int code = check_prompt(cli, command, &args->prompt);

    if (code == ITH_ARGS_OK)
        code = check_grammar(cli, command, args);

    if (code == ITH_ARGS_OK)
        code = check_stop(cli, command, &args->stop);
    if (code != ITH_ARGS_OK)
        return code;
    code = ith_keep_args_check(cli, command, &args->keep, &args->model);
    if (code != ITH_ARGS_OK)
        return code;
    return ith_speculation_args_check(cli, command, &args->speculation, args->model.exact);
}

int ith_run_args_parse(const ith_cli *cli, const ith_command *command, int argc, char **argv,
                       ith_run_args *args, ith_engine_params *params)
{
    int code;

    *args = (ith_run_args){.model = ith_model_args_default(),
                           .prompt.chat.thinking = ITH_THINKING_DEFAULT,
                           .sampling = ith_sampling_args_default(),
                           .max_tokens = -1};
    code = ith_args_parse(cli, command, args, argc, argv);
    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, command->name, &args->model, params);
    return code == ITH_ARGS_OK ? check(cli, command->name, args) : code;
}

int64_t ith_run_wanted(const ith_run_args *args, int64_t n_forced)
{
    int64_t all = args->answer_file != NULL ? n_forced : DEFAULT_TOKENS;

    if (args->max_tokens < 0)
        return all;
    return args->answer_file != NULL && all < args->max_tokens ? all : args->max_tokens;
}
