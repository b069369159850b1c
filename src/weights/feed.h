/* feed.h - weights that do not stay (ZeRO-Inference, arXiv 2206.01861; CPU and NVMe offload): parts of the model, in the order in which a
 * pass uses them, come into a few slots of memory ahead of use and leave them after it.
 *
 *     step    what is needed together: the matrices of a layer, or some rows of the output matrix
 *     slot    memory for one step; filled by the feed's own threads, from the model's files or from frames kept in memory
 *
 * Steps are filled in rising order, the first again after the last, whenever a slot is free: while a pass works in one slot the next is
 * filled. A pass that leaves steps out (logits that nobody wants) or begins anew finds the slots emptied and waits once.
 */
#ifndef ITH_WEIGHTS_FEED_H
#define ITH_WEIGHTS_FEED_H

#include "base/threads.h"
#include "weights/plan.h"

typedef struct ith_step_part { /* units [first, first + n) of an entry, at `at` in the slot; 64-byte aligned */
    const ith_entry *entry;
    int64_t first, n;
    size_t at;
} ith_step_part;

typedef struct ith_step {
    ith_step_part *parts;
    int n_parts;
    size_t bytes; /* in the slot */
} ith_step;

typedef struct ith_feed ith_feed;

/* Takes steps[n_steps] over, parts included. keep_level >= 0: all units are made now and kept in memory, as zstd frames of that level
 * (0: as they are), of at most keep_room bytes in all; < 0: they are made from the files each time. n_slots >= 2. ITH_E_MEMORY, and what
 * ith_produce says. */
ith_status ith_feed_open(const ith_plan *plan, ith_step *steps, int64_t n_steps, int n_slots, int n_threads,
                         int keep_level, size_t keep_room, ith_team *team, ith_feed **feed, ith_error *err);
void ith_feed_close(ith_feed *feed); /* accepts NULL */

/* One thread: waits until step `i` is in a slot; its matrices' tiles then lie there. Leaving it gives the slot back; the step entered
 * last must have been left. A step that cannot be filled leaves anything in the slot: ith_feed_status tells. */
void ith_feed_enter(ith_feed *feed, int64_t i);
void ith_feed_leave(ith_feed *feed);

/* What the filling threads met first: an error of reading. */
ith_status ith_feed_status(ith_feed *feed, ith_error *err);

#endif
