/* feed.c - which step is filled when, and by whom. */
#include "weights/feed_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NEEDS = 3, NOTHING = -1 };

/* (step, need) as one number. */
static int64_t key_of(int64_t step, ith_need need)
{
    return step * NEEDS + need;
}

/* ---- Fills: all under the lock ---- */

/* Shares of the fills of k's entry up to k. */
static int64_t shares_up_to(const ith_feed *f, int64_t k)
{
    return (k / ITH_FEED_FILLS + 1) * f->params.comm->node_size;
}

static bool is_full(const ith_feed *f, int64_t k)
{
    return f->shared->filled[k % ITH_FEED_FILLS] >= shares_up_to(f, k);
}

/* Has every rank of the node made and left it? */
static bool is_over(const ith_feed *f, int64_t k)
{
    return is_full(f, k) && f->shared->left[k % ITH_FEED_FILLS] >= shares_up_to(f, k);
}

static bool share_memory(const ith_step *a, const ith_step *b)
{
    return a->place < b->place + b->bytes && b->place < a->place + a->bytes;
}

/* Is all over that was in its place? */
static bool is_free(ith_feed *f, int64_t k)
{
    const ith_step *step = &f->steps[ith_feed_fill(f, k)->step];

    for (int64_t before = k - ITH_FEED_BEHIND > 0 ? k - ITH_FEED_BEHIND : 0; before < k; before++)
        if (share_memory(&f->steps[ith_feed_fill(f, before)->step], step) && !is_over(f, before))
            return false;
    return true;
}

static void wake_all(ith_feed *f)
{
    pthread_cond_broadcast(&f->shared->changed);
}

static void wait_for_change(ith_feed *f)
{
    pthread_cond_wait(&f->shared->changed, &f->shared->lock);
}

static void begin_fill(ith_feed *f, int64_t key)
{
    int64_t step = key / NEEDS;
    ith_need need = key % NEEDS;

    ith_fill *fill = ith_feed_fill(f, f->tail++);
    *fill = (ith_fill){.step = step,
                       .need = need,
                       .listed = f->steps[step].n_experts == 0,
                       .from = fill->from,
                       .n = ith_feed_n_mine(f, step),
                       .gathered = f->gather.side == NULL || need != ITH_NEED_ALL};
    f->last = key;
    wake_all(f);
}

/* What followed last time after what is begun last. */
static void look_ahead(ith_feed *f)
{
    while (f->tail - f->head < ITH_FEED_AHEAD)
        begin_fill(f, f->followers[f->last]);
}

/* Fills that this rank has done its share of are no longer its own business. */
static void settle(ith_feed *f)
{
    while (f->finished < f->tail && is_free(f, f->finished)) {
        ith_fill *at = ith_feed_fill(f, f->finished);
        if (at->done < at->n || !at->gathered)
            return;
        f->shared->filled[f->finished % ITH_FEED_FILLS]++;
        f->finished++;
        wake_all(f);
    }
}

/* Begins what is left of all fills that nobody entered, and waits until this rank has done its part of them: with other nodes even a useless
 * exchange must take place. */
static void drop_all(ith_feed *f)
{
    for (; f->head < f->tail; f->head++) {
        ith_fill *at = ith_feed_fill(f, f->head);
        at->dropped = true;
        ith_shelf_drop(f, f->head);
        at->done += at->n - at->next;
        at->next = at->n;
        f->shared->left[f->head % ITH_FEED_FILLS]++;
    }
    wake_all(f);
    while (f->finished < f->tail)
        wait_for_change(f);
}

/* ---- Fetching: threads that take pieces in the order of fills ---- */

/* Of a fill that is listed; those that it does not need, or has, are done. NULL: all are taken. */
static const ith_step_part *next_piece(ith_feed *f, ith_fill *at)
{
    while (at->next < at->n) {
        const ith_step_part *piece = ith_feed_mine(f, at->step, at->next++);
        if (ith_shelf_is_fetched(at, piece))
            return piece;
        if (++at->done == at->n) {
            wake_all(f);
            settle(f);
        }
    }
    return NULL;
}

static const ith_step_part *take_piece(ith_feed *f, int64_t *k)
{
    settle(f);
    for (*k = f->finished; *k < f->tail && is_free(f, *k); ++*k) {
        ith_fill *at = ith_feed_fill(f, *k);
        if (!at->listed && at->need != ITH_NEED_CHOSEN)
            ith_shelf_list(f, *k, NULL);
        const ith_step_part *piece = at->listed ? next_piece(f, at) : NULL;
        if (piece != NULL)
            return piece;
    }
    return NULL;
}

static void fetch_piece(ith_fetcher *t, int64_t k, const ith_step_part *piece)
{
    ith_feed *f = t->feed;
    ith_fill *at = ith_feed_fill(f, k);
    uint8_t *out = ith_shelf_where(f, at, piece);
    ith_feed_counts took = {0}, *counts = &f->counts[at->step];
    ith_error err;
    ith_status status;

    pthread_mutex_unlock(&f->shared->lock);
    status = ith_feed_fetch(t, piece, out, &took, &err);
    pthread_mutex_lock(&f->shared->lock);
    counts->read += took.read;
    counts->unpacked += took.unpacked;
    if (status != ITH_OK && f->status == ITH_OK) {
        f->status = status;
        f->error = err;
    }
    if (++at->done == at->n)
        wake_all(f);
}

