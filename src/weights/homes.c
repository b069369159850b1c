#include "weights/homes.h"

/* Tiles of a matrix that this rank reads in decode. */
static ith_range decode_tiles(const ith_homes *homes, const ith_matrix *m)
{
    ith_range rows = ith_mesh_rows(&homes->mesh, m->rows, homes->mesh.rank);
    return (ith_range){rows.begin / ITH_TILE_ROWS, (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS};
}

int ith_home_of(const ith_homes *homes, const ith_entry *e, int64_t unit)
{
    ith_range tiles = {0, e->n_units};

    if (homes->kind == ITH_HOMES_INTERLEAVED)
        return -1;
    if (homes->kind == ITH_HOMES_ONE_NODE)
        return 0;
    if (e->matrix != NULL) {
        ith_range mine = decode_tiles(homes, e->matrix);
        if (unit >= mine.begin && unit < mine.end)
            tiles = mine;
    }
    return ith_topology_thread_node(homes->topology, homes->n_threads,
                                    ith_split_holder(ith_range_size(tiles), 1, homes->n_threads, unit - tiles.begin));
}

int64_t ith_home_run(const ith_homes *homes, const ith_entry *e, int64_t first)
{
    int64_t unit = first + 1;

    if (homes->kind != ITH_HOMES_BY_ROWS)
        return e->n_units - first;
    while (unit < e->n_units && ith_home_of(homes, e, unit) == ith_home_of(homes, e, first))
        unit++;
    return unit - first;
}

void ith_homes_apply(const ith_homes *homes, const ith_entry *e, void *memory)
{
    for (int64_t first = 0, n; first < e->n_units; first += n) {
        uint8_t *at = (uint8_t *)memory + (size_t)first * e->unit_bytes;
        int node = ith_home_of(homes, e, first);
        n = ith_home_run(homes, e, first);
        if (node < 0)
            ith_topology_interleave(homes->topology, at, (size_t)n * e->unit_bytes);
        else
            ith_topology_place(homes->topology, at, (size_t)n * e->unit_bytes, node);
    }
}
