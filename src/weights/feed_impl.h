/* feed_impl.h - what the files of the feed share: feed.c when a step is filled, feed_shelf.c with which experts, feed_pieces.c from where,
 * feed_gather.c from other nodes. */
#ifndef ITH_WEIGHTS_FEED_IMPL_H
#define ITH_WEIGHTS_FEED_IMPL_H

#include "weights/feed.h"
#include "weights/frames.h"

#include <pthread.h>

typedef struct ith_pieces { /* what one node holds of a step; item j is fetched by the node's rank j % node_size */
    ith_step_part *items;
    int64_t n;
} ith_pieces;

typedef struct ith_node_ranks {
    int *ranks; /* [all] by node, ascending in each */
    int *first; /* [n_nodes + 1] of each node, in ranks */
} ith_node_ranks;

typedef struct ith_fetcher { /* one thread that fetches pieces */
    pthread_t thread;
    bool started;
    ith_feed *feed;
    ith_producer producer;
    ith_frame_reader *reader;
} ith_fetcher;

typedef struct ith_gather { /* the thread that speaks with other nodes */
    pthread_t thread;
    bool started;
    ith_comm *side; /* NULL: nothing is gathered */
    ith_node_ranks nodes;
    ith_parcel *sends, *recvs; /* of the step with most */
} ith_gather;

typedef enum ith_source_of { /* an expert, for a fill */
                             ITH_NOT_NEEDED,
                             ITH_ON_SHELF,
                             ITH_TO_SHELF, /* to be fetched, and to stay */
                             ITH_TO_PLACE  /* to be fetched */
} ith_source_of;

typedef struct
    ith_shelf { /* of a step, as this rank knows it: the same on all ranks of the node between the same two fills */
    int32_t *slot_of; /* [n_experts]; -1: not there */
    int32_t *holds;   /* [n_slots]; -1: empty */
    int64_t *wanted;  /* [n_slots] by which fill that chose it last; -1: by none */
} ith_shelf;

typedef struct ith_fill {
    int64_t step;
    ith_need need;
    bool listed;           /* it is known which experts are needed, and from where: */
    uint8_t *from;         /* [the most experts of any step] ith_source_of */
    int64_t next, done, n; /* my pieces: begun; in their place; all */
    bool gathered;         /* or nothing to gather */
    bool dropped;          /* nobody will use it: pieces that are not begun are left out */
} ith_fill;

/* Fills that a rank has begun, the one in use among them: as many as a layer has stages. The places of the others are free as soon as they are left.
 * Of a node's ranks none is as far as three times that behind another: nobody enters a fill that all have not made, and drops those ahead once
 * at most before it does. With a rank's own, four times that many are remembered. */
enum { ITH_FEED_AHEAD = 4, ITH_FEED_BEHIND = 3 * ITH_FEED_AHEAD, ITH_FEED_FILLS = 4 * ITH_FEED_AHEAD };

typedef struct
    ith_feed_shared {     /* by the ranks of a node. Counts only grow: fill number k, entry k % ITH_FEED_FILLS, is
                                  * complete when all ranks have done their share of k / ITH_FEED_FILLS + 1 fills of the entry */
    pthread_mutex_t lock; /* of all that is below, and of each rank's own fills and counters */
    pthread_cond_t changed;
    int64_t filled[ITH_FEED_FILLS]; /* shares done */
    int64_t left[ITH_FEED_FILLS];   /* ranks that have left a fill */
} ith_feed_shared;

struct ith_feed {
    ith_feed_params params;
    ith_step *steps;
    int64_t n_steps;
    ith_pieces *pieces; /* [n_steps][n_nodes of the shards] */
    ith_shelf *shelves; /* [n_steps] */
    uint8_t *from;      /* the fills' */
    ith_frames *frames; /* NULL: from the files */
    ith_feed_shared *shared;
    uint8_t *transit;
    ith_fill fills[ITH_FEED_FILLS]; /* number k at k % ITH_FEED_FILLS */
    int64_t head, finished,
        tail; /* fills: in use or used next; the first that this rank has still to do; all begun or to be begun */
    int64_t *followers, last,
        entered; /* [n_steps * 2] what was entered after (step, need): see feed.c; begun last; entered last */
    ith_fetcher *fetchers;
    ith_gather gather;
    bool closing;
    ith_status status;
    ith_error error;
    ith_feed_counts *counts; /* [n_steps] */
};

static inline ith_pieces *ith_feed_pieces(const ith_feed *feed, int64_t step, int node)
{
    return &feed->pieces[step * feed->params.shards.n_nodes + node];
}

static inline uint8_t *ith_feed_place(const ith_feed *feed, int64_t step)
{
    return feed->transit + feed->steps[step].place;
}

static inline ith_fill *ith_feed_fill(ith_feed *feed, int64_t k)
{
    return &feed->fills[k % ITH_FEED_FILLS];
}

/* ---- feed_shelf.c: under the lock, but for opening and closing ---- */

ith_status ith_shelves_open(ith_feed *feed, ith_error *err);
void ith_shelves_close(ith_feed *feed);

/* Decides where the experts of fill k are had from, all (NULL) or those chosen, when no earlier fill of its step can change its shelf any more. */
void ith_shelf_list(ith_feed *feed, int64_t k, const bool *chosen);

/* Fill k will not be used: what it was to bring to the shelf is not there. */
void ith_shelf_drop(ith_feed *feed, int64_t k);

/* Where a part of the step, or a piece of one, lies or comes for a fill that is listed; NULL: it is not needed. Is it to be fetched? */
uint8_t *ith_shelf_where(const ith_feed *feed, const ith_fill *fill, const ith_step_part *part);
bool ith_shelf_is_fetched(const ith_fill *fill, const ith_step_part *part);

/* ---- feed_pieces.c ---- */

ith_status ith_feed_cut(ith_feed *feed, ith_error *err); /* makes feed->pieces */

/* Frames of the units that this rank will fetch. */
ith_status ith_feed_keep(ith_feed *feed, ith_error *err);

/* Number of my pieces of a step, and my i-th of them. */
int64_t ith_feed_n_mine(const ith_feed *feed, int64_t step);
const ith_step_part *ith_feed_mine(const ith_feed *feed, int64_t step, int64_t i);

/* Brings one of my pieces to `out`, and adds to *counts what it took. */
ith_status ith_feed_fetch(ith_fetcher *fetcher, const ith_step_part *piece, uint8_t *out, ith_feed_counts *counts,
                          ith_error *err);

/* ---- feed_homes.c ---- */

/* An ith_place_fn of the transit's memory; user: the feed. */
void ith_feed_place_pages(void *user, void *memory, size_t bytes);

/* ---- feed_gather.c ---- */

/* Collective: the same status on all ranks. */
ith_status ith_gather_open(ith_feed *feed, ith_error *err);
void ith_gather_close(ith_gather *gather); /* collective; the thread has ended */

/* Sends my pieces of the step to the other nodes and receives my share of theirs. Returns the bytes received. */
int64_t ith_gather_step(ith_feed *feed, int64_t step);

#endif
