/* shards.h - which node holds which units of the weights (ZeRO-3 over nodes, arXiv 1910.02054).
 * Pure functions.
 *
 * Either every node holds whole matrices, or matrices are cut among the nodes. A node then holds
 * the rows with which its ranks multiply in passes by rows (ith_mesh_rows; of query, key and value
 * matrices the rows of their heads, of a recurrent block those that serve its heads). The rows of a
 * rank, a shard, lie together, rank by rank. Where
 * shards of two ranks meet inside a tile, both have the tile.
 */
#ifndef ITH_WEIGHTS_SHARDS_H
#define ITH_WEIGHTS_SHARDS_H

#include "comm/comm.h"
#include "comm/mesh.h"
#include "weights/load_plan.h"

typedef struct ith_shards {
    const ith_mesh *mesh;
    const int *node_of; /* [mesh->ranks] */
    int node, n_nodes;  /* this rank's. Where nothing is cut, all nodes are alike: 0 of 1 */
} ith_shards;

/* cut: matrices are cut among the nodes, if there are several. Mesh and communicator must outlive
 * the shards. */
ith_shards ith_shards_of(const ith_comm *comm, const ith_mesh *mesh, bool cut);

static inline bool ith_shards_cut(const ith_shards *s)
{
    return s->n_nodes > 1;
}

/* The tiles with rows that rank r multiplies with in passes by rows. */
ith_range ith_shard_tiles(const ith_mesh *mesh, const ith_entry *e, int r);

/* The units of e that `node` holds because of rank r; empty if r is of another node. What is not
 * cut (vectors and whole matrices too) is held because of rank 0. */
ith_range ith_shard_held(const ith_shards *s, const ith_entry *e, int node, int r);

/* Bytes of e that `node` holds, and that the node with most of it holds: multiples of 64. */
size_t ith_shard_bytes(const ith_shards *s, const ith_entry *e, int node);
size_t ith_shard_most(const ith_shards *s, const ith_entry *e);

/* Walks through the units [of.begin, of.end) of e that `node` holds, in extents of about `bytes`
 * bytes: *extent, {0} at first, becomes the next one. False: there is none. */
typedef struct ith_shard_extent {
    int rank; /* because of which it is held */
    int64_t first, n;
} ith_shard_extent;
bool ith_shard_next(const ith_shards *s, const ith_entry *e, int node, ith_range of, size_t bytes,
                    ith_shard_extent *extent);

#endif
