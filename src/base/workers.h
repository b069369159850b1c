/* workers.h - many independent items on a team of threads, with progress, cancellation and
 * errors. */
#ifndef ITH_BASE_WORKERS_H
#define ITH_BASE_WORKERS_H

#include "base/threads.h"

/* Does item `item` on thread `tid`. */
typedef ith_status (*ith_work_fn)(void *user, int64_t item, int tid, ith_error *err);

/* At least `done` of `total` items have been begun. Return false to stop. Called on the thread that
 * called ith_work_run. */
typedef bool (*ith_work_progress_fn)(void *user, int64_t done, int64_t total);

typedef struct ith_work {
    int64_t n;    /* items, begun in rising order */
    int64_t grab; /* items that a thread takes at a time */
    ith_work_fn fn;
    ith_work_progress_fn progress; /* NULL: none */
    void *user;                    /* handed to both */
} ith_work;

/* Returns when all threads have finished. If items fail, the status and text are those of the
 * lowest one, whatever the number of threads; items above it may be left undone. ITH_E_CANCELLED:
 * progress asked to stop. */
ith_status ith_work_run(ith_team *team, const ith_work *work, ith_error *err);

#endif
