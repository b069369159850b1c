/* watch.h - what the subcommands hand to the engine as its progress function: shows it, and passes on the wish to stop. */
#ifndef ITH_CLI_WATCH_H
#define ITH_CLI_WATCH_H

#include "base/progress.h"
#include "cli/command.h"

typedef struct ith_watch {
    const ith_cli *cli;
    ith_progress progress;
    bool quiet;
    const ith_world *world; /* NULL: no memory and no bytes sent in its lines */
    int64_t before,
        total; /* several calls shown as one: what earlier ones did, and all together; total 0: one call */
} ith_watch;

/* An ith_progress_fn; `user` is an ith_watch. */
bool ith_watch_progress(void *user, const char *what, int64_t done, int64_t total);

/* An ith_sizes_fn: says them if they are a gibibyte or more together; the time left is foretold by what they say of depth. */
void ith_watch_sizes(void *user, const ith_sizes *sizes);

/* The engine's progress and sizes go to the watch; its lines show the world's memory and bytes sent. */
void ith_watch_engine(ith_watch *watch, const ith_cli *cli, bool quiet, ith_engine_params *params);

/* An ith_warning_fn; `user` is an ith_watch. */
void ith_watch_warning(void *user, const char *text);

/* Ends the terminal's line: before anything else is printed. */
void ith_watch_end(ith_watch *watch);

#endif
