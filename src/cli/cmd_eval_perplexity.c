/* cmd_eval_perplexity.c - perplexity of a text, by types of weights and of keys and values. */
#include "base/digest.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/eval_results.h"
#include "cli/scoring.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES_MAX = 8 };

typedef struct perplexity_args {
    ith_model_args model;
    ith_corpus corpus;
    const char *output, *quants, *kvs;
    int64_t window;
    int quant[TYPES_MAX], kv[TYPES_MAX]; /* of the lists; -1: as the engine's options say */
    int n_quants, n_kvs;
} perplexity_args;

/* One way and its perplexity: a line of the table. */
typedef struct line {
    char weights[64], kv[16];
    int64_t counted;
    double mean_nll;
} line;

typedef struct perplexity_run {
    const ith_cli *cli;
    perplexity_args *args;
    ith_eval eval;
    line lines[TYPES_MAX * TYPES_MAX];
    int n;
} perplexity_run;

static const ith_option options[] = {
    {ITH_SCORING_WINDOW, .at = offsetof(perplexity_args, window), .preset = "512"},
    {.name = "quants",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(perplexity_args, quants),
     .otherwise = "that of --quant",
     .help = "types of float weights, one after another: w4,w8,bf16"},
    {.name = "kvs",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(perplexity_args, kvs),
     .otherwise = "that of --kv",
     .help = "types of keys and values, each with each type of weights: q8,bf16"},
    {.name = NULL},
};

static const ith_option_group group = {"Perplexity", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(perplexity_args, model.model)},
    {&ith_group_corpus, offsetof(perplexity_args, corpus)},
    {&group, 0},
    ITH_ENGINE_GROUPS(perplexity_args, model),
    {&ith_group_report_ranks, offsetof(perplexity_args, model)},
    {&ith_group_eval, offsetof(perplexity_args, output)},
    {&ith_group_json, offsetof(perplexity_args, model.output)},
    {&ith_group_quiet, offsetof(perplexity_args, model.output)},
    {NULL, 0},
};

/* ---- Options ---- */

/* The word at `at`, which has len characters; NULL: there is none. */
static const ith_word *find_word(const ith_word *words, const char *at, size_t len)
{
    for (; words->name != NULL; words++)
        if (strlen(words->name) == len && strncmp(words->name, at, len) == 0)
            return words;
    return NULL;
}

/* The values of a list of words; without a list `otherwise` alone. */
static int read_list(const ith_cli *cli, const char *option, const char *list,
                     const ith_word *words, int otherwise, int values[TYPES_MAX], int *n)
{
    values[0] = otherwise;
    *n = list == NULL;
    for (const char *at = list; at != NULL;) {
        size_t len = strcspn(at, ",");
        const ith_word *word = find_word(words, at, len);
        if (word == NULL || *n == TYPES_MAX)
            return ith_args_wrong(cli, ith_command_eval_perplexity.name,
                                  "--%s: expected up to %d types, separated by commas, not "
                                  "\"%.*s\"",
                                  option, TYPES_MAX, (int)len, at);
        values[(*n)++] = word->value;
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return ITH_ARGS_OK;
}

static int parse(const ith_cli *cli, int argc, char **argv, perplexity_args *args,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_eval_perplexity, args, argc, argv);

    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, ith_command_eval_perplexity.name, &args->model, params);
    if (code == ITH_ARGS_OK)
        code = ith_corpus_args_check(cli, ith_command_eval_perplexity.name, &args->corpus);
    if (code == ITH_ARGS_OK && args->model.exact && (args->quants != NULL || args->kvs != NULL))
        code = ith_args_wrong(cli, ith_command_eval_perplexity.name,
                              "--exact keeps weights and KV cache in f32; omit --quants and --kvs");
    if (code == ITH_ARGS_OK && args->model.quant.quant >= 0 && args->quants != NULL)
        code = ith_args_wrong(cli, ith_command_eval_perplexity.name,
                              "give --quant or --quants, not both");
    if (code == ITH_ARGS_OK && args->model.kv >= 0 && args->kvs != NULL)
        code =
            ith_args_wrong(cli, ith_command_eval_perplexity.name, "give --kv or --kvs, not both");
    if (code == ITH_ARGS_OK)
        code = read_list(cli, "quants", args->quants, ith_quant_words, (int)params->quant,
                         args->quant, &args->n_quants);
    return code == ITH_ARGS_OK ? read_list(cli, "kvs", args->kvs, ith_kv_words, (int)params->kv,
                                           args->kv, &args->n_kvs)
                               : code;
}

/* ---- Scoring ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The name of the text, as a document has it. */
static const char *text_name(const ith_corpus *corpus)
{
    const char *path = corpus->file != NULL ? corpus->file : corpus->ids_file,
               *name = base_name(ith_input_name(path));
    return *name != '\0' ? name : path;
}

