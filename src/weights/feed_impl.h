/* feed_impl.h - the inside of a feed, for the files feed*.c:
 *
 *   feed_open     opening and closing
 *   feed_enter    using steps
 *   feed_run      the threads
 *   feed_fill     which fills are begun, complete, over
 *   feed_shelf    which experts a fill brings, and which of them stay
 *   feed_gather   rows of other nodes
 *   feed_extents  steps cut into extents, and where those come from
 *   feed_homes    where the shelves lie; page placement of both
 */
#ifndef ITH_WEIGHTS_FEED_IMPL_H
#define ITH_WEIGHTS_FEED_IMPL_H

#include "weights/feed.h"
#include "weights/frames.h"
#include "weights/produce.h"

#include <pthread.h>

/* What one node holds of a step. Item j is fetched by the node's rank j % node_size. */
typedef struct ith_extents {
    ith_extent *items; /* [n] */
    int64_t n;
} ith_extents;

typedef struct ith_node_ranks {
    int *ranks; /* [size] node by node, ascending in each */
    int *first; /* [n_nodes + 1] where each node begins in ranks */
} ith_node_ranks;

/* A thread that fetches extents. */
typedef struct ith_fetcher {
    pthread_t thread;
    bool started;
    ith_feed *feed;
    ith_producer producer;
    ith_frame_reader *reader;
} ith_fetcher;

/* The thread that exchanges rows with other nodes. */
typedef struct ith_gather {
    pthread_t thread;
    bool started;
    ith_comm *side; /* NULL: nothing is gathered */
    ith_node_ranks nodes;
    ith_parcel *sends, *recvs; /* with room for the step that has most */
} ith_gather;

/* Where an expert comes from, for a fill. */
typedef enum ith_expert_source {
    ITH_NOT_NEEDED,
    ITH_ON_SHELF,
    ITH_TO_SHELF,  /* to be fetched, and to stay */
    ITH_TO_TRANSIT /* to be fetched */
} ith_expert_source;

/* The shelf of a step as this rank knows it: the same on all ranks of the node between the same two
 * fills. */
typedef struct ith_shelf {
    int32_t *cell_of; /* [n_experts]; -1: not there */
    int32_t *holds;   /* [n_cells] the expert; -1: empty */
    int64_t *wanted;  /* [n_cells] the last fill that chose it; -1: none did */
} ith_shelf;

typedef struct ith_fill {
    int64_t step;
    ith_need need;
    bool listed;           /* is it known which experts are needed, and where they come from? */
    uint8_t *from;         /* [n_experts] ith_expert_source */
    int64_t next, done, n; /* this rank's extents: begun; fetched; all */
    bool gathered;         /* or nothing to gather */
    bool dropped;          /* nobody will use it: extents that are not begun are left out */
} ith_fill;

/* A rank begins up to AHEAD fills, as many as a layer has stages, the one in use included. The
 * ranges of earlier ones are free as soon as they are left. Ranks of a node are less than BEHIND
 * fills apart: nobody enters a fill that some rank has not completed, and a rank drops those ahead
 * at most once before it does. So FILLS are remembered, a rank's own included. */
enum {
    ITH_FEED_AHEAD = 4,
    ITH_FEED_BEHIND = 3 * ITH_FEED_AHEAD,
    ITH_FEED_FILLS = 4 * ITH_FEED_AHEAD
};

/* Shared by the ranks of a node. Counts only grow. Fill k uses entry k % ITH_FEED_FILLS; it is
 * complete when the entry counts all ranks' shares of k / ITH_FEED_FILLS + 1 fills. */
typedef struct ith_feed_shared {
    pthread_mutex_t lock; /* of the rest, and of each rank's own fills and counters */
    pthread_cond_t changed;
    int64_t filled[ITH_FEED_FILLS]; /* shares done */
    int64_t left[ITH_FEED_FILLS];   /* ranks that have left a fill */
} ith_feed_shared;

struct ith_feed {
    ith_feed_params params;
    ith_step *steps; /* [n_steps] */
    int64_t n_steps;
    ith_extents *extents; /* [n_steps][n_nodes of the shards] */
    ith_shelf *shelves;   /* [n_steps] */
    uint8_t *from;        /* the memory of fills[].from */
    ith_frames *frames;   /* NULL: from the files */
    ith_feed_shared *shared;
    uint8_t *transit;               /* with the shelves behind it */
    ith_spread spread;              /* of the shelves */
    size_t end;                     /* bytes of both */
    ith_fill fills[ITH_FEED_FILLS]; /* fill k at k % ITH_FEED_FILLS */
    int64_t head;                   /* the fill in use, or used next */
    int64_t finished;               /* the first fill that this rank has not done its share of */
    int64_t tail;                   /* end of the fills begun */
    int64_t *followers;    /* [keys] the key that was entered after each; see feed_fill.h */
    int64_t last, entered; /* the key begun last; entered last */
    ith_fetcher *fetchers; /* [params.n_threads] */
    ith_gather gather;
    bool closing;
    ith_status status; /* the first error of the fetchers, with its text */
    ith_error error;
    ith_feed_counts *counts; /* [n_steps] */
    ith_fetched_fn fetched;  /* NULL: nobody watches */
    void *fetched_user;
};

static inline ith_extents *ith_feed_extents(const ith_feed *feed, int64_t step, int node)
{
    return &feed->extents[step * feed->params.shards.n_nodes + node];
}

/* The step's range of the transit. */
static inline uint8_t *ith_feed_address(const ith_feed *feed, int64_t step)
{
    return feed->transit + feed->steps[step].offset;
}

static inline ith_fill *ith_feed_fill(ith_feed *feed, int64_t k)
{
    return &feed->fills[k % ITH_FEED_FILLS];
}

#endif
