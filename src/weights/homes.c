/* homes.c - finds the memory node of each unit, and places its pages there. */
#include "weights/homes.h"

#include "weights/shards.h"

ith_seat ith_seat_of(const ith_topology *topology, int rank, int n_threads)
{
    ith_seat seat = {.rank = rank,
                     .n_nodes = ith_topology_nodes(topology),
                     .machine_nodes = ith_topology_machine_nodes(topology)};

    for (int i = 0; i < seat.n_nodes; i++) {
        seat.os_index[i] = ith_topology_node(topology, i)->os_index;
        seat.first_thread[i + 1] = (int32_t)ith_topology_node_threads(topology, n_threads, i).end;
    }
    return seat;
}

int ith_homes_machine_nodes(const ith_homes *homes)
{
    int most = 1;

    for (int i = 0; i < homes->n_seats; i++)
        most = homes->seats[i].machine_nodes > most ? homes->seats[i].machine_nodes : most;
    return most;
}

/* The node of the thread that reads tile `tile` of n. */
static int home_of_share(const ith_seat *seat, int64_t n, int64_t tile)
{
    int tid = ith_split_holder(n, 1, seat->first_thread[seat->n_nodes], tile), i = 0;

    while (i + 1 < seat->n_nodes && seat->first_thread[i + 1] <= tid)
        i++;
    return seat->os_index[i];
}

int ith_homes_only(const ith_homes *homes)
{
    int os_index = homes->seats[0].os_index[0];

    for (int i = 0; i < homes->n_seats; i++)
        if (homes->seats[i].n_nodes > 1 || homes->seats[i].os_index[0] != os_index)
            return -1;
    return os_index;
}

/* The seat of the lowest rank that has the unit among its tiles, which are *tiles; NULL: none. */
static const ith_seat *seat_with(const ith_homes *homes, const ith_entry *e, int64_t unit,
                                 ith_range *tiles)
{
    const ith_seat *found = NULL;

    for (int i = 0; e->matrix != NULL && i < homes->n_seats; i++) {
        const ith_seat *seat = &homes->seats[i];
        ith_range own = ith_shard_tiles(&homes->mesh, e, seat->rank);
        if (unit < own.begin || unit >= own.end || (found != NULL && found->rank < seat->rank))
            continue;
        found = seat;
        *tiles = own;
    }
    return found;
}

int ith_home_of(const ith_homes *homes, const ith_entry *e, int64_t unit)
{
    int only = ith_homes_only(homes);
    ith_range tiles = {0, 0};
    const ith_seat *seat = only >= 0 ? NULL : seat_with(homes, e, unit, &tiles);

    if (only >= 0)
        return only;
    if (seat != NULL)
        return home_of_share(seat, ith_range_size(tiles), unit - tiles.begin);
    return homes->n_seats == 1 ? home_of_share(homes->seats, e->n_units, unit) : -1;
}

int64_t ith_home_run(const ith_homes *homes, const ith_entry *e, int64_t first, int64_t n)
{
    int home = ith_home_of(homes, e, first);
    int64_t run = 1;

    if (ith_homes_only(homes) >= 0)
        return n;
    while (run < n && ith_home_of(homes, e, first + run) == home)
        run++;
    return run;
}

int ith_homes_node(const ith_homes *homes, int home)
{
    return homes == NULL ? 0 : home < 0 ? -1 : ith_topology_find(homes->topology, home);
}

/* This rank may not see the home of another's rows: then they are interleaved. */
void ith_homes_place(const ith_homes *homes, void *at, size_t bytes, int home)
{
    int node = ith_homes_node(homes, home);

    if (node < 0)
        ith_topology_interleave(homes->topology, at, bytes);
    else
        ith_topology_place(homes->topology, at, bytes, node);
}
