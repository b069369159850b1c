/* feed.h - weights that do not stay where they are used (ZeRO-3, arXiv 1910.02054; ZeRO-Inference, arXiv 2206.01861; CPU and NVMe offload):
 * parts of the model, in the order in which a pass uses them, come to their places in a little memory ahead of use and leave it after it.
 *
 *     step     what is needed together: the matrices of a layer's stage (plan.h), or some rows of the output matrix
 *     transit  memory that the ranks of a node share. Each step has its place there, which others have too: what comes waits until all of the node have left
 *              what is there. Each rank fetches a share of a step's pieces
 *     fill     a step's being brought to its place
 *
 * Of a step with experts a pass may need a few only, and knows which when it enters: nothing of such a step is fetched before, but what follows is. Where
 * memory is left (residence.h) experts stay after use, on a shelf of the step's own, until the room is needed for others of it that are chosen: those
 * that were chosen longest ago leave. Fills of all experts take from the shelf what is there, and leave on it what finds an empty slot.
 *
 * A node's own rows (shards.h; all rows where nothing is cut) come from one of three sources: memory, if they stay there; frames kept in
 * memory; the model's files. A fill for passes that need all rows then gathers those of the other nodes: each piece goes, small ones
 * several in a message, from the rank that fetched it to a rank of every other node, on a communicator and a thread of their own.
 *
 * Which step is filled when depends on nothing but what was entered and left, in which order: this is equal on all ranks, so the messages of
 * two nodes match without a word about them, and no rank fills what others do not. What will be entered next is guessed to be
 * what followed last time (at first, the next step). A wrong guess, at the border of prefill and decode for instance, costs one waiting.
 */
#ifndef ITH_WEIGHTS_FEED_H
#define ITH_WEIGHTS_FEED_H

#include "base/threads.h"
#include "comm/comm.h"
#include "weights/homes.h"
#include "weights/plan.h"
#include "weights/shards.h"

typedef struct ith_step_part { /* units [first, first + n) of an entry, at `at` in the step's place; 64-byte aligned */
    const ith_entry *entry;
    int64_t first, n;
    size_t at;
    size_t in_slot; /* where it lies in its expert's slot of the shelf */
} ith_step_part;

typedef struct ith_step {
    ith_step_part *parts;
    int n_parts;
    size_t place, bytes;      /* in the transit */
    int n_experts;            /* whose all parts are; 0: nobody's */
    size_t shelf, slot_bytes; /* in the transit, behind all places: n_slots, of an expert each */
    int n_slots;              /* 0 to n_experts. 0 where matrices are cut */
} ith_step;

typedef enum ith_need {
    ITH_NEED_ALL,   /* all rows of a step's matrices */
    ITH_NEED_HELD,  /* those that the node holds: fewer, where matrices are cut */
    ITH_NEED_CHOSEN /* the same, but of experts only those that are named on entering */
} ith_need;

typedef struct ith_feed_params {
    ith_comm *comm;
    const ith_plan *plan;
    ith_shards shards;
    const uint8_t *
        memory; /* the node's: entries that are not streamed lie at memory + entry->offset, rank by rank (ith_shard_place) */
    size_t room;            /* of the transit, shelves included: bytes */
    const ith_homes *homes; /* where the transit shall lie; NULL: anywhere. A layer's places lie as its matrices would if they stayed; so parts of
                             * the output matrix do not */
    int n_threads;       /* that fetch, on each rank */
    ith_caching caching; /* of the files, where units are made from them each time */
    int keep_level; /* >= 0: streamed units are made now and kept in memory, as zstd frames of that level (0: as they are); < 0: made
                            * from the files each time */
    size_t keep_room; /* bytes that those may take on this rank */
    ith_team *team;   /* makes the frames */
} ith_feed_params;

typedef struct ith_feed ith_feed;

/* Collective. Takes steps[n_steps] over, parts included, whatever it returns: the same status on all ranks. ITH_E_MEMORY; ITH_E_COMM: MPI cannot
 * serve another thread; what ith_produce says. */
ith_status ith_feed_open(const ith_feed_params *params, ith_step *steps, int64_t n_steps, ith_feed **feed,
                         ith_error *err);
void ith_feed_close(ith_feed *feed); /* collective; accepts NULL */

/* Collective in their order, without waiting for other nodes' computing. One thread of each rank: waits until step `i` is in its place; its
 * matrices' tiles then lie there. Leaving it gives the place back; the step entered last must have been left. A step that cannot be filled leaves
 * anything there: ith_feed_status tells. chosen: with ITH_NEED_CHOSEN, of a step with experts, [n_experts] those that are needed, the same on all
 * ranks; the matrices of the others have no tiles. The step behind it, if it is of the same layer, is guessed to
 * need the same ones, and fetched ahead. */
void ith_feed_enter(ith_feed *feed, int64_t i, ith_need need, const bool *chosen);
void ith_feed_leave(ith_feed *feed);

/* Step i, as it was given. */
const ith_step *ith_feed_step(const ith_feed *feed, int64_t i);

/* What the fetching threads of this rank met first: an error of reading. */
ith_status ith_feed_status(ith_feed *feed, ith_error *err);

typedef struct ith_feed_counts { /* of this rank, since it was opened */
    int64_t read;                /* bytes of files, as stored */
    int64_t unpacked;            /* bytes that came out of zstd frames */
    int64_t gathered;            /* bytes that came from other nodes */
    int64_t stall_ns;            /* waited in ith_feed_enter */
} ith_feed_counts;

ith_feed_counts ith_feed_count(ith_feed *feed, int64_t step);

/* Calls see() for every run of the transit, with its home. */
void ith_feed_regions(const ith_feed *feed, const ith_homes *homes, ith_home_fn see, void *user);

#endif