static void *fetch(void *arg)
{
    ith_fetcher *t = arg;
    ith_feed *f = t->feed;
    int64_t k;

    pthread_mutex_lock(&f->shared->lock);
    while (!f->closing) {
        const ith_step_part *piece = take_piece(f, &k);
        if (piece != NULL)
            fetch_piece(t, k, piece);
        else
            wait_for_change(f);
    }
    pthread_mutex_unlock(&f->shared->lock);
    return NULL;
}

/* ---- Gathering: one thread, fill by fill, when this rank's own pieces are there ---- */

static bool can_gather(ith_feed *f, int64_t k)
{
    const ith_fill *at = ith_feed_fill(f, k);
    return k < f->tail && is_free(f, k) && !at->gathered && at->done == at->n;
}

static void *gather(void *arg)
{
    ith_feed *f = arg;

    pthread_mutex_lock(&f->shared->lock);
    while (!f->closing) {
        int64_t k = f->finished;
        if (!can_gather(f, k)) {
            wait_for_change(f);
            continue;
        }
        ith_fill *at = ith_feed_fill(f, k);
        pthread_mutex_unlock(&f->shared->lock);
        int64_t bytes = ith_gather_step(f, at->step);
        pthread_mutex_lock(&f->shared->lock);
        f->counts[at->step].gathered += bytes;
        at->gathered = true;
        settle(f);
    }
    pthread_mutex_unlock(&f->shared->lock);
    return NULL;
}

/* ---- Using ---- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The matrices of the step find their tiles where the fill has brought them. */
static void publish(const ith_feed *f, const ith_fill *at)
{
    const ith_step *step = &f->steps[at->step];

    for (int i = 0; i < step->n_parts; i++) {
        ith_matrix *m = step->parts[i].entry->matrix;
        m->tiles = ith_shelf_where(f, at, &step->parts[i]);
        m->first_tile = step->parts[i].first;
    }
}

static int layer_of(const ith_feed *f, int64_t step)
{
    return f->steps[step].parts[0].entry->layer;
}

/* Is that what the fill has been begun for? */
static bool is_for(const ith_feed *f, const ith_fill *at, int64_t key, const bool *chosen)
{
    if (key_of(at->step, at->need) != key)
        return false;
    for (int e = 0; at->listed && e < f->steps[at->step].n_experts; e++)
        if ((at->from[e] != ITH_NOT_NEEDED) != (chosen == NULL || chosen[e]))
            return false;
    return true;
}

/* The fill that is entered, and that of the step behind it if it is of the same layer, know now which experts they are for. */
static void list_entered(ith_feed *f, int64_t i, const bool *chosen)
{
    ith_fill *next = ith_feed_fill(f, f->head + 1);

    if (!ith_feed_fill(f, f->head)->listed)
        ith_shelf_list(f, f->head, chosen);
    if (chosen != NULL && f->head + 1 < f->tail && next->step == i + 1 && layer_of(f, i + 1) == layer_of(f, i) &&
        next->need == ITH_NEED_CHOSEN && !next->listed)
        ith_shelf_list(f, f->head + 1, chosen);
    wake_all(f);
}

/* Where nothing is cut all nodes hold all rows. */
static ith_need what_differs(const ith_feed *f, ith_need need)
{
    return need == ITH_NEED_HELD && !ith_shards_cut(&f->params.shards) ? ITH_NEED_ALL : need;
}

void ith_feed_enter(ith_feed *f, int64_t i, ith_need need, const bool *chosen)
{
    int64_t key = key_of(i, what_differs(f, need)), start_ns;

    chosen = need == ITH_NEED_CHOSEN ? chosen : NULL;
    pthread_mutex_lock(&f->shared->lock);
    if (f->head < f->tail && !is_for(f, ith_feed_fill(f, f->head), key, chosen))
        drop_all(f);
    if (f->entered != NOTHING)
        f->followers[f->entered] = key;
    f->entered = key;
    if (f->head == f->tail)
        begin_fill(f, key);
    look_ahead(f);
    list_entered(f, i, chosen);
    start_ns = now_ns();
    while (!is_full(f, f->head))
        wait_for_change(f);
    f->counts[i].stall_ns += now_ns() - start_ns;
    publish(f, ith_feed_fill(f, f->head));
    pthread_mutex_unlock(&f->shared->lock);
}

void ith_feed_leave(ith_feed *f)
{
    pthread_mutex_lock(&f->shared->lock);
    f->shared->left[f->head++ % ITH_FEED_FILLS]++;
    look_ahead(f);
    pthread_mutex_unlock(&f->shared->lock);
}

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

/* ---- Opening and closing ---- */

