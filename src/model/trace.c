/* trace.c - keeps laps and fetches. */
#include "model/trace.h"

#include "base/monotonic.h"

#include <stdlib.h>

enum { LAPS_PER_LAYER = 160, FETCHES_MAX = 1 << 22 };

/* ---- Fetches: noted by threads that fetch ---- */

static bool has_room(ith_trace *t)
{
    size_t cap = t->cap_fetches == 0 ? 256 : 2 * t->cap_fetches;
    ith_trace_fetch *more;

    if (t->n_fetches < t->cap_fetches)
        return true;
    more = cap <= FETCHES_MAX ? realloc(t->fetches, cap * sizeof *more) : NULL;
    if (more == NULL)
        return false;
    t->fetches = more;
    t->cap_fetches = cap;
    return true;
}

/* An ith_fetched_fn. */
static void note(void *user, const ith_fetched *f)
{
    ith_trace *t = user;

    pthread_mutex_lock(&t->lock);
    if (has_room(t))
        t->fetches[t->n_fetches++] = (ith_trace_fetch){
            f->begin_ns, f->end_ns,  f->bytes, ith_store_layer_of(t->store, f->step),
            f->thread,   f->unpacked};
    else
        t->lost_fetches++;
    pthread_mutex_unlock(&t->lock);
}

/* ---- Opening ---- */

ith_status ith_trace_open(int n_layers, ith_store *store, ith_trace **trace, ith_error *err)
{
    ith_trace *t = calloc(1, sizeof *t);

    *trace = NULL;
    if (t == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a trace");
    pthread_mutex_init(&t->lock, NULL);
    t->n_layers = n_layers;
    t->store = store;
    t->origin_ns = ith_clock_ns();
    if (!ith_store_watch(store, note, t)) {
        t->store = NULL;
        ith_trace_close(t);
        return ith_fail(err, ITH_E_ARGUMENT, "another session of the engine is being traced");
    }
    *trace = t;
    return ITH_OK;
}

void ith_trace_close(ith_trace *t)
{
    if (t == NULL)
        return;
    if (t->store != NULL)
        ith_store_watch(t->store, NULL, t);
    pthread_mutex_destroy(&t->lock);
    free(t->laps);
    free(t->fetches);
    free(t);
}

/* ---- Passes ---- */

static void reserve(ith_trace *t)
{
    size_t need = t->n + (size_t)(t->n_layers + 1) * LAPS_PER_LAYER, cap = 2 * t->cap;
    ith_trace_lap *more;

    if (need <= t->cap)
        return;
    cap = cap < need ? need : cap;
    more = realloc(t->laps, cap * sizeof *more);
    if (more == NULL)
        return;
    t->laps = more;
    t->cap = cap;
}

void ith_trace_begin(ith_trace *t, int64_t last_ns, int64_t waited_ns, int64_t begin_ns)
{
    bool first = t->n == 0;

    reserve(t);
    if (first)
        return;
    if (waited_ns > 0)
        ith_trace_lap_add(t, (ith_trace_lap){last_ns, last_ns + waited_ns, t->n_layers,
                                             ITH_LAP_WAIT, ITH_PHASES});
    ith_trace_lap_add(
        t, (ith_trace_lap){last_ns + waited_ns, begin_ns, t->n_layers, ITH_LAP_REST, ITH_PHASES});
}

void ith_trace_end(ith_trace *t, int phase, int64_t begin_ns, int64_t end_ns)
{
    ith_trace_lap_add(
        t, (ith_trace_lap){begin_ns, end_ns, t->n_layers, ITH_TRACE_PASS, (uint8_t)phase});
}
