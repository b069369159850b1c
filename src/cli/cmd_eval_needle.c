/* cmd_eval_needle.c - whether a model finds a passkey in a text, by length and position. */
#include "base/number.h"
#include "base/size.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/eval_results.h"
#include "cli/haystack.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 32, ANSWER_TOKENS = 64 };

typedef struct needle_args {
    ith_model_args model;
    const char *output, *lengths, *positions;
    int64_t repetitions, seed;
    int64_t length[LIST_MAX];
    double position[LIST_MAX];
    int n_lengths, n_positions;
} needle_args;

typedef struct needle_run {
    const ith_cli *cli;
    needle_args *args;
    ith_eval eval;
    ith_watch watch;
    ith_engine *engine;
    int right[LIST_MAX][LIST_MAX]; /* rank 0: of args->repetitions, by length and position */
} needle_run;

static const ith_option options[] = {
    {.name = "lengths",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(needle_args, lengths),
     .preset = "1k,2k,4k,8k",
     .help = "tokens of prompt and answer, ascending, separated by commas"},
    {.name = "positions",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(needle_args, positions),
     .preset = "0,0.25,0.5,0.75,1",
     .help = "where the passkey stands: 0 is the beginning, 1 the end"},
    {.name = "repetitions",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(needle_args, repetitions),
     .min = 1,
     .max = 10000,
     .preset = "5",
     .help = "texts for each length and position"},
    {.name = "seed",
     .kind = ITH_OPTION_INT,
     .metavar = "S",
     .at = offsetof(needle_args, seed),
     .max = 1e15,
     .preset = "1",
     .help = "seed of the first text; the others have the following ones"},
    {.name = NULL},
};

static const ith_option_group group = {"Needle", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(needle_args, model.model)},
    {&group, 0},
    ITH_ENGINE_GROUPS(needle_args, model),
    {&ith_group_report_ranks, offsetof(needle_args, model)},
    {&ith_group_eval, offsetof(needle_args, output)},
    {&ith_group_json, offsetof(needle_args, model.output)},
    {&ith_group_quiet, offsetof(needle_args, model.output)},
    {NULL, 0},
};

/* ---- Options ---- */

static int read_lengths(const ith_cli *cli, needle_args *a)
{
    const char *at = a->lengths;

    for (;;) {
        const char *end;
        int64_t n;
        if (!ith_count_read(at, &end, &n) || n < 1 || n > 1000000000 ||
            (*end != '\0' && *end != ',') || a->n_lengths == LIST_MAX ||
            (a->n_lengths > 0 && n <= a->length[a->n_lengths - 1]))
            return ith_args_wrong(
                cli, ith_command_eval_needle.name,
                "--lengths takes up to %d ascending numbers of tokens: 1k,8k,128k", LIST_MAX);
        a->length[a->n_lengths++] = n;
        if (*end == '\0')
            return ITH_ARGS_OK;
        at = end + 1;
    }
}

static int read_positions(const ith_cli *cli, needle_args *a)
{
    const char *at = a->positions;

    for (;;) {
        char *end;
        double x = ith_strtod(at, &end);
        if (end == at || !(x >= 0 && x <= 1) || (*end != '\0' && *end != ',') ||
            a->n_positions == LIST_MAX ||
            (a->n_positions > 0 && x <= a->position[a->n_positions - 1]))
            return ith_args_wrong(
                cli, ith_command_eval_needle.name,
                "--positions takes up to %d ascending numbers from 0 to 1: 0,0.5,1", LIST_MAX);
        a->position[a->n_positions++] = x;
        if (*end == '\0')
            return ITH_ARGS_OK;
        at = end + 1;
    }
}

static int parse(const ith_cli *cli, int argc, char **argv, needle_args *a,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_eval_needle, a, argc, argv);

    if (code == ITH_ARGS_OK)
        code = read_lengths(cli, a);
    if (code == ITH_ARGS_OK)
        code = read_positions(cli, a);
    if (code == ITH_ARGS_OK && a->model.ctx == 0)
        a->model.ctx = a->length[a->n_lengths - 1] + ANSWER_TOKENS;
    return code == ITH_ARGS_OK
               ? ith_model_args_check(cli, ith_command_eval_needle.name, &a->model, params)
               : code;
}

