/* shards.c - ranges of rows and units. */
#include "weights/shards.h"

#include "base/range.h"

static const int one_node = 0;

ith_shards ith_shards_of(const ith_comm *comm, const ith_mesh *mesh, bool cut)
{
    if (!cut || comm->n_nodes == 1)
        return (ith_shards){mesh, &one_node, 0, 1};
    return (ith_shards){mesh, comm->node_of, comm->node, comm->n_nodes};
}

static ith_range rows_of(const ith_mesh *mesh, const ith_entry *e, int r)
{
    if (e->whole)
        return (ith_range){0, e->matrix->rows};
    if (e->heads == 0)
        return ith_mesh_rows(mesh, e->matrix->rows, r);
    ith_range heads = e->served > 0 ? ith_mesh_serving(mesh, e->heads, e->served, r)
                                    : ith_mesh_own_heads(mesh, e->heads, r);
    int64_t each = e->matrix->rows / e->heads;
    return (ith_range){heads.begin * each, heads.end * each};
}

ith_range ith_shard_tiles(const ith_mesh *mesh, const ith_entry *e, int r)
{
    return ith_tiles_of(rows_of(mesh, e, r));
}

ith_range ith_shard_held(const ith_shards *s, const ith_entry *e, int node, int r)
{
    if (!ith_shards_cut(s) || e->matrix == NULL || e->whole)
        return (ith_range){0, r == 0 ? e->n_units : 0};
    return s->node_of[r] == node ? ith_shard_tiles(s->mesh, e, r) : (ith_range){0, 0};
}

static int n_ranks(const ith_shards *s)
{
    return ith_shards_cut(s) ? s->mesh->ranks : 1;
}

static size_t bytes_of(const ith_entry *e, int64_t units)
{
    return ((size_t)units * e->unit_bytes + 63) / 64 * 64;
}

size_t ith_shard_bytes(const ith_shards *s, const ith_entry *e, int node)
{
    int64_t units = 0;
    for (int r = 0; r < n_ranks(s); r++)
        units += ith_range_size(ith_shard_held(s, e, node, r));
    return bytes_of(e, units);
}

/* Do the ranks of each node follow one another, as launchers place them? */
static bool are_in_order(const ith_shards *s)
{
    for (int r = 1; r < n_ranks(s); r++)
        if (s->node_of[r] < s->node_of[r - 1])
            return false;
    return true;
}

/* The same in one pass over the ranks: of 1,024 nodes, looking at all ranks for each takes a plan
 * most of its time. */
static size_t most_in_order(const ith_shards *s, const ith_entry *e)
{
    int64_t units = 0, most = 0;

    for (int r = 0; r < s->mesh->ranks; r++) {
        if (r > 0 && s->node_of[r] != s->node_of[r - 1])
            units = 0;
        units += ith_range_size(ith_shard_held(s, e, s->node_of[r], r));
        most = units > most ? units : most;
    }
    return bytes_of(e, most);
}

size_t ith_shard_most(const ith_shards *s, const ith_entry *e)
{
    size_t most = 0;

    if (ith_shards_cut(s) && are_in_order(s))
        return most_in_order(s, e);
    for (int node = 0; node < s->n_nodes; node++) {
        size_t bytes = ith_shard_bytes(s, e, node);
        most = bytes > most ? bytes : most;
    }
    return most;
}

bool ith_shard_next(const ith_shards *s, const ith_entry *e, int node, ith_range of, size_t bytes,
                    ith_shard_extent *extent)
{
    int64_t units = ith_count_within(e->unit_bytes, bytes), from = extent->first + extent->n;

    for (; extent->rank < n_ranks(s); extent->rank++, from = 0) {
        ith_range held = ith_shard_held(s, e, node, extent->rank);
        int64_t begin = held.begin > of.begin ? held.begin : of.begin,
                end = held.end < of.end ? held.end : of.end;
        begin = begin > from ? begin : from;
        if (begin >= end)
            continue;
        extent->first = begin;
        extent->n = end - begin < units ? end - begin : units;
        return true;
    }
    return false;
}
