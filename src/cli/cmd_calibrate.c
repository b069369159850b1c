/* calibrate - what the matrices of a model read in a text. */
#include "cli/corpus.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stdlib.h>

static const ith_manual manual = {
    "ithaca calibrate -m MODEL (-f TEXT | --ids FILE) -o STATS [OPTION]...\n"
    "mpirun -n RANKS ithaca calibrate ...",
    "Runs a text and writes the mean square of each column that each matrix reads. With --stats STATS, the weights of\n"
    "a float checkpoint are quantized to lose least where the model reads most. The text is tokenized as it is.",
    "  ithaca calibrate -m Qwen3-8B -f sample.txt -o qwen3-8b.stats\n"
    "  ithaca pack Qwen3-8B -o qwen3-8b.ith --quant w4 --stats qwen3-8b.stats\n",
};

typedef struct calibrate_args {
    ith_model_args model;
    ith_corpus corpus;
    const char *output;
    int64_t window;
} calibrate_args;

static int parse(const ith_cli *cli, int argc, char **argv, calibrate_args *args, ith_engine_params *params)
{
    ith_arg table[ITH_ARGS_MAX] = {
        {"output", 'o', ITH_ARG_TEXT, "STATS", "the file to write", &args->output, 0, 0},
        {"window", 0, ITH_ARG_INT, "N", "tokens that see each other (default 2048)", &args->window, 1, 1e9},
    };
    size_t n = 2;
    int code;

    ith_corpus_args_insert(&args->corpus, table, &n);
    ith_model_args_append(&args->model, table, &n);
    code = ith_args_parse(cli, &manual, table, n, argc, argv);
    if (code == ITH_ARGS_OK)
        code = ith_corpus_args_check(cli, argv[0], &args->corpus);
    if (code != ITH_ARGS_OK)
        return code;
    if (args->output == NULL)
        return ith_args_wrong(cli, argv[0], "-o STATS is missing");
    return ith_model_args_check(cli, argv[0], &args->model, params);
}

static ith_status work(const ith_cli *cli, calibrate_args *args, const ith_engine_params *params, ith_error *err)
{
    ith_corpus *corpus = &args->corpus;
    ith_calibrate_params calibration = {.output = args->output, .window = args->window};
    ith_engine *engine = NULL;
    ith_status status;

    ITH_CHECK(ith_cli_agree(cli, cli->rank == 0 ? ith_corpus_read(corpus, err) : ITH_OK));
    ITH_CHECK(ith_engine_open(cli->world, params, &engine, err));
    ITH_CHECK(ith_cli_agree(cli, cli->rank == 0 ? ith_corpus_tokenize(corpus, engine, err) : ITH_OK));
    calibration.ids = corpus->ids.data;
    calibration.n_ids = corpus->ids.n;
    ITH_CHECK(ith_calibrate(engine, &calibration, err));
done:
    ith_engine_close(engine);
    return status;
}

int ith_cmd_calibrate(const ith_cli *cli, int argc, char **argv)
{
    calibrate_args args = {.model = ith_model_args_default()};
    ith_engine_params params;
    ith_watch watch = {0};
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&watch, cli, args.model.quiet, &params);
    status = work(cli, &args, &params, &err);
    ith_watch_end(&watch);
    code = status == ITH_OK ? ITH_EXIT_DONE : ith_cli_failure(cli, status, &err);
    if (status == ITH_OK && args.model.json && cli->rank == 0)
        code = ith_cli_write_json(cli, json_pack("{s:s, s:I}", "output", args.output, "tokens", (json_int_t)args.corpus.ids.n));
    else if (status == ITH_OK && !args.model.quiet)
        ith_cli_say(cli, "%s: statistics of %zu tokens", args.output, args.corpus.ids.n);
    ith_corpus_free(&args.corpus);
    return code;
}
