/* feed.h - weights that come ahead of use and leave after it (ZeRO-3, arXiv 1910.02054;
 * ZeRO-Inference, arXiv 2206.01861; CPU and NVMe offload).
 *
 * Steps, transit and shelves are those of steps.h. Bringing a step to its range of the transit is a
 * fill. Steps share ranges: a fill waits until all ranks of the node have left the steps that lie
 * where it goes. Each rank of the node fetches a share of a step's extents.
 *
 * Experts: a pass may need only a few experts of a step, and knows which when it enters the step.
 * Nothing of such a step is fetched before that, but the step after it is. Where memory is left,
 * experts stay on the step's shelf after use, until room is needed for others that are chosen;
 * those that were chosen longest ago leave first. A fill of all experts takes from the shelf what
 * is there, and leaves experts in empty cells only.
 *
 * Sources: a node's own rows (shards.h; all rows where nothing is cut) come from memory if they
 * stay there, from frames kept in memory, or from the model's files. A fill for passes that need
 * all rows then gathers the rows of other nodes: each extent goes from the rank that fetched it to
 * one rank of every other node, small ones several in a message, on a communicator and a thread of
 * their own.
 *
 * Order: which step is filled when depends only on what was entered and left, in which order. That
 * is the same on all ranks, so messages between two nodes match without negotiation, and no rank
 * fills what others do not. The feed predicts that what followed last time follows again; at first,
 * the next step. A wrong prediction, such as where decode follows prefill, costs one wait.
 */
#ifndef ITH_WEIGHTS_FEED_H
#define ITH_WEIGHTS_FEED_H

#include "base/threads.h"
#include "comm/comm.h"
#include "formats/filereader.h"
#include "weights/homes.h"
#include "weights/load_plan.h"
#include "weights/shards.h"
#include "weights/spread.h"
#include "weights/steps.h"

typedef enum ith_need {
    ITH_NEED_ALL,   /* all rows of a step's matrices */
    ITH_NEED_HELD,  /* those that the node holds: fewer, where matrices are cut */
    ITH_NEED_CHOSEN /* the same, but of experts only those that are named on entering */
} ith_need;

typedef struct ith_feed_params {
    ith_comm *comm;
    const ith_load_plan *plan;
    ith_shards shards;
    /* The node's memory, and where entries that are not streamed lie there. */
    const uint8_t *memory;
    const ith_spread *spread;
    size_t transit; /* bytes, without the shelves */
    /* Page placement; NULL: none. Shelves lie like weights that stay. Each layer passes through the
     * transit at the rate of its source, so that is interleaved. */
    const ith_homes *homes;
    int n_threads;       /* that fetch, on each rank */
    ith_caching caching; /* of files, where units are made from them each time */
    /* >= 0: units are made on opening and kept in memory, as zstd frames of that level (0: as they
     * are). < 0: they are made from the files each time. */
    int frame_level;
    size_t frame_room; /* bytes that frames may take on this rank */
    ith_team *team;    /* makes the frames */
} ith_feed_params;

typedef struct ith_feed ith_feed;

/* Collective. The feed owns steps[n_steps] and their extents from now on, even on failure. The same
 * status on all ranks: ITH_E_MEMORY; ITH_E_COMM: MPI cannot serve another thread; what ith_produce
 * says. */
ith_status ith_feed_open(const ith_feed_params *params, ith_step *steps, int64_t n_steps,
                         ith_feed **feed, ith_error *err);
void ith_feed_close(ith_feed *feed); /* collective; accepts NULL */

/* One thread of each rank calls enter and leave, in the same order on all ranks; neither waits for
 * the computing of other nodes. enter waits until step `i` is complete; its matrices then show
 * their tiles. leave gives its memory back, and must come before the next enter. A step that cannot
 * be read leaves any bytes there: ith_feed_status tells.
 *
 * chosen: with ITH_NEED_CHOSEN, for a step with experts, [n_experts] which of them are needed, the
 * same on all ranks; the matrices of the others have no tiles. The step after it, if of the same
 * layer, is predicted to need the same ones, and fetched ahead. */
void ith_feed_enter(ith_feed *feed, int64_t i, ith_need need, const bool *chosen);
void ith_feed_leave(ith_feed *feed);

/* Step i. It belongs to the feed. */
const ith_step *ith_feed_step(const ith_feed *feed, int64_t i);

/* The first error that this rank's fetching threads met. */
ith_status ith_feed_status(ith_feed *feed, ith_error *err);

/* Of this rank, since opening. */
typedef struct ith_feed_counts {
    int64_t read;     /* bytes of files, as stored */
    int64_t unpacked; /* bytes that came out of zstd frames */
    int64_t gathered; /* bytes from other nodes */
    int64_t stall_ns; /* waited in ith_feed_enter */
} ith_feed_counts;

ith_feed_counts ith_feed_count(ith_feed *feed, int64_t step);

/* An extent of weights that a thread has fetched, by CLOCK_MONOTONIC. */
typedef struct ith_fetched {
    int64_t step, begin_ns, end_ns, bytes;
    int thread;
    bool unpacked; /* out of zstd frames */
} ith_fetched;

/* Called by the threads that fetch, one at a time. It must be short, and must not call the feed. */
typedef void (*ith_fetched_fn)(void *user, const ith_fetched *fetched);

/* From now on each extent is reported; NULL: none is. Returns false if another user's function is
 * there, which stays. */
bool ith_feed_watch(ith_feed *feed, ith_fetched_fn fetched, void *user);

/* Calls see() for the transit and each region of the shelves, with its home. */
void ith_feed_regions(const ith_feed *feed, ith_home_fn see, void *user);

#endif
