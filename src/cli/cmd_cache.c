/* cmd_cache.c - what lies in a prompt cache's folder: ls, rm, verify. */
#include "cli/arguments.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const ith_manual manual = {
    "ithaca cache ls DIR [--json]\n"
    "ithaca cache rm DIR (--key KEY | --all)\n"
    "ithaca cache verify DIR",
    "The folder of run's --prompt-cache (and the kv folder of a --checkpoint). ls: the prompts in it, by the key of "
    "their last segment. rm: one\n"
    "of them, but for what others share with it, or all. verify: reads everything and compares all checksums.",
    "  ithaca cache ls ~/.cache/ithaca\n"
    "  ithaca cache rm ~/.cache/ithaca --key 5f4c98\n"
    "  ithaca cache verify ~/.cache/ithaca\n",
};

typedef struct cache_args {
    const char *folder, *key;
    bool all, json, quiet;
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

    json_array_foreach(segments, i, s)
    {
        if (strcmp(word(s, "key"), key) == 0)
            return s;
    }
    return NULL;
}

static bool is_end(const json_t *segments, const json_t *segment)
{
    const json_t *s;
    size_t i;

    json_array_foreach(segments, i, s)
    {
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
    json_array_foreach(segments, i, s)
    {
        time_t used = (time_t)number(s, "used");
        struct tm local;
        char when[32] = "";
        if (!is_end(segments, s))
            continue;
        if (localtime_r(&used, &local) != NULL)
            strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
        printf("%-12.12s %10lld %8.1f  %-16s  %-4s  %s%s\n", word(s, "key"),
               (long long)(number(s, "start") + number(s, "tokens")), (double)timeline_bytes(segments, s) / (1 << 20),
               when, word(s, "kv"), word(s, "model"),
               json_is_true(json_object_get(s, "complete")) ? "" : " (incomplete)");
    }
    printf("%zu segments, %.1f MiB\n", json_array_size(segments), (double)number(list, "bytes") / (1 << 20));
}

/* ---- The three ---- */

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
    if (!args->json)
        print_list(*result);
    return ITH_EXIT_DONE;
}

static int remove_cache(const ith_cli *cli, const cache_args *args, json_t **result)
{
    char *text = NULL;
    ith_error err = {0};
    ith_status status;

    if ((args->key == NULL) == !args->all)
        return ith_args_wrong(cli, "cache", "rm takes either --key KEY or --all");
    status = ith_cache_remove(args->folder, args->key, &text, &err);
    status = take(status, text, result);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    if (!args->json)
        printf("removed %lld segments, %.1f MiB\n", (long long)number(*result, "segments"),
               (double)number(*result, "bytes") / (1 << 20));
    return ITH_EXIT_DONE;
}

static int verify_cache(const ith_cli *cli, const cache_args *args, json_t **result)
{
    ith_watch watch = {.quiet = args->quiet};
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
    json_array_foreach(damaged, i, line) ith_cli_say(cli, "%s", json_string_value(line));
    if (!args->json)
        printf("%lld segments, %.1f MiB: %zu damaged, %lld incomplete\n", (long long)number(*result, "segments"),
               (double)number(*result, "bytes") / (1 << 20), json_array_size(damaged),
               (long long)number(*result, "incomplete"));
    return json_array_size(damaged) > 0 ? ITH_EXIT_FAILED : ITH_EXIT_DONE;
}

static int parse(const ith_cli *cli, int argc, char **argv, cache_args *args)
{
    const ith_arg table[] = {
        {"dir", 0, ITH_ARG_TEXT, "DIR", "the folder; may stand by itself", &args->folder, 0, 0},
        {"key", 0, ITH_ARG_TEXT, "KEY",
         "rm: the prompt that ends with this segment, as ls names it, or how that begins", &args->key, 0, 0},
        {"all", 0, ITH_ARG_FLAG, NULL, "rm: everything", &args->all, 0, 0},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout; ls: all segments", &args->json, 0, 0},
        {"quiet", 'q', ITH_ARG_FLAG, NULL, "no progress on stderr", &args->quiet, 0, 0},
    };
    int code;

    ith_args_take_model(&argc, &argv, &args->folder);
    code = ith_args_parse(cli, &manual, table, sizeof table / sizeof table[0], argc, argv);
    if (code == ITH_ARGS_OK && args->folder == NULL)
        return ith_args_wrong(cli, "cache", "the folder is missing");
    return code;
}

int ith_cmd_cache(const ith_cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const ith_cli *cli, const cache_args *args, json_t **result);
    } tasks[] = {{"ls", list_cache}, {"rm", remove_cache}, {"verify", verify_cache}};
    cache_args args = {0};
    const char *task = "";
    json_t *result = NULL;
    size_t i = 0;
    int code;

    ith_args_take_model(&argc, &argv, &task);
    code = parse(cli, argc, argv, &args);
    if (code != ITH_ARGS_OK)
        return code;
    while (i < sizeof tasks / sizeof tasks[0] && strcmp(task, tasks[i].name) != 0)
        i++;
    if (i == sizeof tasks / sizeof tasks[0])
        return ith_args_wrong(cli, "cache", "what to do is missing: ls, rm or verify");
    code = tasks[i].run(cli, &args, &result);
    if (args.json && result != NULL) {
        int written = ith_cli_write_json(cli, result);
        return code != ITH_EXIT_DONE ? code : written;
    }
    json_decref(result);
    return code;
}
