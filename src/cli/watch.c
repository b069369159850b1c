#include "cli/watch.h"

#include "cli/signals.h"

#include <string.h>

bool ith_watch_progress(void *user, const char *what, int64_t done, int64_t total)
{
    ith_watch *watch = user;
    bool load = strcmp(what, "load") == 0, bytes = load || strcmp(what, "pack") == 0 || strcmp(what, "verify") == 0;
    ith_unit unit = bytes ? ITH_UNIT_BYTES : strcmp(what, "kernels") == 0 ? ITH_UNIT_NONE : ITH_UNIT_TOKENS;

    if (!load && watch->total > 0) {
        done += watch->before;
        total = watch->total;
    }
    if (!watch->quiet)
        ith_progress_update(&watch->progress, what, unit, done, total);
    return ith_stop_signal() == 0;
}

void ith_watch_end(ith_watch *watch)
{
    ith_progress_end(&watch->progress);
}
