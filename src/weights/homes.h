/* homes.h - on which memory node (NUMA node) weights shall lie: where the threads that read them run. Pure but for ith_homes_place.
 *
 * A tile lies beside the thread that reads it in decode: a rank there multiplies with its own rows (shards.h), which its threads share out (linear.h).
 * (Rows of gate and up are shared out in pairs of tiles, those of experts nearly so: a tile at the border between two nodes may lie on the other.) What none of the ranks
 * that share the memory reads so, all of them read in prefill: for a rank that is alone it lies beside the thread that does, for several on their
 * nodes in turn. Where all their threads run beside one node everything lies there.
 */
#ifndef ITH_WEIGHTS_HOMES_H
#define ITH_WEIGHTS_HOMES_H

#include "base/topology.h"
#include "comm/mesh.h"
#include "weights/plan.h"

/* Where the threads of a rank run, as it tells the others: [first_thread[i], first_thread[i + 1]) beside the system's node os_index[i]. */
typedef struct ith_seat {
    int32_t rank, n_nodes;
    int32_t os_index[ITH_MAX_MEMORY_NODES], first_thread[ITH_MAX_MEMORY_NODES + 1];
} ith_seat;

ith_seat ith_seat_of(const ith_topology *topology, int rank, int n_threads);

typedef struct ith_homes { /* as one rank sees them */
    const ith_topology *topology;
    ith_mesh mesh;
    const ith_seat *seats; /* [n_seats] of the ranks that share the memory */
    int n_seats;
} ith_homes;

/* Memory node of unit `unit` of an entry, numbered as the topology does; -1: in turn. */
int ith_home_of(const ith_homes *homes, const ith_entry *entry, int64_t unit);

/* Of units [first, first + n) of an entry, those from the first on that have the same home: how many. */
int64_t ith_home_run(const ith_homes *homes, const ith_entry *entry, int64_t first, int64_t n);

/* Calls see() for each such run of the units, which lie at `memory`. */
typedef void (*ith_home_fn)(void *user, const void *at, size_t bytes, int node);
void ith_homes_each(const ith_homes *homes, const ith_entry *entry, int64_t first, int64_t n, const void *memory,
                    ith_home_fn see, void *user);

/* An ith_home_fn, user: the homes. The pages shall come from there: to be called before they are touched. */
void ith_homes_place(void *homes, const void *at, size_t bytes, int node);

#endif
