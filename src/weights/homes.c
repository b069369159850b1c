/* homes.c - finds the memory node of each unit, and places its pages there. */
#include "weights/homes.h"

#include "weights/shards.h"

ith_seat ith_seat_of(const ith_topology *topology, int rank, int n_threads)
{
    ith_seat seat = {.rank = rank, .n_nodes = ith_topology_nodes(topology)};

    for (int i = 0; i < seat.n_nodes; i++) {
        seat.os_index[i] = ith_topology_node(topology, i)->os_index;
        seat.first_thread[i + 1] = (int32_t)ith_topology_node_threads(topology, n_threads, i).end;
    }
    return seat;
}

static int node_of_thread(const ith_homes *homes, const ith_seat *seat, int tid)
{
    int i = 0;
    while (i + 1 < seat->n_nodes && seat->first_thread[i + 1] <= tid)
        i++;
    return ith_topology_find(homes->topology, seat->os_index[i]);
}

/* The node of the thread that reads tile `tile` of n. */
static int node_of_share(const ith_homes *homes, const ith_seat *seat, int64_t n, int64_t tile)
{
    return node_of_thread(homes, seat,
                          ith_split_holder(n, 1, seat->first_thread[seat->n_nodes], tile));
}

/* The only node beside which threads run; -1: there are several. */
static int only_node(const ith_homes *homes)
{
    int os_index = homes->seats[0].os_index[0];

    for (int i = 0; i < homes->n_seats; i++)
        if (homes->seats[i].n_nodes > 1 || homes->seats[i].os_index[0] != os_index)
            return -1;
    return ith_topology_find(homes->topology, os_index);
}

int ith_home_of(const ith_homes *homes, const ith_entry *e, int64_t unit)
{
    int only = only_node(homes);

    if (only >= 0)
        return only;
    for (int i = 0; e->matrix != NULL && i < homes->n_seats; i++) {
        ith_range tiles = ith_shard_tiles(&homes->mesh, e, homes->seats[i].rank);
        if (unit >= tiles.begin && unit < tiles.end)
            return node_of_share(homes, &homes->seats[i], ith_range_size(tiles),
                                 unit - tiles.begin);
    }
    return homes->n_seats == 1 ? node_of_share(homes, homes->seats, e->n_units, unit) : -1;
}

int64_t ith_home_run(const ith_homes *homes, const ith_entry *e, int64_t first, int64_t n)
{
    int node = ith_home_of(homes, e, first);
    int64_t run = 1;

    if (only_node(homes) >= 0)
        return n;
    while (run < n && ith_home_of(homes, e, first + run) == node)
        run++;
    return run;
}

void ith_homes_each(const ith_homes *homes, const ith_entry *e, int64_t first, int64_t n,
                    const void *memory, ith_home_fn see, void *user)
{
    const uint8_t *at = memory;

    for (int64_t run; n > 0; first += run, n -= run, at += (size_t)run * e->unit_bytes) {
        run = ith_home_run(homes, e, first, n);
        see(user, at, (size_t)run * e->unit_bytes, ith_home_of(homes, e, first));
    }
}

void ith_homes_place(void *user, const void *at, size_t bytes, int node)
{
    const ith_homes *homes = user;

    if (node < 0)
        ith_topology_interleave(homes->topology, (void *)at, bytes);
    else
        ith_topology_place(homes->topology, (void *)at, bytes, node);
}
