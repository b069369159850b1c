/* feed_open.c - opens and closes a feed, and says what it has met. */
#include "weights/feed_extents.h"
#include "weights/feed_fill.h"
#include "weights/feed_gather.h"
#include "weights/feed_homes.h"
#include "weights/feed_run.h"
#include "weights/feed_shelf.h"

#include <stdlib.h>

const ith_step *ith_feed_step(const ith_feed *f, int64_t i)
{
    return &f->steps[i];
}

ith_status ith_feed_status(ith_feed *f, ith_error *err)
{
    pthread_mutex_lock(&f->shared->lock);
    ith_status status = f->status;
    if (status != ITH_OK)
        *err = f->error;
    pthread_mutex_unlock(&f->shared->lock);
    return status;
}

ith_feed_counts ith_feed_count(ith_feed *f, int64_t step)
{
    pthread_mutex_lock(&f->shared->lock);
    ith_feed_counts counts = f->counts[step];
    pthread_mutex_unlock(&f->shared->lock);
    return counts;
}

bool ith_feed_watch(ith_feed *f, ith_fetched_fn fetched, void *user)
{
    bool free_or_mine;

    pthread_mutex_lock(&f->shared->lock);
    free_or_mine = f->fetched == NULL || f->fetched_user == user;
    if (free_or_mine) {
        f->fetched = fetched;
        f->fetched_user = user;
    }
    pthread_mutex_unlock(&f->shared->lock);
    return free_or_mine;
}

/* ---- Opening and closing ---- */

static ith_status make_tables(ith_feed *f, ith_error *err)
{
    f->counts = calloc((size_t)f->n_steps, sizeof *f->counts);
    f->followers = calloc((size_t)(f->n_steps * ITH_FILL_NEEDS), sizeof *f->followers);
    f->fetchers = calloc((size_t)f->params.n_threads, sizeof *f->fetchers);
    if (f->counts == NULL || f->followers == NULL || f->fetchers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %lld steps",
                        (long long)f->n_steps);
    for (int64_t key = 0; key < f->n_steps * ITH_FILL_NEEDS; key++)
        f->followers[key] = (key + ITH_FILL_NEEDS) % (f->n_steps * ITH_FILL_NEEDS);
    ITH_TRY(ith_shelves_open(f, err));
    ITH_TRY(ith_feed_lay_out(f, err));
    return ith_feed_cut(f, err);
}

/* A lock and a condition that work between processes. */
static void open_shared(ith_feed_shared *s)
{
    pthread_mutexattr_t lock;
    pthread_condattr_t changed;

    pthread_mutexattr_init(&lock);
    pthread_mutexattr_setpshared(&lock, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->lock, &lock);
    pthread_mutexattr_destroy(&lock);
    pthread_condattr_init(&changed);
    pthread_condattr_setpshared(&changed, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&s->changed, &changed);
    pthread_condattr_destroy(&changed);
}

static ith_status share(ith_feed *f, ith_error *err)
{
    ith_comm *comm = f->params.comm;
    void *shared, *transit;

    ITH_TRY(comm->ops->shared_alloc(comm, sizeof *f->shared, "the state of streamed weights", NULL,
                                    NULL, &shared, err));
    f->shared = shared;
    if (comm->node_rank == 0)
        open_shared(f->shared);
    comm->ops->node_barrier(comm);
    ITH_TRY(comm->ops->shared_alloc(comm, f->end, "the layer of streamed weights being fetched",
                                    f->params.homes == NULL ? NULL : ith_feed_place_pages, f,
                                    &transit, err));
    f->transit = transit;
    return ITH_OK;
}

static ith_status open_all(ith_feed *f, ith_error *err)
{
    ith_comm *comm = f->params.comm;
    ith_status status = make_tables(f, err);

    if (status == ITH_OK && f->params.frame_level >= 0)
        status = ith_feed_make_frames(f, err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    ITH_TRY(ith_gather_open(f, err));
    ITH_TRY(share(f, err));
    return ith_comm_agree(comm, ith_feed_start(f, err), err);
}

ith_status ith_feed_open(const ith_feed_params *params, ith_step *steps, int64_t n_steps,
                         ith_feed **out, ith_error *err)
{
    ith_feed *f = calloc(1, sizeof *f);
    ith_status status = ith_comm_agree_memory(params->comm, f, "a stream of weights", err);

    *out = NULL;
    if (status != ITH_OK) {
        ith_step_free(steps, n_steps);
        free(f);
        return status;
    }
    f->params = *params;
    f->steps = steps;
    f->n_steps = n_steps;
    f->entered = ITH_FILL_NONE;
    status = open_all(f, err);
    if (status != ITH_OK) {
        ith_feed_close(f);
        return status;
    }
    *out = f;
    return ITH_OK;
}

static void free_tables(ith_feed *f)
{
    for (int i = 0; f->fetchers != NULL && i < f->params.n_threads; i++) {
        ith_producer_close(&f->fetchers[i].producer);
        ith_frame_reader_close(f->fetchers[i].reader);
    }
    for (int64_t i = 0; f->extents != NULL && i < f->n_steps * f->params.shards.n_nodes; i++)
        free(f->extents[i].items);
    ith_shelves_close(f);
    ith_spread_free(&f->spread);
    ith_step_free(f->steps, f->n_steps);
    free(f->extents);
    free(f->fetchers);
    free(f->followers);
    free(f->counts);
}

void ith_feed_close(ith_feed *f)
{
    if (f == NULL)
        return;
    ith_comm *comm = f->params.comm;
    ith_feed_stop(f);
    ith_gather_close(&f->gather);
    comm->ops->node_barrier(comm); /* now no rank uses the lock */
    comm->ops->shared_free(comm, f->transit);
    comm->ops->shared_free(comm, f->shared);
    ith_frames_close(f->frames);
    free_tables(f);
    free(f);
}
