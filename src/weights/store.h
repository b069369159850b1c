/* store.h - the weights: planned first (so that their size is known before anything is allocated), then loaded.
 *
 *     ith_store_open(comm, &store)
 *     ith_plan_matrix(ith_store_plan(store), ...)      for every matrix; ith_plan_vector for every norm
 *     ith_store_load(store, team, ...)                 allocates and converts, in parallel
 *     ith_matrix_tiles(m, first_tile)                  what kernels read
 *
 * Placement now: `replicated`: one copy per machine, shared by its ranks. What a pack holds in the wanted layout, not compressed, is used
 * in its mapping: the copy is the system's page cache, and loading it means only to verify it. All else, and everything on machines with
 * several memory nodes (over which a store's own memory is spread), is made in memory that the ranks share; each of them makes its part.
 * The engine asks for tiles of rows and does not know where they come from. Matrices and vectors belong to the store.
 */
#ifndef ITH_WEIGHTS_STORE_H
#define ITH_WEIGHTS_STORE_H

#include "base/threads.h"
#include "comm/comm.h"
#include "weights/plan.h"

static inline const uint8_t *ith_matrix_tiles(const ith_matrix *m, int64_t first_tile)
{
    return m->tiles + (size_t)first_tile * m->tile_bytes;
}

/* Row `row` as cols floats (the embedding of a token). */
void ith_matrix_row(const ith_matrix *m, int64_t row, float *out);

typedef struct ith_store ith_store;

ith_status ith_store_open(ith_comm *comm, ith_store **store, ith_error *err);
void ith_store_close(ith_store *store); /* collective; accepts NULL */

ith_plan *ith_store_plan(ith_store *store); /* to be filled before ith_store_load */

size_t ith_store_bytes(const ith_store *store); /* of everything planned, per machine */

/* Return false to stop. */
typedef bool (*ith_load_progress)(void *user, int64_t done, int64_t total);

/* Collective. Allocates, converts, and returns the same status on all ranks. `progress` is called on rank 0, may be NULL. */
ith_status ith_store_load(ith_store *store, ith_team *team, ith_load_progress progress, void *user, ith_error *err);

#endif
