/* store.h - the weights: planned first, so that their size is known before anything is allocated,
 * then loaded.
 *
 *     ith_store_open(comm, &store)
 *     plan = ith_store_load_plan(store)
 *     ith_load_plan_matrix(plan, ...)        for every matrix; ..._vector for every vector
 *     ith_store_load(store, params, team)    allocates and makes them, in parallel
 *     ith_matrix_tiles(m, first_tile)        what the kernels read
 *
 * Weight distribution, which ith_store_params sets:
 *
 *   replicated  One copy per memory domain (comm.h: a machine, or a memory node of it), shared by
 *               its ranks. What a pack holds in the layout asked for, uncompressed, is used in its
 *               mapping: the copy is the system's page cache, and loading only verifies it. All
 *               else, and everything on machines with several memory nodes, is made in memory that
 *               the ranks share; each of them makes some of it.
 *   sharded     Each node holds the rows of its ranks (shards.h) and loads no others. Passes by
 *               rows use them where they are; other passes gather each layer's rows from all nodes,
 *               ahead of use (feed.h). On one node this is the one copy again. An embedding that is
 *               not the output matrix too is not held: its rows are read where they are needed
 *               (lookup.h).
 *   streamed    Where the above exceeds a budget: what stays is chosen by residence.h, the rest
 *               comes ahead of use, cut among the nodes in the same way: each node reads its rows.
 *               Of experts, passes of few tokens read only those that were chosen.
 *
 * Page placement: weights that stay lie on the memory nodes of the threads that read them
 * (homes.h), those of a node side by side (spread.h).
 *
 * A pass says which stage of which layer, or which step of the output matrix, it is about to use,
 * and whether it needs all rows; it does not know where the tiles come from. The store owns
 * matrices and vectors.
 */
#ifndef ITH_WEIGHTS_STORE_H
#define ITH_WEIGHTS_STORE_H

#include "base/threads.h"
#include "comm/comm.h"
#include "comm/mesh.h"
#include "formats/filereader.h"
#include "weights/feed.h"
#include "weights/homes.h"
#include "weights/load_plan.h"

/* Tile `first` of a matrix, and those after it, as far as ith_matrix_run says. */
const uint8_t *ith_matrix_tiles(const ith_matrix *m, int64_t first);

/* How many of these tiles, one at least, lie one after another in memory, from tiles.begin on: all,
 * unless they lie on several memory nodes. */
int64_t ith_matrix_run(const ith_matrix *m, ith_range tiles);

typedef struct ith_store ith_store;

/* The communicator must outlive the store, which is the caller's. ITH_E_MEMORY. */
ith_status ith_store_open(ith_comm *comm, ith_store **store, ith_error *err);
void ith_store_close(ith_store *store); /* collective; accepts NULL */

/* The load plan, which the caller fills before ith_store_load. It belongs to the store. */
ith_load_plan *ith_store_load_plan(ith_store *store);

/* Bytes of everything planned. */
size_t ith_store_bytes(const ith_store *store);

/* The layout that most bytes of matrices have. */
ith_layout ith_store_layout(const ith_store *store);

/* `done` of `total` bytes are made. Return false to stop. */
typedef bool (*ith_load_progress)(void *user, int64_t done, int64_t total);

typedef struct ith_store_params {
    const ith_mesh *mesh; /* must outlive the store */
    bool cut;             /* sharded: matrices are cut among the nodes, if there are several */
    size_t budget;        /* bytes for weights on a node, with what comes and goes; 0: unlimited */
    /* Streamed weights: -1: read from the model's files each time; 0: held in memory as they are;
     * otherwise held as zstd frames of that level. */
    int ram_level;
    ith_caching caching;              /* of the model's files */
    const ith_matrix *embed, *output; /* the same matrix if tied */
    /* Page placement; topology NULL: none. The seats of all ranks of the node, those
     * of this rank's memory domain first. */
    ith_homes homes;
    ith_load_progress progress; /* called on rank 0; NULL: none */
    void *user;                 /* handed to it */
} ith_store_params;

