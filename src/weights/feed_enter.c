/* feed_enter.c - using a step: entering and leaving it. */
#include "weights/feed_fill.h"
#include "weights/feed_shelf.h"

#include "base/monotonic.h"

/* The matrices of the step show the tiles that the fill has brought. */
static void publish(const ith_feed *f, const ith_fill *at)
{
    const ith_step *step = &f->steps[at->step];

    for (int i = 0; i < step->n_extents; i++)
        ith_shelf_show(f, at, &step->extents[i]);
}

static int layer_of(const ith_feed *f, int64_t step)
{
    return f->steps[step].extents[0].entry->layer;
}

/* Was the fill begun for that? */
static bool is_for(const ith_feed *f, const ith_fill *at, int64_t key, const bool *chosen)
{
    if (ith_fill_key(at->step, at->need) != key)
        return false;
    for (int e = 0; at->listed && e < f->steps[at->step].n_experts; e++)
        if ((at->from[e] != ITH_NOT_NEEDED) != (chosen == NULL || chosen[e]))
            return false;
    return true;
}

/* Lists the fill that is entered; and the next one too, if it is of the step after it and of the
 * same layer: both need the same experts. */
static void list_entered(ith_feed *f, int64_t i, const bool *chosen)
{
    ith_fill *next = ith_feed_fill(f, f->head + 1);

    if (!ith_feed_fill(f, f->head)->listed)
        ith_shelf_list(f, f->head, chosen);
    if (chosen != NULL && f->head + 1 < f->tail && next->step == i + 1 &&
        layer_of(f, i + 1) == layer_of(f, i) && next->need == ITH_NEED_CHOSEN && !next->listed)
        ith_shelf_list(f, f->head + 1, chosen);
    ith_feed_wake(f);
}

/* Where nothing is cut, every node holds all rows. */
static ith_need what_differs(const ith_feed *f, ith_need need)
{
    return need == ITH_NEED_HELD && !ith_shards_cut(&f->params.shards) ? ITH_NEED_ALL : need;
}

void ith_feed_enter(ith_feed *f, int64_t i, ith_need need, const bool *chosen)
{
    int64_t key = ith_fill_key(i, what_differs(f, need)), start_ns;

    chosen = need == ITH_NEED_CHOSEN ? chosen : NULL;
    pthread_mutex_lock(&f->shared->lock);
    if (f->head < f->tail && !is_for(f, ith_feed_fill(f, f->head), key, chosen))
        ith_fill_drop_all(f);
    if (f->entered != ITH_FILL_NONE)
        f->followers[f->entered] = key;
    f->entered = key;
    if (f->head == f->tail)
        ith_fill_begin(f, key);
    ith_fill_ahead(f);
    list_entered(f, i, chosen);
    start_ns = ith_clock_ns();
    while (!ith_fill_is_full(f, f->head))
        ith_feed_wait(f);
    f->counts[i].stall_ns += ith_clock_ns() - start_ns;
    publish(f, ith_feed_fill(f, f->head));
    pthread_mutex_unlock(&f->shared->lock);
}

void ith_feed_leave(ith_feed *f)
{
    pthread_mutex_lock(&f->shared->lock);
    f->shared->left[f->head++ % ITH_FEED_FILLS]++;
    ith_fill_ahead(f);
    pthread_mutex_unlock(&f->shared->lock);
}