/* Rank 0. */
static ith_status add(perplexity_run *r, const ith_scoring *s, ith_error *err)
{
    const ith_engine_info *info = ith_engine_get_info(s->engine);
    line *l = &r->lines[r->n++];
    char sha256[65];

    if (s->n_counted == 0)
        return ith_fail(err, ITH_E_ARGUMENT, "no token of the text counts");
    snprintf(l->weights, sizeof l->weights, "%s", info->weights);
    snprintf(l->kv, sizeof l->kv, "%s", ith_word_name(ith_kv_words, (int)info->kv));
    l->counted = s->n_counted;
    l->mean_nll = ith_scoring_mean(s);
    ith_sha256_hex(s->ids, (size_t)s->n_tokens * sizeof s->ids[0], sha256);
    return ith_eval_add(
        &r->eval, "perplexity", s->window,
        json_pack("{s:o, s:o, s:I, s:o, s:s}", "value", ith_json_number(exp(l->mean_nll)),
                  "mean_nll", ith_json_number(l->mean_nll), "counted", (json_int_t)s->n_counted,
                  "text", ith_json_c_string(text_name(&r->args->corpus)), "sha256", sha256),
        err);
}

static ith_status score_one(perplexity_run *r, ith_engine_params *params, ith_error *err)
{
    ith_watch watch = {0};
    ith_scoring score = {.cli = r->cli, .watch = &watch};
    ith_status status;

    ith_watch_engine(&watch, r->cli, r->args->model.output.quiet, params);
    status = ith_engine_open(r->cli->world, params, &score.engine, err);
    ith_watch_end(&watch);
    if (status == ITH_OK)
        status = ith_eval_describe(&r->eval, score.engine, err);
    if (status == ITH_OK)
        status = ith_scoring_run(&score, &r->args->corpus, r->args->window, err);
    ith_watch_end(&watch);
    if (status == ITH_OK)
        status = ith_cli_agree(r->cli, r->cli->rank == 0 ? add(r, &score, err) : ITH_OK);
    ith_scoring_close(&score);
    ith_engine_close(score.engine);
    return status;
}

static ith_status score_all(perplexity_run *r, ith_engine_params *params, ith_error *err)
{
    ith_corpus *corpus = &r->args->corpus;

    ITH_TRY(ith_cli_agree(r->cli, r->cli->rank == 0 ? ith_corpus_read(corpus, err) : ITH_OK));
    ITH_TRY(ith_eval_open(&r->eval, err));
    for (int q = 0; q < r->args->n_quants; q++)
        for (int k = 0; k < r->args->n_kvs; k++) {
            params->quant = (ith_quant)r->args->quant[q];
            params->kv = (ith_kv_type)r->args->kv[k];
            ITH_TRY(score_one(r, params, err));
        }
    return ITH_OK;
}

/* ---- Results, rank 0 ---- */

static void print_table(const perplexity_run *r)
{
    double least = INFINITY;

    for (int i = 0; i < r->n; i++)
        least = r->lines[i].mean_nll < least ? r->lines[i].mean_nll : least;
    printf("%-16s %-6s %10s %12s %10s\n", "weights", "cache", "tokens", "perplexity", "over least");
    for (int i = 0; i < r->n; i++) {
        const line *l = &r->lines[i];
        printf("%-16s %-6s %10lld %12.6f %9.3f%%\n", l->weights, l->kv, (long long)l->counted,
               exp(l->mean_nll), 100 * (exp(l->mean_nll - least) - 1));
    }
}

static int perplexity_main(const ith_cli *cli, int argc, char **argv)
{
    perplexity_args args = {.model = ith_model_args_default()};
    perplexity_run run = {.cli = cli, .args = &args};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    run.eval = (ith_eval){.cli = cli, .output = args.output};
    status = score_all(&run, &params, &err);
    code = ith_eval_end(&run.eval, status, &err, args.model.output.json);
    if (code == ITH_EXIT_DONE && cli->rank == 0 && !args.model.output.json)
        print_table(&run);
    ith_corpus_free(&args.corpus);
    return code;
}

const ith_command ith_command_eval_perplexity = {
    .name = "eval perplexity",
    .summary = "perplexity of a text by types of weights and of keys and values",
    .synopsis = "eval perplexity MODEL -f FILE [--quants LIST] [--kvs LIST] [OPTION]...",
    .description =
        "Scores a text with each type of weights and each type of keys and values, the model being "
        "loaded for each. Types of weights count for float weights; those that a file has "
        "quantized "
        "stay as they are.\n\n"
        "--json and -o FILE give a document as bench/schema/bench-1.json describes it, which "
        "ithaca compare shows. Several models can go to one file.",
    .examples = "ithaca eval perplexity Qwen3-8B -f wiki.txt --quants w4,w8 --kvs q8,bf16\n"
                "ithaca eval perplexity model.gguf -f wiki.txt --window 2048 -o q.json\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = perplexity_main,
};
