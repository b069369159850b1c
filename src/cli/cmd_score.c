/* cmd_score.c - how well the model predicts a text, and the logits after it. */
#include "base/best.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/scoring.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_MAX = 1000 };

typedef struct score_args {
    ith_model_args model;
    ith_corpus corpus;
    int64_t top, window; /* window 0: the whole text at once */
} score_args;

static const ith_option options[] = {
    {.name = "top",
     .kind = ITH_OPTION_INT,
     .metavar = "K",
     .at = offsetof(score_args, top),
     .max = TOP_MAX,
     .preset = "10",
     .help = "how many of the best next tokens to show"},
    {ITH_SCORING_WINDOW, .at = offsetof(score_args, window), .otherwise = "the whole text at once"},
    {.name = NULL},
};

static const ith_option_group group = {"Score", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(score_args, model.model)},
    {&ith_group_corpus, offsetof(score_args, corpus)},
    {&group, 0},
    ITH_ENGINE_GROUPS(score_args, model),
    {&ith_group_report_ranks, offsetof(score_args, model)},
    {&ith_group_json, offsetof(score_args, model.output)},
    {&ith_group_quiet, offsetof(score_args, model.output)},
    {NULL, 0},
};

static int parse(const ith_cli *cli, int argc, char **argv, score_args *args,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_score, args, argc, argv);

    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, argv[0], &args->model, params);
    return code == ITH_ARGS_OK ? ith_corpus_args_check(cli, argv[0], &args->corpus) : code;
}

/* Rank 0 reads the text; all ranks learn the outcome. */
static ith_status work(const ith_cli *cli, score_args *args, const ith_engine_params *params,
                       ith_scoring *score, ith_error *err)
{
    ITH_TRY(ith_cli_agree(cli, cli->rank == 0 ? ith_corpus_read(&args->corpus, err) : ITH_OK));
    ITH_TRY(ith_engine_open(cli->world, params, &score->engine, err));
    ith_watch_end(score->watch);
    ith_cli_advise(cli, score->engine, score->watch->quiet);
    return ith_scoring_run(score, &args->corpus, args->window, err);
}

/* ---- Results, rank 0 ---- */

static double log_sum_exp(const float *logits, int n)
{
    double max = -INFINITY, sum = 0;

    for (int i = 0; i < n; i++)
        max =
            logits[i] > max ? (double)logits[i] : max; /* gcc 12 for arm64 cannot compile fmax() */
    for (int i = 0; i < n; i++)
        sum += exp(logits[i] - max);
    return max + log(sum);
}

static json_t *json_top(const float *logits, const int32_t *best, int k, double log_total)
{
    json_t *top = json_array();

    for (int i = 0; i < k; i++)
        json_array_append_new(top, json_pack("{s:i, s:o, s:o}", "id", (int)best[i], "logit",
                                             ith_json_number(logits[best[i]]), "logprob",
                                             ith_json_number(logits[best[i]] - log_total)));
    return top;
}

static int print_json(const ith_cli *cli, const ith_scoring *score, json_t *top)
{
    json_t *nll = json_array();
    char sha256[65];

    for (int64_t i = 0; i < score->n_counted; i++)
        json_array_append_new(nll, ith_json_number(score->nll[i]));
    ith_session_logits_sha256(score->session, sha256);
    return ith_cli_write_json(
        cli,
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:s, s:o}", "tokens", (json_int_t)score->n_tokens,
                  "nll", nll, "mean_nll", ith_json_number(ith_scoring_mean(score)), "perplexity",
                  ith_json_number(exp(ith_scoring_mean(score))), "top", top, "logits_sha256",
                  sha256, "notes", ith_json_lines(ith_engine_get_info(score->engine)->notes)));
}

static void print_text(const ith_scoring *score, const float *logits, const int32_t *best, int k,
                       double log_total)
{
    const ith_vocab *vocab = ith_engine_vocab(score->engine);

    printf("tokens      %lld, %lld counted\n", (long long)score->n_tokens,
           (long long)score->n_counted);
    printf("mean nll    %.6f\nperplexity  %.6f\n", ith_scoring_mean(score),
           exp(ith_scoring_mean(score)));
    for (int i = 0; i < k; i++) {
        char *text = NULL;
        size_t len = 0;
        json_t *quoted = NULL;
        char *shown = NULL;
        if (vocab != NULL && ith_vocab_detokenize(vocab, &best[i], 1, &text, &len, NULL) == ITH_OK)
            quoted = ith_json_bytes(text, len);
        shown = quoted != NULL ? ith_json_text(quoted, false) : NULL;
        printf("%-11s %7d  logit %10.5f  p %.6f  %s\n", i == 0 ? "next" : "", best[i],
               logits[best[i]], exp(logits[best[i]] - log_total), shown != NULL ? shown : "");
        json_decref(quoted);
        free(shown);
        free(text);
    }
}

static void print_timings(const ith_cli *cli, const ith_scoring *score)
{
    const ith_engine_info *info = ith_engine_get_info(score->engine);

    ith_cli_say(cli, "%lld tokens in %.2f s (%.1f/s), %d x %d threads, mesh %s, %s",
                (long long)score->n_tokens, score->seconds,
                (double)score->n_tokens / fmax(score->seconds, 1e-9), info->ranks, info->threads,
                info->mesh, info->simd);
}

static int report(const ith_cli *cli, const score_args *args, const ith_scoring *score)
{
    const float *logits = ith_session_logits(score->session);
    int n_vocab = ith_engine_get_info(score->engine)->n_vocab;
    int k = args->top < n_vocab ? (int)args->top : n_vocab;
    double log_total = log_sum_exp(logits, n_vocab);
    int32_t best[TOP_MAX];

    ith_best(logits, n_vocab, best, k);
    if (args->model.output.json)
        return print_json(cli, score, json_top(logits, best, k, log_total));
    print_text(score, logits, best, k, log_total);
    if (!args->model.output.quiet)
        print_timings(cli, score);
    return ITH_EXIT_DONE;
}

static int score_main(const ith_cli *cli, int argc, char **argv)
{
    score_args args = {.model = ith_model_args_default()};
    ith_watch watch = {0};
    ith_scoring score = {.cli = cli, .watch = &watch};
    ith_engine_params params;
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&watch, cli, args.model.output.quiet, &params);
    status = work(cli, &args, &params, &score, &err);
    ith_watch_end(&watch);
    if (status != ITH_OK)
        code = ith_cli_failure(cli, status, &err);
    else
        code = cli->rank == 0 ? report(cli, &args, &score) : ITH_EXIT_DONE;
    ith_scoring_close(&score);
    ith_engine_close(score.engine);
    ith_corpus_free(&args.corpus);
    return code;
}

const ith_command ith_command_score = {
    .name = "score",
    .summary = "measure how well a model predicts a text",
    .synopsis = "score MODEL (-f FILE | --ids FILE) [OPTION]...",
    .description =
        "Prints the negative log likelihood of each token given those before it, the "
        "perplexity, and the best next tokens. The text is tokenized as it is, without a "
        "chat template.",
    .examples = "ithaca score Qwen3-8B -f chapter.txt\n"
                "ithaca score model.gguf -f wiki.txt --window 512\n"
                "mpirun -n 2 ithaca score Qwen3-8B --ids prompt.ids --top 5 --json\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = score_main,
};
