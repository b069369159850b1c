/* shards.h - which node holds which units of the weights (ZeRO-3 over nodes, arXiv 1910.02054). Pure functions.
 *
 * Either every node holds all of a matrix; or matrices are cut among the nodes, and a node holds the rows with which its ranks multiply in
 * passes by rows (ith_mesh_rows; of query, key and value matrices the rows of their heads). Each rank's rows lie together, rank by rank. Where
 * rows of two ranks meet inside a tile, both have the tile.
 */
#ifndef ITH_WEIGHTS_SHARDS_H
#define ITH_WEIGHTS_SHARDS_H

#include "comm/comm.h"
#include "comm/mesh.h"
#include "weights/plan.h"

typedef struct ith_shards {
    const ith_mesh *mesh;
    const int *node_of; /* [mesh->ranks] */
    int node, n_nodes;  /* mine; 1 where nothing is cut: then all nodes are alike, and node is 0 */
} ith_shards;

/* `cut`: among the nodes, if there are several. The mesh must outlive the shards. */
ith_shards ith_shards_of(const ith_comm *comm, const ith_mesh *mesh, bool cut);

static inline bool ith_shards_cut(const ith_shards *s)
{
    return s->n_nodes > 1;
}

/* Tiles of a matrix in which the rows are that rank r multiplies with in passes by rows. */
ith_range ith_shard_tiles(const ith_mesh *mesh, const ith_entry *e, int r);

/* Units of e that `node` holds because of rank r: empty if r is of another node. What is not cut, vectors and whole
 * matrices too, is rank 0's. */
ith_range ith_shard_held(const ith_shards *s, const ith_entry *e, int node, int r);

/* Bytes of what `node` holds of e, and of what the node that holds most of it does. A multiple of 64. */
size_t ith_shard_bytes(const ith_shards *s, const ith_entry *e, int node);
size_t ith_shard_most(const ith_shards *s, const ith_entry *e);

/* Where units [first, first + n), held because of one rank, lie among the bytes that my node holds of e. */
size_t ith_shard_place(const ith_shards *s, const ith_entry *e, int64_t first, int64_t n);

/* What `node` holds of units [first, first + n) of e, in pieces of about `bytes` bytes: the next after *piece, which begins as {0}.
 * False: there is none. */
typedef struct ith_shard_piece {
    int rank; /* because of which it is held */
    int64_t first, n;
} ith_shard_piece;
bool ith_shard_next(const ith_shards *s, const ith_entry *e, int node, ith_range of, size_t bytes,
                    ith_shard_piece *piece);

#endif
