/* calibrate - what the matrices of a model read in a text. */
#include "cli/arguments.h"
#include "cli/input.h"
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
    const char *file, *ids_file, *output;
    int64_t window;
} calibrate_args;

static int parse(const ith_cli *cli, int argc, char **argv, calibrate_args *args, ith_engine_params *params)
{
    ith_arg table[ITH_ARGS_MAX] = {
        {"file", 'f', ITH_ARG_TEXT, "TEXT", "a text file; - is standard input", &args->file, 0, 0},
        {"ids", 0, ITH_ARG_TEXT, "FILE", "token ids, separated by white space or commas", &args->ids_file, 0, 0},
        {"output", 'o', ITH_ARG_TEXT, "STATS", "the file to write", &args->output, 0, 0},
        {"window", 0, ITH_ARG_INT, "N", "tokens that see each other (default 2048)", &args->window, 1, 1e9},
    };
    size_t n = 4;
    int code;

    ith_model_args_append(&args->model, table, &n);
    code = ith_args_parse(cli, &manual, table, n, argc, argv);
    if (code != ITH_ARGS_OK)
        return code;
    if ((args->file == NULL) == (args->ids_file == NULL))
        return ith_args_wrong(cli, argv[0], "give either -f TEXT or --ids FILE");
    if (args->output == NULL)
        return ith_args_wrong(cli, argv[0], "-o STATS is missing");
    return ith_model_args_check(cli, argv[0], &args->model, params);
}

/* Rank 0's. */
static ith_status read_ids(const ith_engine *engine, const calibrate_args *args, ith_ids *ids, ith_error *err)
{
    ith_text text = {0};
    ith_status status;

    if (args->ids_file != NULL)
        return ith_read_ids(args->ids_file, ids, err);
    status = ith_read_text(args->file, &text, err);
    if (status == ITH_OK && ith_engine_vocab(engine) == NULL)
        status = ith_fail(err, ITH_E_ARGUMENT, "%s has no tokenizer: give --ids instead of -f", args->model.model);
    if (status == ITH_OK)
        status = ith_tokenize(engine, text.data, text.len, 0, &ids->data, &ids->n, err);
    ith_text_free(&text);
    return status;
}

static ith_status work(const ith_cli *cli, const calibrate_args *args, const ith_engine_params *params, ith_ids *ids,
                       ith_error *err)
{
    ith_calibrate_params calibration = {.output = args->output, .window = args->window};
    ith_engine *engine = NULL;
    ith_status status;

    ITH_CHECK(ith_engine_open(cli->world, params, &engine, err));
    status = cli->rank == 0 ? read_ids(engine, args, ids, err) : ITH_OK;
    ITH_CHECK(ith_cli_agree(cli, status));
    calibration.ids = ids->data;
    calibration.n_ids = ids->n;
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
    ith_ids ids = {0};
    ith_error err = {0};
    ith_status status;
    int code = parse(cli, argc, argv, &args, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&watch, cli, args.model.quiet, &params);
    status = work(cli, &args, &params, &ids, &err);
    ith_watch_end(&watch);
    code = status == ITH_OK ? ITH_EXIT_DONE : ith_cli_failure(cli, status, &err);
    if (status == ITH_OK && args.model.json && cli->rank == 0)
        code = ith_cli_write_json(cli, json_pack("{s:s, s:I}", "output", args.output, "tokens", (json_int_t)ids.n));
    else if (status == ITH_OK && !args.model.quiet)
        ith_cli_say(cli, "%s: statistics of %zu tokens", args.output, ids.n);
    free(ids.data);
    return code;
}
