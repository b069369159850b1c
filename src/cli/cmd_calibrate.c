/* cmd_calibrate.c - measures what the matrices of a model read in a text. */
#include "base/samefile.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/corpus.h"
#include "cli/model_options.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct calibrate_args {
    ith_model_args model;
    ith_corpus corpus;
    const char *output;
    int64_t window;
} calibrate_args;

static const ith_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "STATS",
     .at = offsetof(calibrate_args, output),
     .help = "the file to write, in place of an older one"},
    {.name = "window",
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(calibrate_args, window),
     .min = 1,
     .max = 1e9,
     .otherwise = "2048, or the whole text if that is shorter",
     .help = "tokens that see each other"},
    {.name = NULL},
};

static const ith_option_group group = {"Calibration", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(calibrate_args, model.model)},
    {&ith_group_corpus, offsetof(calibrate_args, corpus)},
    {&group, 0},
    ITH_ENGINE_GROUPS(calibrate_args, model),
    {&ith_group_json, offsetof(calibrate_args, model.output)},
    {&ith_group_quiet, offsetof(calibrate_args, model.output)},
    {NULL, 0},
};

static int parse(const ith_cli *cli, int argc, char **argv, calibrate_args *args,
                 ith_engine_params *params)
{
    int code = ith_args_parse(cli, &ith_command_calibrate, args, argc, argv);

    if (code == ITH_ARGS_OK)
        code = ith_model_args_check(cli, argv[0], &args->model, params);
    if (code == ITH_ARGS_OK)
        code = ith_corpus_args_check(cli, argv[0], &args->corpus);
    if (code == ITH_ARGS_OK && args->output == NULL)
        return ith_args_wrong(cli, argv[0], "-o STATS is missing");
    return code;
}

/* Rank 0. */
static ith_status read_corpus(calibrate_args *args, ith_error *err)
{
    const ith_corpus *corpus = &args->corpus;

    ITH_TRY(
        ith_spare_input(args->output, corpus->file != NULL ? corpus->file : corpus->ids_file, err));
    return ith_corpus_read(&args->corpus, err);
}

static ith_status work(const ith_cli *cli, calibrate_args *args, const ith_engine_params *params,
                       ith_error *err)
{
    ith_corpus *corpus = &args->corpus;
    ith_calibrate_params calibration = {.output = args->output, .window = args->window};
    ith_engine *engine = NULL;
    ith_status status;

    ITH_CHECK(ith_cli_agree(cli, cli->rank == 0 ? read_corpus(args, err) : ITH_OK));
    ith_stop_listen(true);
    ITH_CHECK(ith_engine_open(cli->world, params, &engine, err));
    ITH_CHECK(
        ith_cli_agree(cli, cli->rank == 0 ? ith_corpus_tokenize(corpus, engine, err) : ITH_OK));
    calibration.ids = corpus->ids.data;
    calibration.n_ids = corpus->ids.n;
    ITH_CHECK(ith_calibrate(engine, &calibration, err));
done:
    ith_engine_close(engine);
    return status;
}

static int calibrate_main(const ith_cli *cli, int argc, char **argv)
{
    calibrate_args args = {.model = ith_model_args_default()};
    ith_engine_params params;
    ith_watch watch = {0};
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&watch, cli, args.model.output.quiet, &params);
    status = work(cli, &args, &params, &err);
    ith_watch_end(&watch);
    code = status == ITH_OK ? ITH_EXIT_DONE : ith_cli_failure(cli, status, &err);
    if (status == ITH_OK && args.model.output.json && cli->rank == 0)
        code = ith_cli_write_json(cli,
                                  json_pack("{s:o, s:I}", "output", ith_json_c_string(args.output),
                                            "tokens", (json_int_t)args.corpus.ids.n));
    else if (status == ITH_OK && !args.model.output.quiet)
        ith_cli_say(cli, "%s: statistics of %zu tokens", args.output, args.corpus.ids.n);
    ith_corpus_free(&args.corpus);
    return code;
}

const ith_command ith_command_calibrate = {
    .name = "calibrate",
    .summary = "collect statistics for better quantization",
    .synopsis = "calibrate MODEL (-f FILE | --ids FILE) -o STATS [OPTION]...",
    .description =
        "Runs a text and writes the mean square of each column that each matrix reads, as a small "
        "safetensors file. With --stats STATS, run, score and pack quantize float weights so that "
        "they lose least where the model reads most. About 20,000 tokens of the kind that the "
        "model "
        "will read are enough.",
    .examples = "ithaca calibrate Qwen3-8B -f sample.txt -o qwen3-8b.stats\n"
                "ithaca pack Qwen3-8B -o qwen3-8b.ith --quant w4 --stats qwen3-8b.stats\n",
    .groups = groups,
    .operand = "model",
    .collective = true,
    .run = calibrate_main,
};
