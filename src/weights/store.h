/* store.h - the weights: planned first (so that their size is known before anything is allocated), then loaded.
 *
 *     ith_store_open(comm, &store)
 *     ith_store_add_matrix(store, tensor, ..., &m)     for every matrix; ith_store_add_vector for every norm
 *     ith_store_load(store, team, ...)                 allocates and converts, in parallel
 *     ith_matrix_tiles(m, first_tile)                  what kernels read
 *
 * Placement now: `replicated`: one copy per machine in memory that its ranks share; each of them converts its part.
 * The engine asks for tiles of rows and does not know where they come from. Matrices and vectors belong to the store.
 */
#ifndef ITH_WEIGHTS_STORE_H
#define ITH_WEIGHTS_STORE_H

#include "base/threads.h"
#include "comm/comm.h"
#include "formats/source.h"
#include "simd/kernels.h"

typedef struct ith_matrix { /* y[rows] = W [rows, cols] x[cols] */
    char name[96];
    ith_layout layout;
    int64_t rows, cols;
    int64_t groups, n_tiles; /* of 32 columns, of 16 rows */
    size_t tile_bytes;
    const uint8_t *tiles; /* NULL until loaded */
} ith_matrix;

static inline const uint8_t *ith_matrix_tiles(const ith_matrix *m, int64_t first_tile)
{
    return m->tiles + (size_t)first_tile * m->tile_bytes;
}

/* Row `row` as cols floats (the embedding of a token). */
void ith_matrix_row(const ith_matrix *m, int64_t row, float *out);

typedef struct ith_store ith_store;

ith_status ith_store_open(ith_comm *comm, ith_store **store, ith_error *err);
void ith_store_close(ith_store *store); /* collective; accepts NULL */

/* How the rows of a tensor are ordered in the file. */
typedef enum ith_row_order {
    ITH_ROWS_PLAIN,
    ITH_ROWS_INTERLEAVED_HALVES /* per head of head_dim rows: 0, d/2, 1, d/2+1, ...: GGUF's llama query and key rows */
} ith_row_order;

/* Plans tensor [rows, cols] in `layout`. ITH_E_FORMAT, naming the tensor, if its shape is another. head_dim is read for
 * ITH_ROWS_INTERLEAVED_HALVES only. The tensor's data must stay mapped until ith_store_load returns. */
ith_status ith_store_add_matrix(ith_store *store, const ith_tensor *tensor, int64_t rows, int64_t cols,
                                ith_layout layout, ith_row_order order, int64_t head_dim, const ith_matrix **out,
                                ith_error *err);

/* Plans a vector of n floats; *out is set by ith_store_load and must live until then. */
ith_status ith_store_add_vector(ith_store *store, const ith_tensor *tensor, int64_t n, const float **out,
                                ith_error *err);

size_t ith_store_bytes(const ith_store *store); /* of everything planned, per machine */

/* Return false to stop. */
typedef bool (*ith_load_progress)(void *user, int64_t done, int64_t total);

/* Collective. Allocates, converts, and returns the same status on all ranks. `progress` is called on rank 0, may be NULL. */
ith_status ith_store_load(ith_store *store, ith_team *team, ith_load_progress progress, void *user, ith_error *err);

#endif