/* ---- Prompts, rank 0 ---- */

/* Tokens of a user turn with the text; without thinking, where the template lets the user choose.
 * A model without a template gets the text as it is, and the beginning of the answer. */
static ith_status prompt_ids(const ith_vocab *vocab, const char *text, size_t len, ith_ids *ids,
                             ith_error *err)
{
    static const char begun[] = "\n\nThe passkey is";
    const ith_message message = {"user", text};
    ith_chat_params chat = ith_chat_params_default();
    ith_text raw = {0};
    ith_status status;

    chat.messages = &message;
    chat.n_messages = 1;
    chat.thinking = ITH_THINKING_OFF;
    status = ith_chat_tokenize(vocab, &chat, &ids->data, &ids->n, NULL, err);
    if (status == ITH_E_UNSUPPORTED) {
        chat.thinking = ITH_THINKING_DEFAULT;
        status = ith_chat_tokenize(vocab, &chat, &ids->data, &ids->n, NULL, err);
    }
    if (status != ITH_E_UNSUPPORTED)
        return status;
    status = ith_text_append(&raw, text, len, err);
    if (status == ITH_OK)
        status = ith_text_append(&raw, begun, sizeof begun - 1, err);
    if (status == ITH_OK)
        status = ith_vocab_tokenize(vocab, raw.data, raw.len, ITH_TOKENIZE_BOS, &ids->data, &ids->n,
                                    err);
    ith_text_free(&raw);
    return status;
}

/* An ith_haystack_count; user: a vocab. */
static int64_t count_tokens(void *user, const char *text, size_t len, bool prompt, ith_error *err)
{
    const ith_vocab *vocab = user;
    ith_ids ids = {0};
    int64_t n;
    ith_status status = prompt ? prompt_ids(vocab, text, len, &ids, err)
                               : ith_vocab_tokenize(vocab, text, len, 0, &ids.data, &ids.n, err);

    n = status == ITH_OK ? (int64_t)ids.n : -1;
    free(ids.data);
    return n;
}

static ith_status make_prompt(const needle_run *r, int length, int position, int repetition,
                              ith_needle *needle, ith_ids *ids, ith_error *err)
{
    const ith_vocab *vocab = ith_engine_vocab(r->engine);
    const ith_haystack hay = {.tokens = r->args->length[length],
                              .position = r->args->position[position],
                              .seed = (uint64_t)r->args->seed + (uint64_t)repetition,
                              .count = count_tokens,
                              .user = (void *)vocab};

    if (vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "%s has no tokenizer",
                        ith_engine_get_info(r->engine)->name);
    ITH_TRY(ith_haystack_make(&hay, needle, err));
    return prompt_ids(vocab, needle->text.data, needle->text.len, ids, err);
}

/* ---- Answers ---- */

/* Collective. *found on rank 0. */
static ith_status answer(const needle_run *r, const ith_needle *needle, const ith_ids *ids,
                         bool *found, ith_error *err)
{
    ith_generate_params how = ith_generate_params_default(r->engine);
    ith_generation got = {0};
    ith_session *session = NULL;
    ith_status status;

    how.max_tokens = ANSWER_TOKENS;
    how.sampling = (ith_sampling){.top_p = 1, .repeat_penalty = 1};
    status = ith_session_open(r->engine, &session, err);
    if (status == ITH_OK)
        status = ith_session_prefill(session, ids->data, ids->n, err);
    if (status == ITH_OK)
        status = ith_generate(session, &how, &got, err);
    *found = status == ITH_OK && got.text != NULL && ith_needle_found(needle, got.text);
    ith_generation_free(&got);
    ith_session_close(session);
    return status;
}

/* Collective. */
static ith_status ask(needle_run *r, int length, int position, int repetition, ith_error *err)
{
    ith_needle needle = {0};
    ith_ids ids = {0};
    bool found = false;
    ith_status status = r->cli->rank == 0
                            ? make_prompt(r, length, position, repetition, &needle, &ids, err)
                            : ITH_OK;

    if (status == ITH_OK && ith_stop_signal() != 0)
        status = ITH_E_CANCELLED;
    status = ith_cli_agree(r->cli, status);
    if (status == ITH_OK)
        status = answer(r, &needle, &ids, &found, err);
    r->right[length][position] += found;
    r->watch.before += r->args->length[length];
    ith_text_free(&needle.text);
    free(ids.data);
    return status;
}

