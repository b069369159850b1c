/* feed_fill.h - fills: which are begun, complete, over. All under the lock of the node.
 *
 * Fills are numbered in the order in which they begin, the same on all ranks. A key is a step and a
 * need as one number.
 */
#ifndef ITH_WEIGHTS_FEED_FILL_H
#define ITH_WEIGHTS_FEED_FILL_H

#include "weights/feed_impl.h"

enum { ITH_FILL_NEEDS = 3, ITH_FILL_NONE = -1 };

static inline int64_t ith_fill_key(int64_t step, ith_need need)
{
    return step * ITH_FILL_NEEDS + need;
}

/* Have all ranks of the node done their shares of fill k? */
bool ith_fill_is_full(const ith_feed *feed, int64_t k);

/* Are all earlier fills over that use memory of fill k: complete, and left by all ranks of the
 * node? */
bool ith_fill_is_free(ith_feed *feed, int64_t k);

/* Wakes all who wait, on all ranks of the node; waits to be woken. */
void ith_feed_wake(ith_feed *feed);
void ith_feed_wait(ith_feed *feed);

/* Begins a fill. */
void ith_fill_begin(ith_feed *feed, int64_t key);

/* Begins what followed last time after the last fill, up to ITH_FEED_AHEAD fills. */
void ith_fill_ahead(ith_feed *feed);

/* Marks the fills that this rank has done its share of, in order. */
void ith_fill_settle(ith_feed *feed);

/* Drops all fills that nobody has entered, and waits until this rank has done its share of them:
 * with other nodes, even a useless exchange must take place. */
void ith_fill_drop_all(ith_feed *feed);

#endif
