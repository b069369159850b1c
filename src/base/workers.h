/* workers.h - many independent items over a team of threads: with progress, a wish to stop, and errors. */
#ifndef ITH_BASE_WORKERS_H
#define ITH_BASE_WORKERS_H

#include "base/threads.h"

/* Does item `item` on thread `tid`. */
typedef ith_status (*ith_work_fn)(void *user, int64_t item, int tid, ith_error *err);

/* `done` of `total` items have at least been begun. Return false to stop. Called on the calling thread. */
typedef bool (*ith_work_progress_fn)(void *user, int64_t done, int64_t total);

typedef struct ith_work {
    int64_t n;    /* items 0 .. n-1, begun in rising order */
    int64_t grab; /* items that a thread takes at a time */
    ith_work_fn fn;
    ith_work_progress_fn progress; /* NULL: none */
    void *user;                    /* handed to both */
} ith_work;

/* Returns when all threads have. Of the items that fail the lowest one's status and text are given, whatever the number of
 * threads; items above it may be left undone. ITH_E_CANCELLED, without text, if progress asked to stop. */
ith_status ith_work_run(ith_team *team, const ith_work *work, ith_error *err);

#endif