static ith_status make_tables(ith_feed *f, ith_error *err)
{
    f->counts = calloc((size_t)f->n_steps, sizeof *f->counts);
    f->followers = calloc((size_t)(f->n_steps * NEEDS), sizeof *f->followers);
    f->fetchers = calloc((size_t)f->params.n_threads, sizeof *f->fetchers);
    if (f->counts == NULL || f->followers == NULL || f->fetchers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %lld steps", (long long)f->n_steps);
    for (int64_t key = 0; key < f->n_steps * NEEDS; key++)
        f->followers[key] = (key + NEEDS) % (f->n_steps * NEEDS);
    ITH_TRY(ith_shelves_open(f, err));
    return ith_feed_cut(f, err);
}

/* A lock and a signal that work between processes. */
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

    ITH_TRY(
        comm->ops->shared_alloc(comm, sizeof *f->shared, "the state of streamed weights", NULL, NULL, &shared, err));
    f->shared = shared;
    if (comm->node_rank == 0)
        open_shared(f->shared);
    comm->ops->node_barrier(comm);
    ITH_TRY(comm->ops->shared_alloc(comm, f->params.room, "the layer of streamed weights that is on its way",
                                    f->params.homes == NULL ? NULL : ith_feed_place_pages, f, &transit, err));
    f->transit = transit;
    return ITH_OK;
}

static ith_status start_thread(pthread_t *thread, void *(*fn)(void *), void *arg, bool *started, ith_error *err)
{
    int code = pthread_create(thread, NULL, fn, arg);
    if (code != 0)
        return ith_fail(err, ITH_E_MEMORY, "a thread that fetches weights: the system refuses (%s)", strerror(code));
    *started = true;
    return ITH_OK;
}

static ith_status start_threads(ith_feed *f, ith_error *err)
{
    for (int i = 0; i < f->params.n_threads; i++) {
        ith_fetcher *t = &f->fetchers[i];
        t->feed = f;
        ITH_TRY(ith_producer_open(f->params.plan, f->params.caching, &t->producer, err));
        if (f->frames != NULL)
            ITH_TRY(ith_frame_reader_open(&t->reader, err));
        ITH_TRY(start_thread(&t->thread, fetch, t, &t->started, err));
    }
    return f->gather.side == NULL ? ITH_OK : start_thread(&f->gather.thread, gather, f, &f->gather.started, err);
}

static ith_status open_all(ith_feed *f, ith_error *err)
{
    ith_comm *comm = f->params.comm;
    ith_status status = make_tables(f, err);

    if (status == ITH_OK && f->params.keep_level >= 0)
        status = ith_feed_keep(f, err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    ITH_TRY(ith_gather_open(f, err));
    ITH_TRY(share(f, err));
    return ith_comm_agree(comm, start_threads(f, err), err);
}

ith_status ith_feed_open(const ith_feed_params *params, ith_step *steps, int64_t n_steps, ith_feed **out,
                         ith_error *err)
{
    ith_feed *f = calloc(1, sizeof *f);
    ith_status status;

    *out = NULL;
    if (f == NULL)
        ith_comm_abort(params->comm, 1, "no memory for a stream of weights");
    f->params = *params;
    f->steps = steps;
    f->n_steps = n_steps;
    f->entered = NOTHING;
    status = open_all(f, err);
    if (status != ITH_OK) {
        ith_feed_close(f);
        return status;
    }
    *out = f;
    return ITH_OK;
}

static void stop_threads(ith_feed *f)
{
    if (f->shared == NULL)
        return;
    pthread_mutex_lock(&f->shared->lock);
    if (f->fetchers[0].started)
        drop_all(f);
    f->closing = true;
    wake_all(f);
    pthread_mutex_unlock(&f->shared->lock);
    for (int i = 0; i < f->params.n_threads; i++)
        if (f->fetchers[i].started)
            pthread_join(f->fetchers[i].thread, NULL);
    if (f->gather.started)
        pthread_join(f->gather.thread, NULL);
}

static void free_tables(ith_feed *f)
{
    for (int i = 0; f->fetchers != NULL && i < f->params.n_threads; i++) {
        ith_producer_close(&f->fetchers[i].producer);
        ith_frame_reader_close(f->fetchers[i].reader);
    }
    for (int64_t i = 0; f->pieces != NULL && i < f->n_steps * f->params.shards.n_nodes; i++)
        free(f->pieces[i].items);
    for (int64_t i = 0; i < f->n_steps; i++)
        free(f->steps[i].parts);
    ith_shelves_close(f);
    free(f->steps);
    free(f->pieces);
    free(f->fetchers);
    free(f->followers);
    free(f->counts);
}

void ith_feed_close(ith_feed *f)
{
    if (f == NULL)
        return;
    ith_comm *comm = f->params.comm;
    stop_threads(f);
    ith_gather_close(&f->gather);
    comm->ops->node_barrier(comm); /* nobody is at the lock any more */
    comm->ops->shared_free(comm, f->transit);
    comm->ops->shared_free(comm, f->shared);
    ith_frames_close(f->frames);
    free_tables(f);
    free(f);
}