/* Rank 0. */
static ith_status add(needle_run *r, int length, int position, ith_error *err)
{
    const needle_args *a = r->args;

    return ith_eval_add(&r->eval, "needle", a->length[length],
                        json_pack("{s:o, s:I, s:i, s:I}", "position",
                                  ith_json_number(a->position[position]), "asked",
                                  (json_int_t)a->repetitions, "right", r->right[length][position],
                                  "seed", (json_int_t)a->seed),
                        err);
}

static ith_status ask_all(needle_run *r, ith_error *err)
{
    const needle_args *a = r->args;

    for (int i = 0; i < a->n_lengths; i++)
        r->watch.total += a->length[i] * a->n_positions * a->repetitions;
    for (int i = 0; i < a->n_lengths; i++)
        for (int k = 0; k < a->n_positions; k++) {
            for (int n = 0; n < (int)a->repetitions; n++)
                ITH_TRY(ask(r, i, k, n, err));
            ITH_TRY(ith_cli_agree(r->cli, r->cli->rank == 0 ? add(r, i, k, err) : ITH_OK));
        }
    return ITH_OK;
}

static ith_status work(needle_run *r, const ith_engine_params *params, ith_error *err)
{
    ITH_TRY(ith_eval_open(&r->eval, err));
    ITH_TRY(ith_engine_open(r->cli->world, params, &r->engine, err));
    ith_watch_end(&r->watch);
    ith_cli_advise(r->cli, r->engine, r->watch.quiet);
    ith_cli_check_length(r->cli, r->engine, r->args->length[r->args->n_lengths - 1],
                         r->watch.quiet);
    ITH_TRY(ith_eval_describe(&r->eval, r->engine, err));
    return ask_all(r, err);
}

/* ---- Results, rank 0 ---- */

static void print_table(const needle_run *r)
{
    const needle_args *a = r->args;

    printf("right of %lld   passkey at", (long long)a->repetitions);
    for (int k = 0; k < a->n_positions; k++)
        printf(" %7.4g", a->position[k]);
    printf("\n");
    for (int i = 0; i < a->n_lengths; i++) {
        printf("%10lld tokens        ", (long long)a->length[i]);
        for (int k = 0; k < a->n_positions; k++)
            printf(" %7d", r->right[i][k]);
        printf("\n");
    }
}

static int needle_main(const ith_cli *cli, int argc, char **argv)
{
    needle_args args = {.model = ith_model_args_default()};
    needle_run run = {.cli = cli, .args = &args};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    run.eval = (ith_eval){.cli = cli, .output = args.output};
    ith_watch_engine(&run.watch, cli, args.model.output.quiet, &params);
    status = work(&run, &params, &err);
    ith_watch_end(&run.watch);
    ith_engine_close(run.engine);
    code = ith_eval_end(&run.eval, status, &err, args.model.output.json);
    if (code == ITH_EXIT_DONE && cli->rank == 0 && !args.model.output.json)
        print_table(&run);
    return code;
}

const ith_command ith_command_eval_needle = {
    .name = "eval needle",
    .summary = "how often a model finds a passkey in a text, by length and position",
    .synopsis = "eval needle MODEL [--lengths LIST] [--positions LIST] [OPTION]...",
    .description =
        "Makes texts of plain sentences with passkeys of several persons, asks for one of them, "
        "and "
        "counts the answers that have it. Texts depend on seed, length and tokenizer alone, and "
        "answers are greedy, so that all machines count the same. The question goes into the "
        "model's chat template, without thinking where that can be chosen; a model without a "
        "template goes on from \"The passkey is\".\n\n"
        "--json and -o FILE give a document as bench/schema/bench-1.json describes it, which "
        "ithaca compare shows as a heat map.",
    .examples = "ithaca eval needle Qwen3-8B --lengths 1k,8k,32k -o quality.json\n"
                "mpirun -n 4 ithaca eval needle model.gguf --lengths 64k --positions 0.5\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = needle_main,
};
