/* watch.h - what the subcommands hand to the engine as its progress function: shows it, and passes on the wish to stop. */
#ifndef ITH_CLI_WATCH_H
#define ITH_CLI_WATCH_H

#include "base/progress.h"
#include "cli/command.h"

typedef struct ith_watch {
    ith_progress progress;
    bool quiet;
    int64_t before, total; /* several calls shown as one: what earlier ones did, and all together; total 0: one call */
} ith_watch;

/* An ith_progress_fn; `user` is an ith_watch. */
bool ith_watch_progress(void *user, const char *what, int64_t done, int64_t total);

/* Ends the terminal's line: before anything else is printed. */
void ith_watch_end(ith_watch *watch);

#endif
