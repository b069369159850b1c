/* feed_run.c - the threads of a feed: those that fetch, and the one that gathers. */
#include "weights/feed_run.h"

#include "base/fpenv.h"
#include "base/monotonic.h"
#include "weights/feed_extents.h"
#include "weights/feed_fill.h"
#include "weights/feed_gather.h"
#include "weights/feed_shelf.h"

#include <string.h>

/* ---- Fetching: each thread takes extents in the order of fills ---- */

/* Of a fill that is listed. Extents that it does not need, or has, count as done. NULL: all are
 * taken. */
static const ith_extent *next_extent(ith_feed *f, ith_fill *at)
{
    while (at->next < at->n) {
        const ith_extent *x = ith_feed_mine(f, at->step, at->next++);
        if (ith_shelf_is_fetched(at, x))
            return x;
        if (++at->done == at->n) {
            ith_feed_wake(f);
            ith_fill_settle(f);
        }
    }
    return NULL;
}

static const ith_extent *take_extent(ith_feed *f, int64_t *k)
{
    ith_fill_settle(f);
    for (*k = f->finished; *k < f->tail && ith_fill_is_free(f, *k); ++*k) {
        ith_fill *at = ith_feed_fill(f, *k);
        if (!at->listed && at->need != ITH_NEED_CHOSEN)
            ith_shelf_list(f, *k, NULL);
        const ith_extent *x = at->listed ? next_extent(f, at) : NULL;
        if (x != NULL)
            return x;
    }
    return NULL;
}

static void fetch_extent(ith_fetcher *t, int64_t k, const ith_extent *x)
{
    ith_feed *f = t->feed;
    ith_fill *at = ith_feed_fill(f, k);
    uint8_t *out = ith_shelf_where(f, at, x);
    ith_feed_counts took = {0}, *counts = &f->counts[at->step];
    int64_t begin_ns = f->fetched != NULL ? ith_clock_ns() : 0;
    ith_error err;
    ith_status status;

    pthread_mutex_unlock(&f->shared->lock);
    status = ith_feed_fetch(t, x, out, &took, &err);
    pthread_mutex_lock(&f->shared->lock);
    if (f->fetched != NULL && begin_ns > 0)
        f->fetched(f->fetched_user, &(ith_fetched){.step = at->step,
                                                   .begin_ns = begin_ns,
                                                   .end_ns = ith_clock_ns(),
                                                   .bytes = x->n * (int64_t)x->entry->unit_bytes,
                                                   .thread = (int)(t - f->fetchers),
                                                   .unpacked = took.unpacked > 0});
    counts->read += took.read;
    counts->unpacked += took.unpacked;
    if (status != ITH_OK && f->status == ITH_OK) {
        f->status = status;
        f->error = err;
    }
    if (++at->done == at->n)
        ith_feed_wake(f);
}

static void *fetch(void *arg)
{
    ith_fetcher *t = arg;
    ith_feed *f = t->feed;
    int64_t k;

    ith_fpenv_default();
    pthread_mutex_lock(&f->shared->lock);
    while (!f->closing) {
        const ith_extent *x = take_extent(f, &k);
        if (x != NULL)
            fetch_extent(t, k, x);
        else
            ith_feed_wait(f);
    }
    pthread_mutex_unlock(&f->shared->lock);
    return NULL;
}

/* ---- Gathering: one thread, fill by fill, when this rank has its own extents ---- */

static bool can_gather(ith_feed *f, int64_t k)
{
    const ith_fill *at = ith_feed_fill(f, k);
    return k < f->tail && ith_fill_is_free(f, k) && !at->gathered && at->done == at->n;
}

static void *gather(void *arg)
{
    ith_feed *f = arg;

    ith_fpenv_default();
    pthread_mutex_lock(&f->shared->lock);
    while (!f->closing) {
        int64_t k = f->finished;
        if (!can_gather(f, k)) {
            ith_feed_wait(f);
            continue;
        }
        ith_fill *at = ith_feed_fill(f, k);
        pthread_mutex_unlock(&f->shared->lock);
        int64_t bytes = ith_gather_step(f, at->step);
        pthread_mutex_lock(&f->shared->lock);
        f->counts[at->step].gathered += bytes;
        at->gathered = true;
        ith_fill_settle(f);
    }
    pthread_mutex_unlock(&f->shared->lock);
    return NULL;
}

/* ---- Starting and stopping ---- */

static ith_status start_thread(pthread_t *thread, void *(*fn)(void *), void *arg, bool *started,
                               ith_error *err)
{
    int code = pthread_create(thread, NULL, fn, arg);
    if (code != 0)
        return ith_fail(err, ITH_E_MEMORY, "a thread that fetches weights: the system refuses (%s)",
                        strerror(code));
    *started = true;
    return ITH_OK;
}

ith_status ith_feed_start(ith_feed *f, ith_error *err)
{
    for (int i = 0; i < f->params.n_threads; i++) {
        ith_fetcher *t = &f->fetchers[i];
        t->feed = f;
        ITH_TRY(ith_producer_open(f->params.plan, f->params.caching, &t->producer, err));
        if (f->frames != NULL)
            ITH_TRY(ith_frame_reader_open(&t->reader, err));
        ITH_TRY(start_thread(&t->thread, fetch, t, &t->started, err));
    }
    return f->gather.side == NULL
               ? ITH_OK
               : start_thread(&f->gather.thread, gather, f, &f->gather.started, err);
}

void ith_feed_stop(ith_feed *f)
{
    if (f->shared == NULL)
        return;
    pthread_mutex_lock(&f->shared->lock);
    if (f->fetchers[0].started)
        ith_fill_drop_all(f);
    f->closing = true;
    ith_feed_wake(f);
    pthread_mutex_unlock(&f->shared->lock);
    for (int i = 0; i < f->params.n_threads; i++)
        if (f->fetchers[i].started)
            pthread_join(f->fetchers[i].thread, NULL);
    if (f->gather.started)
        pthread_join(f->gather.thread, NULL);
}
