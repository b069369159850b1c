/* store.h - the weights: planned first (so that their size is known before anything is allocated), then loaded.
 *
 *     ith_store_open(comm, &store)
 *     ith_plan_matrix(ith_store_plan(store), ...)      for every matrix; ith_plan_vector for every norm
 *     ith_store_load(store, params, team)              allocates and converts, in parallel
 *     ith_matrix_tiles(m, first_tile)                  what kernels read
 *
 * Placements:
 *
 *   replicated  one copy per memory domain (comm.h: a machine, or a memory node of it), shared by its ranks. What a pack holds in the wanted layout, not compressed, is used in its
 *               mapping: the copy is the system's page cache, and loading it means only to verify it. All else, and everything on machines
 *               with several memory nodes, is made in memory that the ranks share; each of
 *               them makes its part.
 *   sharded     each node holds the rows of its ranks (shards.h) and loads no others; passes by rows use them where they are; the other passes
 *               gather each layer's from all nodes, ahead of use (feed.h). On one node that is the one copy again. An embedding that is not
 *               the output matrix too is not held: its rows are read where they are needed (lookup.h).
 *   streamed    where that is more than a budget allows: norms, the output matrix, the embedding and the first layers stay as far as it
 *               goes, the others come ahead of use, cut among the nodes in the same way: each node reads its rows. Of experts (feed.h) passes of
 *               few tokens read those that are chosen, once it is known which.
 *
 * All of it lies beside the threads that read it (homes.h).
 *
 * A pass says which stage of which layer, or which part of the output matrix, it is about to use, and whether it needs all rows; it does not
 * know where the tiles come from. Matrices and vectors belong to the store.
 */
#ifndef ITH_WEIGHTS_STORE_H
#define ITH_WEIGHTS_STORE_H

#include "base/threads.h"
#include "comm/comm.h"
#include "comm/mesh.h"
#include "weights/feed.h"
#include "weights/homes.h"
#include "weights/plan.h"

static inline const uint8_t *ith_matrix_tiles(const ith_matrix *m, int64_t first_tile)
{
    return m->tiles + (size_t)(first_tile - m->first_tile) * m->tile_bytes;
}

typedef struct ith_store ith_store;

ith_status ith_store_open(ith_comm *comm, ith_store **store, ith_error *err);
void ith_store_close(ith_store *store); /* collective; accepts NULL */

ith_plan *ith_store_plan(ith_store *store); /* to be filled before ith_store_load */

size_t ith_store_bytes(const ith_store *store); /* of everything planned */

/* Return false to stop. */
typedef bool (*ith_load_progress)(void *user, int64_t done, int64_t total);

typedef struct ith_store_params {
    const ith_mesh *mesh; /* lives as long as the store */
    bool cut;             /* matrices are cut among the nodes, if there are several */
    size_t budget; /* bytes that weights may take on a node, what comes and goes included; 0: whatever they take */
    int keep;      /* streamed: -1 from the model's files each time; 0: kept in memory as they are; else zstd's level */
    ith_caching caching;              /* of the model's files */
    const ith_matrix *embed, *output; /* the same if tied */
    ith_homes homes;                  /* where weights shall lie; topology NULL: anywhere. Seats of all ranks of the node, those of this rank's
                                       * memory domain first: which of them share a memory the store knows */
    ith_load_progress progress;       /* called on rank 0, may be NULL */
    void *user;
} ith_store_params;

/* What a node takes if everything stays that these params cut, with the memory for what comes and goes: the least budget that lets all rows stay.
 * Collective in that all ranks get the same. */
size_t ith_store_needs(const ith_store *store, const ith_store_params *params);

/* The least budget, at which every layer comes ahead of use. Of the same params, but for `budget`. */
size_t ith_store_least(const ith_store *store, const ith_store_params *params);

typedef struct ith_store_forecast { /* of the node that holds most */
    size_t memory; /* that weights take in the end: what stays, the transit, experts after use; without frames */
    double read,
        read_chosen; /* bytes of files, as stored, for a pass that needs all experts, and one that needs a share of each layer's */
} ith_store_forecast;

/* What loading with these params will come to, if it is streamed; before it. share: of a layer's experts, each as likely as any to be among them.
 * What ith_store_load says of a budget that is too small. */
ith_status ith_store_foresee(ith_store *store, const ith_store_params *params, double share, ith_store_forecast *out,
                             ith_error *err);

/* Collective, params alike but for progress. Allocates, converts, and returns the same status on all ranks. ITH_E_MEMORY: the budget does not
 * hold a layer and what must stay; the text has the numbers. */
ith_status ith_store_load(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err);

/* Can using weights inside passes fail? The same on all ranks. */
bool ith_store_is_streamed(const ith_store *store);

/* Unit `unit` of an entry of the plan where it lies in this rank's reach for good; NULL: it does not. */
const uint8_t *ith_store_unit(const ith_store *store, const ith_entry *entry, int64_t unit);

/* Calls see() for every run of weights in memory, of the memory through which streamed ones come and go too, with the memory node on which they
 * shall lie; -1: in turn. Of a copy that ranks share only on one of them. */
void ith_store_regions(const ith_store *store, ith_home_fn see, void *user);

/* ---- Inside a pass: all ranks, in the same order ---- */

/* All members; enter ends with a barrier if it waited for anything. Between the two the matrices of the layer's stage (plan.h) have their tiles:
 * all, or those of this rank's rows. After a barrier that all have passed with the stage behind them: leave. Pairs must not overlap.
 * `chosen`: see ith_feed_enter; read on thread 0 only; NULL where the stage has no experts, or all are needed. */
void ith_store_enter(ith_store *store, int layer, int stage, ith_need need, const bool *chosen, ith_member *me);
void ith_store_leave(ith_store *store, int layer, int stage, ith_need need, ith_member *me);

/* The output matrix in parts, in rising order: 1 if what is needed stays. enter gives the part's rows. */
int ith_store_output_parts(const ith_store *store, ith_need need);
ith_range ith_store_enter_output(ith_store *store, int part, ith_need need, ith_member *me);
void ith_store_leave_output(ith_store *store, int part, ith_need need, ith_member *me);

/* Collective, on one thread, outside passes: waits for everything that a pass with that need fetches, in its order, and uses nothing of it. What a pass
 * takes if computing takes no time. chosen: of every layer's experts; NULL: all. False: nothing is fetched. */
bool ith_store_pass_by(ith_store *store, ith_need need, const bool *chosen);

/* Row `row` of the embedding as floats, on thread me->tid. */
void ith_store_embed(ith_store *store, int64_t row, ith_member *me, float *out);

/* What reading weights inside passes met, on this rank: to be asked, and agreed upon, after each. */
ith_status ith_store_status(ith_store *store, ith_error *err);

/* What fetching layer `layer`, or the output matrix (ITH_NO_LAYER), has taken so far on this rank. */
ith_feed_counts ith_store_count(ith_store *store, int layer);

#endif
