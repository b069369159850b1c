/* watch.c - shows the engine's progress and hears of signals. */
#include "cli/watch.h"

#include "cli/ranks_text.h"
#include "cli/signals.h"

#include <stdio.h>
#include <string.h>

/* An ith_progress_more_fn: bytes sent, and memory. */
static int describe_usage(void *user, char more[ITH_PROGRESS_MORE][32])
{
    const ith_watch *watch = user;
    ith_usage usage = ith_world_usage(watch->world);
    char amount[32];
    int n = 0;

    ith_format_bytes(amount, (double)usage.resident);
    snprintf(more[n++], 32, "%.20s of memory", amount);
    if (usage.sent > 0) {
        ith_format_bytes(amount, (double)usage.sent);
        snprintf(more[n++], 32, "%.20s sent", amount);
    }
    return n;
}

static ith_unit unit_of(const char *what)
{
    static const char *const bytes[] = {"load", "measure", "pack", "verify", "download"};

    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        if (strcmp(what, bytes[i]) == 0)
            return ITH_UNIT_BYTES;
    return strcmp(what, "kernels") == 0 ? ITH_UNIT_NONE : ITH_UNIT_TOKENS;
}

bool ith_watch_progress(void *user, const char *what, int64_t done, int64_t total)
{
    ith_watch *watch = user;
    ith_unit unit = unit_of(what);

    if (unit == ITH_UNIT_TOKENS && watch->total > 0) {
        done += watch->before;
        total = watch->total;
    }
    if (!watch->quiet && total > 0) /* 0: it is not known yet */
        ith_progress_update(&watch->progress, what, unit, done, total);
    return ith_stop_signal() == 0;
}

static void show_chunk(void *user, int64_t tokens, double share)
{
    ith_watch *watch = user;

    if (!watch->quiet)
        ith_progress_within(&watch->progress,
                            (double)watch->progress.recent_done + share * (double)tokens);
}

void ith_watch_end(ith_watch *watch)
{
    ith_progress_end(&watch->progress);
}

void ith_watch_warning(void *user, const char *text)
{
    ith_watch *watch = user;

    ith_watch_end(watch);
    ith_cli_warning(watch->cli, "%s", text);
}

/* Prints the sizes if they exceed 1 GiB together; forecasts use their key_share. */
static void show_sizes(void *user, const ith_sizes *sizes)
{
    ith_watch *watch = user;
    char weights[32], kv[32], work[32];

    watch->progress.forecast.key_share = sizes->key_share;
    if (watch->quiet || sizes->weights + sizes->kv + sizes->work < 1 << 30)
        return;
    ith_watch_end(watch);
    ith_format_bytes(weights, (double)sizes->weights);
    ith_format_bytes(kv, (double)sizes->kv);
    ith_format_bytes(work, (double)sizes->work);
    ith_cli_say(watch->cli,
                "weights %s per node; per rank: KV cache %s at %lld tokens, activations %s",
                weights, kv, (long long)sizes->ctx, work);
}

/* Notes what is wrong, and shows the table if that is asked for. */
static void note_ranks(void *user, const char *json)
{
    ith_watch *watch = user;
    json_t *table = watch->quiet ? NULL : json_loads(json, 0, NULL);
    const json_t *line;
    size_t i;

    if (table == NULL)
        return;
    ith_watch_end(watch);
    if (watch->show_ranks)
        ith_cli_print_ranks(table);
    json_array_foreach (json_object_get(table, "warnings"), i, line)
        ith_cli_note(watch->cli, "%s", json_string_value(line));
    json_decref(table);
}

void ith_watch_engine(ith_watch *watch, const ith_cli *cli, bool quiet, ith_engine_params *params)
{
    watch->cli = cli;
    watch->quiet = quiet || cli->rank != 0;
    watch->world = cli->world;
    watch->progress.more = describe_usage;
    watch->progress.user = watch;
    params->progress = ith_watch_progress;
    params->progress_user = watch;
    params->chunk_progress = show_chunk;
    params->sizes = show_sizes;
    params->ranks = note_ranks;
    watch->show_ranks = params->measure_network;
    if (params->exact)
        ith_stop_soon();
}
