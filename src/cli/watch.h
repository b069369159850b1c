/* watch.h - what commands hand to the engine as its progress functions: shows progress, and passes
 * on the wish to stop. */
#ifndef ITH_CLI_WATCH_H
#define ITH_CLI_WATCH_H

#include "base/progress.h"
#include "cli/command.h"

typedef struct ith_watch {
    const ith_cli *cli;
    ith_progress progress;
    bool quiet;
    const ith_world *world; /* NULL: lines show no memory and no bytes sent */

    /* Several calls shown as one: tokens of earlier calls, and of all. total 0: one call. */
    int64_t before, total;

    bool show_ranks; /* the table of ranks, and not only what is wrong there */
} ith_watch;

/* The engine's progress and sizes go to the watch, which must not move any more. */
void ith_watch_engine(ith_watch *watch, const ith_cli *cli, bool quiet, ith_engine_params *params);

/* Ends the terminal's line. To be called before anything else is printed. */
void ith_watch_end(ith_watch *watch);

/* ---- Callbacks; `user` is an ith_watch ---- */

/* An ith_progress_fn. */
bool ith_watch_progress(void *user, const char *what, int64_t done, int64_t total);

/* An ith_warning_fn. */
void ith_watch_warning(void *user, const char *text);

#endif
