/* cmd_pull.c - downloads a model from Hugging Face's hub. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/signals.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pull_args {
    const char *model, *revision;
    int64_t at_once;
    bool dry_run;
    ith_output_args output;
} pull_args;

static const ith_option options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = ITH_OPTION_TEXT,
     .metavar = "NAME",
     .at = offsetof(pull_args, model),
     .help = "ORG/NAME, or ORG/NAME:FILE",
     .more = "May also be given as an argument of its own, without -m. FILE is a file of the "
             "repository, or a tag in the name of a GGUF file, such as Q4_K_M. Without it the "
             "model is the Hugging Face folder, if there is one with safetensors; else the GGUF "
             "file with Q4_K_M or Q8_0 in its name, or the only one. All files of a split model "
             "are downloaded."},
    {.name = "revision",
     .kind = ITH_OPTION_TEXT,
     .metavar = "REV",
     .at = offsetof(pull_args, revision),
     .otherwise = "main",
     .help = "branch, tag or commit",
     .more = "ORG/NAME@REV:FILE means the same, here and as the model of other commands."},
    {.name = "at-once",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(pull_args, at_once),
     .preset = "4",
     .min = 1,
     .max = 16,
     .help = "files to download at a time"},
    {.name = "dry-run",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(pull_args, dry_run),
     .help = "list the files and their sizes without downloading"},
    {.name = NULL},
};

static const ith_option_group group = {"Model", options};

static const ith_group_use groups[] = {
    {&group, 0},
    {&ith_group_json, offsetof(pull_args, output)},
    {&ith_group_quiet, offsetof(pull_args, output)},
    {NULL, 0},
};

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_files(const json_t *result)
{
    const json_t *file;
    char bytes[32];
    size_t i;

    json_array_foreach (json_object_get(result, "files"), i, file) {
        ith_format_bytes(bytes, number(file, "bytes"));
        printf("%10s  %s%s\n", bytes, text(file, "name"),
               json_is_true(json_object_get(file, "cached")) ? "  (there)" : "");
    }
}

static void say_result(const ith_cli *cli, const json_t *result, double seconds)
{
    char bytes[32], received[32], time[32];
    size_t n = json_array_size(json_object_get(result, "files"));

    ith_format_bytes(bytes, number(result, "bytes"));
    ith_format_bytes(received, number(result, "received"));
    ith_format_time(time, seconds);
    if (number(result, "received") > 0)
        ith_cli_say(cli, "%zu file%s, %s; %s downloaded in %s", n, n == 1 ? "" : "s", bytes,
                    received, time);
    else
        ith_cli_say(cli, "%zu file%s, %s; nothing had to be downloaded", n, n == 1 ? "" : "s",
                    bytes);
}

static int report(const ith_cli *cli, const pull_args *args, json_t *result, double seconds)
{
    if (args->output.json)
        return ith_cli_write_json(cli, json_incref(result));
    if (args->dry_run) {
        print_files(result);
        return ITH_EXIT_DONE;
    }
    if (!args->output.quiet)
        say_result(cli, result, seconds);
    printf("%s\n", text(result, "path")); /* main reports a failed write */
    return ITH_EXIT_DONE;
}

static int pull_main(const ith_cli *cli, int argc, char **argv)
{
    pull_args args = {0};
    ith_pull_params params = ith_pull_params_default();
    ith_watch watch = {.cli = cli};
    double start_s = ith_now_s();
    json_t *result = NULL;
    ith_error err = {0};
    ith_status status;
    char *json = NULL;
    int code = ith_args_parse(cli, &ith_command_pull, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args.model == NULL)
        return ith_args_wrong(cli, argv[0], "NAME is missing");
    watch.quiet = args.output.quiet || args.dry_run;
    params.model = args.model;
    params.revision = args.revision;
    params.at_once = (int)args.at_once;
    params.dry_run = args.dry_run;
    params.progress = ith_watch_progress;
    params.progress_user = &watch;
    ith_stop_listen(true); /* what has come is kept, and locks are released */
    status = ith_pull(&params, &json, &err);
    ith_watch_end(&watch);
    if (status == ITH_E_CANCELLED && !args.output.quiet)
        ith_cli_say(cli, "stopped; run the same command again to resume the download");
    if (status == ITH_E_ARGUMENT)
        return ith_args_wrong(cli, argv[0], "%s", err.text);
    if (status == ITH_OK)
        result = json_loads(json, 0, NULL);
    code = result != NULL ? report(cli, &args, result, ith_now_s() - start_s)
                          : ith_cli_failure(cli, status, &err);
    json_decref(result);
    free(json);
    return code;
}

const ith_command ith_command_pull = {
    .name = "pull",
    .summary = "download a model from Hugging Face's hub",
    .synopsis = "pull ORG/NAME[:FILE] [--revision REV] [--at-once N] [--dry-run]",
    .description =
        "Downloads a model into the cache that Hugging Face's own programs use, and prints its "
        "path. Other commands find it there by the same name: ithaca run ORG/NAME. Files in the "
        "cache are not downloaded again. An interrupted download resumes. Each file is checked "
        "against the checksum that the hub lists.\n\n"
        "HF_HOME or HF_HUB_CACHE sets the folder of the cache. HF_TOKEN, or the token stored by hf "
        "auth login, gives access to gated and private models. HF_ENDPOINT sets another hub, and "
        "https_proxy a proxy. No other command uses the network.",
    .examples = "ithaca pull Qwen/Qwen3-8B\n"
                "ithaca pull Qwen/Qwen3-8B-GGUF:Q8_0\n"
                "ithaca run Qwen/Qwen3-8B-GGUF:Q8_0 -p \"What is the capital of France?\"\n"
                "ithaca pull Qwen/Qwen3-8B --dry-run\n",
    .groups = groups,
    .operand = "model",
    .run = pull_main,
};