/* Bytes of a node if everything stays that these params cut, with the memory for what comes and
 * goes: the least budget at which all rows stay. Not collective; the same on all ranks. */
size_t ith_store_needs(const ith_store *store, const ith_store_params *params);

/* The least budget: every layer comes ahead of use. Does not read params->budget. */
size_t ith_store_least(const ith_store *store, const ith_store_params *params);

/* Of the node that holds most, in bytes. */
typedef struct ith_store_forecast {
    size_t memory;      /* of weights in the end: what stays, transit and shelves; without frames */
    double read;        /* of files, as stored, for a pass that needs all experts, */
    double read_chosen; /* and for one that needs a share of each layer's */
} ith_store_forecast;

/* What loading with these params will lead to, before loading. share: of each layer's experts, all
 * as likely. Not collective. Errors as ith_store_load for a budget that is too small. */
ith_status ith_store_foresee(ith_store *store, const ith_store_params *params, double share,
                             ith_store_forecast *out, ith_error *err);

/* Collective, with params alike but for progress. Allocates and makes the weights. The same status
 * on all ranks: ITH_E_MEMORY, if the budget does not hold a layer and what must stay (the text has
 * the numbers); ITH_E_CANCELLED; ITH_E_COMM: nodes that each load all weights have loaded others;
 * what ith_produce says. */
ith_status ith_store_load(ith_store *store, const ith_store_params *params, ith_team *team,
                          ith_error *err);

/* Do this rank's passes read the model's files: in their mapping, or again each time? */
bool ith_store_reads_files(const ith_store *store);

/* Unit `unit` of an entry if it stays within this rank's reach; otherwise NULL. */
const uint8_t *ith_store_unit(const ith_store *store, const ith_entry *entry, int64_t unit);

/* Calls see() for every run of weights in memory, transit and shelves too, with the memory node on
 * which it should lie; -1: interleaved. Of a copy that ranks share, on one of them only. */
void ith_store_regions(const ith_store *store, ith_home_fn see, void *user);

/* ---- Inside a pass: all ranks, in the same order ---- */

/* All members of the team call both. Between the two, the matrices of the layer's stage have their
 * tiles: all, or those of this rank's rows. enter ends with a barrier if it waited for anything.
 * Call leave after a barrier that follows the last use. Pairs must not overlap. `chosen`: see
 * ith_feed_enter; read on thread 0 only; NULL where the stage has no experts, or all are needed. */
void ith_store_enter(ith_store *store, int layer, int stage, ith_need need, const bool *chosen,
                     ith_member *me);
void ith_store_leave(ith_store *store, int layer, int stage, ith_need need, ith_member *me);

/* The output matrix, in steps, in rising order; 1 step if all that is needed stays. enter returns
 * the rows of the step. */
int ith_store_output_steps(const ith_store *store, ith_need need);
ith_range ith_store_enter_output(ith_store *store, int step, ith_need need, ith_member *me);
void ith_store_leave_output(ith_store *store, int step, ith_need need, ith_member *me);

/* Collective, on one thread, outside passes. Waits for everything that a pass with that need
 * fetches, in its order, and uses none of it: the time of a pass whose computing takes no time.
 * chosen: of every layer's experts; NULL: all. False: nothing is fetched. */
bool ith_store_pass_by(ith_store *store, ith_need need, const bool *chosen);

/* Row `row` of the embedding as floats into out[cols], on thread me->tid. */
void ith_store_embed(ith_store *store, int64_t row, ith_member *me, float *out);

/* The first error that reading weights inside passes met on this rank. Ask after each pass, and
 * agree on it. */
ith_status ith_store_status(ith_store *store, ith_error *err);

/* What fetching layer `layer`, or the output matrix (ITH_NO_LAYER), has taken so far on this
 * rank. */
ith_feed_counts ith_store_count(ith_store *store, int layer);

/* Reports what is fetched (ith_feed_watch), if anything is. Returns false if another user does. */
bool ith_store_watch(ith_store *store, ith_fetched_fn fetched, void *user);

/* The layer of a step of the feed; -1: the output matrix. */
int ith_store_layer_of(const ith_store *store, int64_t step);

#endif
