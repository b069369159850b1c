/* watch.c - shows the engine's progress and hears of signals. */
#include "cli/watch.h"

#include "cli/signals.h"

#include <stdio.h>
#include <string.h>

/* ", 1.2 GB of memory, 350 MB sent" */
static void describe_usage(const ith_world *world, char text[100])
{
    ith_usage usage = ith_world_usage(world);
    char memory[32], sent[32];

    ith_format_bytes(memory, (double)usage.resident);
    ith_format_bytes(sent, (double)usage.sent);
    snprintf(text, 100, ", %s of memory%s%s%s", memory, usage.sent > 0 ? ", " : "",
             usage.sent > 0 ? sent : "", usage.sent > 0 ? " sent" : "");
}

static ith_unit unit_of(const char *what)
{
    static const char *const bytes[] = {"load", "measure", "pack", "verify"};

    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        if (strcmp(what, bytes[i]) == 0)
            return ITH_UNIT_BYTES;
    return strcmp(what, "kernels") == 0 ? ITH_UNIT_NONE : ITH_UNIT_TOKENS;
}

bool ith_watch_progress(void *user, const char *what, int64_t done, int64_t total)
{
    ith_watch *watch = user;
    char more[100] = "";
    ith_unit unit = unit_of(what);

    if (unit == ITH_UNIT_TOKENS && watch->total > 0) {
        done += watch->before;
        total = watch->total;
    }
    if (watch->world != NULL && unit == ITH_UNIT_TOKENS && !watch->quiet)
        describe_usage(watch->world, more);
    if (!watch->quiet)
        ith_progress_update(&watch->progress, what, unit, done, total, more);
    return ith_stop_signal() == 0;
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

void ith_watch_sizes(void *user, const ith_sizes *sizes)
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

void ith_watch_engine(ith_watch *watch, const ith_cli *cli, bool quiet, ith_engine_params *params)
{
    watch->cli = cli;
    watch->quiet = quiet || cli->rank != 0;
    watch->world = cli->world;
    params->progress = ith_watch_progress;
    params->progress_user = watch;
    params->sizes = ith_watch_sizes;
}
