/* workers.c - hands items to threads, and keeps the lowest failure. */
#include "base/workers.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct job {
    const ith_work *work;
    atomic_llong failed; /* the lowest item that failed; LLONG_MAX: none */
    atomic_bool cancelled;
    pthread_mutex_t lock; /* of err */
    ith_error err;        /* that item's */
} job;

static void keep_lowest(job *j, int64_t item, const ith_error *err)
{
    pthread_mutex_lock(&j->lock);
    if (item < atomic_load(&j->failed)) {
        j->err = *err;
        atomic_store(&j->failed, item);
    }
    pthread_mutex_unlock(&j->lock);
}

/* Items below a failure continue: one of them may fail too. */
static void do_items(job *j, int64_t first, int tid)
{
    const ith_work *w = j->work;
    for (int64_t i = first; i < w->n && i < first + w->grab && i < atomic_load(&j->failed); i++) {
        ith_error err = {0};
        err.status = w->fn(w->user, i, tid, &err);
        if (err.status != ITH_OK)
            keep_lowest(j, i, &err);
    }
}

static void take_items(void *arg, ith_member *me)
{
    job *j = arg;
    const ith_work *w = j->work;

    while (!atomic_load(&j->cancelled) && atomic_load(&j->failed) == LLONG_MAX) {
        int64_t first = w->grab * ith_counter_next(me);
        if (first >= w->n)
            break;
        do_items(j, first, me->tid);
        if (me->tid == 0 && w->progress != NULL &&
            !w->progress(w->user, first + w->grab < w->n ? first + w->grab : w->n, w->n))
            atomic_store(&j->cancelled, true);
    }
}

ith_status ith_work_run(ith_team *team, const ith_work *work, ith_error *err)
{
    job j = {.work = work, .failed = LLONG_MAX, .lock = PTHREAD_MUTEX_INITIALIZER};

    ith_team_run(team, take_items, &j);
    pthread_mutex_destroy(&j.lock);
    if (atomic_load(&j.failed) != LLONG_MAX) {
        if (err != NULL)
            *err = j.err;
        return j.err.status;
    }
    return atomic_load(&j.cancelled) ? ith_fail(err, ITH_E_CANCELLED, "stopped") : ITH_OK;
}
