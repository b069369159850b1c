/* feed_fill.c - which fills are begun, complete, over. Everything happens under the lock. */
#include "weights/feed_fill.h"

#include "weights/feed_extents.h"
#include "weights/feed_shelf.h"

/* The shares of all fills up to k that use its entry. */
static int64_t shares_up_to(const ith_feed *f, int64_t k)
{
    return (k / ITH_FEED_FILLS + 1) * f->params.comm->node_size;
}

bool ith_fill_is_full(const ith_feed *f, int64_t k)
{
    return f->shared->filled[k % ITH_FEED_FILLS] >= shares_up_to(f, k);
}

/* Has every rank of the node filled and left it? */
static bool is_over(const ith_feed *f, int64_t k)
{
    return ith_fill_is_full(f, k) && f->shared->left[k % ITH_FEED_FILLS] >= shares_up_to(f, k);
}

static bool share_memory(const ith_step *a, const ith_step *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

bool ith_fill_is_free(ith_feed *f, int64_t k)
{
    const ith_step *step = &f->steps[ith_feed_fill(f, k)->step];

    for (int64_t before = k - ITH_FEED_BEHIND > 0 ? k - ITH_FEED_BEHIND : 0; before < k; before++)
        if (share_memory(&f->steps[ith_feed_fill(f, before)->step], step) && !is_over(f, before))
            return false;
    return true;
}

void ith_feed_wake(ith_feed *f)
{
    pthread_cond_broadcast(&f->shared->changed);
}

void ith_feed_wait(ith_feed *f)
{
    pthread_cond_wait(&f->shared->changed, &f->shared->lock);
}

void ith_fill_begin(ith_feed *f, int64_t key)
{
    int64_t step = key / ITH_FILL_NEEDS;
    ith_need need = key % ITH_FILL_NEEDS;

    ith_fill *fill = ith_feed_fill(f, f->tail++);
    *fill = (ith_fill){.step = step,
                       .need = need,
                       .listed = f->steps[step].n_experts == 0,
                       .from = fill->from,
                       .n = ith_feed_n_mine(f, step),
                       .gathered = f->gather.side == NULL || need != ITH_NEED_ALL};
    f->last = key;
    ith_feed_wake(f);
}

void ith_fill_ahead(ith_feed *f)
{
    while (f->tail - f->head < ITH_FEED_AHEAD)
        ith_fill_begin(f, f->followers[f->last]);
}

void ith_fill_settle(ith_feed *f)
{
    while (f->finished < f->tail && ith_fill_is_free(f, f->finished)) {
        ith_fill *at = ith_feed_fill(f, f->finished);
        if (at->done < at->n || !at->gathered)
            return;
        f->shared->filled[f->finished % ITH_FEED_FILLS]++;
        f->finished++;
        ith_feed_wake(f);
    }
}

void ith_fill_drop_all(ith_feed *f)
{
    for (; f->head < f->tail; f->head++) {
        ith_fill *at = ith_feed_fill(f, f->head);
        at->dropped = true;
        ith_shelf_drop(f, f->head);
        at->done += at->n - at->next;
        at->next = at->n;
        f->shared->left[f->head % ITH_FEED_FILLS]++;
    }
    ith_feed_wake(f);
    while (f->finished < f->tail)
        ith_feed_wait(f);
}
