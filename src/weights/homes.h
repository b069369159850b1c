/* homes.h - page placement of weights: each lies on the memory node (NUMA node) of the threads that
 * read it. Pure functions, but for ith_homes_place.
 *
 * A tile lies beside the thread that reads it in decode: a rank multiplies with its own rows there
 * (shards.h), which its threads share out (linear.h). Gate and up rows are shared out in pairs of
 * tiles, those of experts nearly so: a tile at the border between two nodes may lie on the other.
 *
 * What none of the ranks that share the memory reads in decode, all of them read in prefill. For a
 * rank that is alone, it lies beside the thread that does; for several ranks, interleaved over
 * their nodes.
 *
 * Where all threads run beside one node, everything lies there.
 */
#ifndef ITH_WEIGHTS_HOMES_H
#define ITH_WEIGHTS_HOMES_H

#include "base/topology.h"
#include "comm/mesh.h"
#include "weights/load_plan.h"

/* Where the threads of a rank run: threads [first_thread[i], first_thread[i + 1]) beside the
 * system's node os_index[i], i < n_nodes. Ranks send these to each other. */
typedef struct ith_seat {
    int32_t rank, n_nodes;
    int32_t machine_nodes; /* that the rank sees */
    int32_t os_index[ITH_MAX_MEMORY_NODES], first_thread[ITH_MAX_MEMORY_NODES + 1];
} ith_seat;

ith_seat ith_seat_of(const ith_topology *topology, int rank, int n_threads);

/* The view of one rank. Topology and seats must outlive it. Nodes have the system's numbers here,
 * so homes are the same for all ranks that share the memory, whatever each of them sees of the
 * machine, and in whatever order they list the seats. */
typedef struct ith_homes {
    const ith_topology *topology;
    ith_mesh mesh;
    const ith_seat *seats; /* [n_seats] of the ranks that share the memory */
    int n_seats;
} ith_homes;

/* Memory nodes of the machine, as the rank that sees most of them has it. */
int ith_homes_machine_nodes(const ith_homes *homes);

/* The memory node of unit `unit` of an entry; -1: interleaved. */
int ith_home_of(const ith_homes *homes, const ith_entry *entry, int64_t unit);

/* The number of units from `first` on, of [first, first + n), that have the same home. */
int64_t ith_home_run(const ith_homes *homes, const ith_entry *entry, int64_t first, int64_t n);

/* The only node beside which threads run; -1: there are several. */
int ith_homes_only(const ith_homes *homes);

/* Is told of memory that belongs on `node`, numbered as in the topology; -1: interleaved. */
typedef void (*ith_home_fn)(void *user, const void *at, size_t bytes, int node);

/* The topology's number of a home; 0 if homes are NULL, so that there is one. */
int ith_homes_node(const ith_homes *homes, int home);

/* Places pages at a home. Call it before the first touch. */
void ith_homes_place(const ith_homes *homes, void *at, size_t bytes, int home);

#endif
