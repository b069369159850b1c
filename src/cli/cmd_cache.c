/* cmd_cache.c - lists, removes and verifies what a prompt cache holds. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/watch.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct cache_args {
    const char *folder, *key;
    bool all;
    ith_output_args output;
} cache_args;

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *word(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- ls ---- */

static const json_t *find_segment(const json_t *segments, const char *key)
{
    const json_t *s;
    size_t i;

    json_array_foreach (segments, i, s) {
        if (strcmp(word(s, "key"), key) == 0)
            return s;
    }
    return NULL;
}

static bool is_end(const json_t *segments, const json_t *segment)
{
    const json_t *s;
    size_t i;

    json_array_foreach (segments, i, s) {
        if (strcmp(word(s, "parent"), word(segment, "key")) == 0)
            return false;
    }
    return true;
}

/* Bytes from a timeline's end to its start. */
static int64_t timeline_bytes(const json_t *segments, const json_t *end)
{
    int64_t bytes = 0;

    for (size_t i = 0; end != NULL && i <= json_array_size(segments); i++) {
        bytes += number(end, "bytes");
        end = find_segment(segments, word(end, "parent"));
    }
    return bytes;
}

static void print_list(const json_t *list)
{
    const json_t *segments = json_object_get(list, "segments"), *s;
    size_t i;

    printf("%-12s %10s %8s  %-16s  %-4s  %s\n", "key", "tokens", "MiB", "last used", "kv", "model");
    json_array_foreach (segments, i, s) {
        time_t used = (time_t)number(s, "used");
        struct tm local;
        char when[32] = "";
        if (!is_end(segments, s))
            continue;
        if (localtime_r(&used, &local) != NULL)
            strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
        printf("%-12.12s %10lld %8.1f  %-16s  %-4s  %s%s\n", word(s, "key"),
               (long long)(number(s, "start") + number(s, "tokens")),
               (double)timeline_bytes(segments, s) / (1 << 20), when, word(s, "kv"),
               word(s, "model"),
               json_is_true(json_object_get(s, "complete")) ? "" : " (incomplete)");
    }
    printf("%zu segments, %.1f MiB\n", json_array_size(segments),
           (double)number(list, "bytes") / (1 << 20));
}

/* ---- The commands ---- */

static ith_status take(ith_status status, char *text, json_t **result)
{
    *result = status == ITH_OK ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return status;
}

static int list_cache(const ith_cli *cli, const cache_args *args, json_t **result)
{
    char *text = NULL;
    ith_error err = {0};
    ith_status status = ith_cache_list(args->folder, &text, &err);

    status = take(status, text, result);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    if (!args->output.json)
        print_list(*result);
    return ITH_EXIT_DONE;
}

static int remove_cache(const ith_cli *cli, const cache_args *args, json_t **result)
{
    char *text = NULL;
    ith_error err = {0};
    ith_status status;

    if ((args->key == NULL) == !args->all)
        return ith_args_wrong(cli, "cache rm", "expected either --key KEY or --all");
    status = ith_cache_remove(args->folder, args->key, &text, &err);
    status = take(status, text, result);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    if (!args->output.json)
        printf("removed %lld segments, %.1f MiB\n", (long long)number(*result, "segments"),
               (double)number(*result, "bytes") / (1 << 20));
    return ITH_EXIT_DONE;
}

static int verify_cache(const ith_cli *cli, const cache_args *args, json_t **result)
{
    ith_watch watch = {.cli = cli, .quiet = args->output.quiet};
    char *text = NULL;
    ith_error err = {0};
    const json_t *damaged, *line;
    size_t i;
    ith_status status = ith_cache_verify(args->folder, ith_watch_progress, &watch, &text, &err);

    ith_watch_end(&watch);
    status = take(status, text, result);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    damaged = json_object_get(*result, "damaged");
    json_array_foreach (damaged, i, line)
        ith_cli_error(cli, "%s", json_string_value(line));
    if (!args->output.json)
        printf("%lld segments, %.1f MiB: %zu damaged, %lld incomplete\n",
               (long long)number(*result, "segments"), (double)number(*result, "bytes") / (1 << 20),
               json_array_size(damaged), (long long)number(*result, "incomplete"));
    return json_array_size(damaged) > 0 ? ITH_EXIT_FAILED : ITH_EXIT_DONE;
}

