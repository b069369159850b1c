/* cmd_pack.c - writes any model as one file in the layouts that the kernels read. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct pack_args {
    const char *model, *output_path;
    ith_quant_args quant;
    int64_t zstd, threads;
    bool force;
    ith_output_args output;
} pack_args;

static const ith_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(pack_args, output_path),
     .help = "the pack to write",
     .more =
         "It appears under its name when it is complete; if ithaca is stopped before, nothing is "
         "left."},
    {.name = "force",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(pack_args, force),
     .help = "replace an existing file"},
    {.name = "zstd",
     .kind = ITH_OPTION_INT,
     .metavar = "LEVEL",
     .at = offsetof(pack_args, zstd),
     .max = 22,
     .otherwise = "1 for bf16 and f32, none for quantized weights",
     .help = "compress at this level, 0 (none) to 22",
     .more = "Matrices that become at least 3% smaller are compressed. Uncompressed ones are used "
             "where "
             "they are mapped, the others are decompressed when the model is loaded."},
    {.name = NULL},
};

static const ith_option_group group = {"Pack", options};

static const ith_group_use groups[] = {
    {&ith_group_model, offsetof(pack_args, model)},
    {&group, 0},
    {&ith_group_quant, offsetof(pack_args, quant)},
    {&ith_group_threads, offsetof(pack_args, threads)},
    {&ith_group_json, offsetof(pack_args, output)},
    {&ith_group_quiet, offsetof(pack_args, output)},
    {NULL, 0},
};

static int parse(const ith_cli *cli, int argc, char **argv, pack_args *args)
{
    int code = ith_args_parse(cli, &ith_command_pack, args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args->model == NULL || args->output_path == NULL)
        return ith_args_wrong(cli, argv[0], "%s is missing",
                              args->model == NULL ? "MODEL" : "-o FILE");
    return ITH_ARGS_OK;
}

static void print_report(const json_t *report)
{
    const json_t *layout;
    const char *name;

    json_object_foreach ((json_t *)json_object_get(report, "layouts"), name, layout) {
        double bytes = json_number_value(json_object_get(layout, "bytes")),
               stored = json_number_value(json_object_get(layout, "stored_bytes"));
        printf("%-8s %5lld tensors %15.0f bytes", name,
               (long long)json_integer_value(json_object_get(layout, "tensors")), bytes);
        if (stored < bytes)
            printf(", stored as %.0f (%.1f%%)", stored, 100 * stored / bytes);
        printf("\n");
    }
    printf("%s: %lld bytes in %.1f s\n", json_string_value(json_object_get(report, "output")),
           (long long)json_integer_value(json_object_get(report, "bytes")),
           json_number_value(json_object_get(report, "seconds")));
}

static int pack_main(const ith_cli *cli, int argc, char **argv)
{
    ith_pack_params params = ith_pack_params_default();
    pack_args args = {.quant.quant = (int)params.quant, .zstd = params.zstd_level};
    ith_watch watch = {.cli = cli};
    ith_error err = {0};
    char *text = NULL;
    json_t *report, *note;
    size_t i;
    ith_status status;
    int code = parse(cli, argc, argv, &args);

    if (code != ITH_ARGS_OK)
        return code;
    params.model = args.model;
    params.output = args.output_path;
    params.quant = (ith_quant)args.quant.quant;
    params.stats = args.quant.stats;
    params.zstd_level = (int)args.zstd;
    params.threads = (int)args.threads;
    params.force = args.force;
    params.progress = ith_watch_progress;
    params.progress_user = &watch;
    watch.quiet = args.output.quiet;
    ith_stop_listen(true);
    status = ith_pack(&params, &text, &err);
    ith_watch_end(&watch);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    report = json_loads(text, 0, NULL);
    free(text);
    json_array_foreach (json_object_get(report, "notes"), i, note)
        if (!args.output.quiet)
            ith_cli_note(cli, "%s", json_string_value(note));
    if (!args.output.quiet && !json_is_true(json_object_get(report, "key_means")))
        ith_cli_note(
            cli,
            "%s lacks the mean of the model's keys (%s): every load will measure it, which takes "
            "some seconds; with more memory, \"ithaca pack %s -o NEW.ith\" adds it",
            args.output_path, json_string_value(json_object_get(report, "key_means_missing")),
            args.output_path);
    if (args.output.json)
        return ith_cli_write_json(cli, report);
    print_report(report);
    json_decref(report);
    return ITH_EXIT_DONE;
}

const ith_command ith_command_pack = {
    .name = "pack",
    .summary = "convert a model to one file that loads at once",
    .synopsis = "pack MODEL -o FILE.ith [OPTION]...",
    .description =
        "Converts a model to a pack: one file with the weights in the layouts that the kernels "
        "read, "
        "a checksum for every 16 rows, the tokenizer and the chat template. A pack is used where "
        "it "
        "is mapped, nothing is converted when it is loaded. Float weights follow --quant, "
        "quantized "
        "ones keep their bits.\n\n"
        "The last step runs 64 tokens to measure the mean of the model's keys, which is otherwise "
        "measured at every load. If memory is too small for that, the pack is made without, "
        "and a note says so.",
    .examples = "ithaca pack Qwen3-8B -o qwen3-8b.ith\n"
                "ithaca pack Qwen3-8B -o qwen3-8b-w4.ith --quant w4 --stats qwen3-8b.stats\n"
                "ithaca pack Qwen3-8B -o qwen3-8b-bf16.ith --quant lossless --zstd 3\n",
    .groups = groups,
    .operand = "model",
    .run = pack_main,
};
