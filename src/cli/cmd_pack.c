/* pack.c - any model to one file in the form in which it is computed with. */
#include "cli/arguments.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>

static const ith_manual manual = {
    "ithaca pack MODEL -o FILE.ith [OPTION]...",
    "Converts a model into one file that is run where it lies: nothing is converted at load.",
    "  ithaca pack Qwen3-8B -o qwen3-8b.ith\n"
    "  ithaca pack Qwen3-8B -o qwen3-8b.ith --quant w4\n"
    "  ithaca pack Qwen3-8B -o qwen3-8b-bf16.ith --quant keep --zstd 3\n"
    "  ithaca pack model.gguf -o model.ith && ithaca inspect model.ith --verify\n",
};

typedef struct pack_args {
    const char *model, *output, *stats;
    int64_t zstd, threads;
    int quant;
    bool force, json, quiet;
} pack_args;

static int parse(const ith_cli *cli, int argc, char **argv, pack_args *args)
{
    const ith_arg table[] = {
        {"model", 'm', ITH_ARG_TEXT, "MODEL", "a Hugging Face folder, a .gguf file, a pack", &args->model, 0, 0},
        {"output", 'o', ITH_ARG_TEXT, "FILE", "the pack to write", &args->output, 0, 0},
        {"quant", 0, ITH_ARG_CHOICE, "w8|w4|bf16|f32|keep",
         "float weights (default w8; keep: without loss). Quantized ones keep their bits", &args->quant, 0, 0},
        {"stats", 0, ITH_ARG_TEXT, "FILE", "of ithaca calibrate: float weights are quantized to suit its text",
         &args->stats, 0, 0},
        {"zstd", 0, ITH_ARG_INT, "LEVEL", "compress what gets 3% smaller by it, 0 to 22 (default: bf16 and f32 at 1)",
         &args->zstd, 0, 22},
        {"threads", 't', ITH_ARG_INT, "T", "threads (default: all cores)", &args->threads, 0, 4096},
        {"force", 0, ITH_ARG_FLAG, NULL, "replace the file if it is there", &args->force, 0, 0},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout: bytes, seconds, what each layout takes, is the keys' mean in it",
         &args->json, 0, 0},
        {"quiet", 'q', ITH_ARG_FLAG, NULL, "no progress on stderr", &args->quiet, 0, 0},
    };
    int code;

    ith_args_take_model(&argc, &argv, &args->model);
    code = ith_args_parse(cli, &manual, table, sizeof table / sizeof table[0], argc, argv);
    if (code != ITH_ARGS_OK)
        return code;
    if (args->model == NULL || args->output == NULL)
        return ith_args_wrong(cli, argv[0], "%s is missing", args->model == NULL ? "MODEL" : "-o FILE");
    return ITH_ARGS_OK;
}

static void print_report(const json_t *report)
{
    const json_t *layout;
    const char *name;

    json_object_foreach((json_t *)json_object_get(report, "layouts"), name, layout)
    {
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

int ith_cmd_pack(const ith_cli *cli, int argc, char **argv)
{
    ith_pack_params params = ith_pack_params_default();
    pack_args args = {.quant = (int)params.quant, .zstd = params.zstd_level};
    ith_watch watch = {0};
    ith_error err = {0};
    char *text = NULL;
    json_t *report;
    ith_status status;
    int code = parse(cli, argc, argv, &args);

    if (code != ITH_ARGS_OK)
        return code;
    params.model = args.model;
    params.output = args.output;
    params.quant = (ith_quant)args.quant;
    params.stats = args.stats;
    params.zstd_level = (int)args.zstd;
    params.threads = (int)args.threads;
    params.force = args.force;
    params.progress = ith_watch_progress;
    params.progress_user = &watch;
    watch.quiet = args.quiet;
    status = ith_pack(&params, &text, &err);
    ith_watch_end(&watch);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    report = json_loads(text, 0, NULL);
    free(text);
    if (!args.quiet && !json_is_true(json_object_get(report, "key_means")))
        ith_cli_say(cli,
                    "note: %s holds no mean of its keys (%s): each load measures it, which takes some seconds; with "
                    "more memory \"ithaca pack %s -o NEW.ith\" adds it",
                    args.output, json_string_value(json_object_get(report, "key_means_missing")), args.output);
    if (args.json)
        return ith_cli_write_json(cli, report);
    print_report(report);
    json_decref(report);
    return ITH_EXIT_DONE;
}