static const ith_option folder_options[] = {
    {.name = "dir",
     .kind = ITH_OPTION_FILE,
     .metavar = "DIR",
     .at = offsetof(cache_args, folder),
     .help = "folder of run's --prompt-cache",
     .more = "May also be given as an argument of its own, without --dir. The kv folder of a "
             "--checkpoint is one too."},
    {.name = NULL},
};

static const ith_option remove_options[] = {
    {.name = "key",
     .kind = ITH_OPTION_TEXT,
     .metavar = "KEY",
     .at = offsetof(cache_args, key),
     .help = "the prompt with this key, as shown by ls",
     .more = "The beginning of the key is enough. What other prompts share with it stays."},
    {.name = "all", .kind = ITH_OPTION_FLAG, .at = offsetof(cache_args, all), .help = "everything"},
    {.name = NULL},
};

static const ith_option_group folder_group = {"Folder", folder_options};
static const ith_option_group remove_group = {"What to remove", remove_options};

static const ith_group_use groups[] = {
    {&folder_group, 0},
    {&ith_group_json, offsetof(cache_args, output)},
    {&ith_group_quiet, offsetof(cache_args, output)},
    {NULL, 0},
};

static const ith_group_use remove_groups[] = {
    {&folder_group, 0},
    {&remove_group, 0},
    {&ith_group_json, offsetof(cache_args, output)},
    {&ith_group_quiet, offsetof(cache_args, output)},
    {NULL, 0},
};

typedef int cache_fn(const ith_cli *cli, const cache_args *args, json_t **result);

static int run(const ith_cli *cli, const ith_command *command, cache_fn *task, int argc,
               char **argv)
{
    cache_args args = {0};
    json_t *result = NULL;
    int code = ith_args_parse(cli, command, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (args.folder == NULL)
        return ith_args_wrong(cli, command->name, "DIR is missing");
    code = task(cli, &args, &result);
    if (args.output.json && result != NULL) {
        int written = ith_cli_write_json(cli, result);
        return code != ITH_EXIT_DONE ? code : written;
    }
    json_decref(result);
    return code;
}

static int ls_main(const ith_cli *cli, int argc, char **argv)
{
    return run(cli, &ith_command_cache_ls, list_cache, argc, argv);
}

static int rm_main(const ith_cli *cli, int argc, char **argv)
{
    return run(cli, &ith_command_cache_rm, remove_cache, argc, argv);
}

static int verify_main(const ith_cli *cli, int argc, char **argv)
{
    return run(cli, &ith_command_cache_verify, verify_cache, argc, argv);
}

const ith_command ith_command_cache_ls = {
    .name = "cache ls",
    .summary = "list the prompts in a prompt cache",
    .synopsis = "cache ls DIR [--json]",
    .description = "Lists the prompts in a prompt cache, each by the key of its last segment; with "
                   "--json, all segments.",
    .examples = "ithaca cache ls ~/.cache/ithaca\n",
    .groups = groups,
    .operand = "dir",
    .run = ls_main,
};

const ith_command ith_command_cache_rm = {
    .name = "cache rm",
    .summary = "remove one prompt, or all, from a prompt cache",
    .synopsis = "cache rm DIR (--key KEY | --all)",
    .description = "Removes one prompt, or all, from a prompt cache.",
    .examples = "ithaca cache rm ~/.cache/ithaca --key 5f4c98\n",
    .groups = remove_groups,
    .operand = "dir",
    .run = rm_main,
};

const ith_command ith_command_cache_verify = {
    .name = "cache verify",
    .summary = "compare all checksums of a prompt cache",
    .synopsis = "cache verify DIR",
    .description = "Reads everything in a prompt cache and compares all checksums.",
    .examples = "ithaca cache verify ~/.cache/ithaca\n",
    .groups = groups,
    .operand = "dir",
    .run = verify_main,
};
