/* topology.h - the machine as this process may use it: memory nodes, the cores beside each, their
 * caches, binding of threads and placement of pages. topology.c alone includes <hwloc.h>; pages are
 * placed and found by base/pages.h.
 *
 * What is seen is the running machine within the process's affinity mask and cgroup. For tests it can be another one: ITHACA_TOPOLOGY names
 * a file of hwloc's XML (lstopo machine.xml) or is one of its synthetic descriptions, "numa:2 core:4 pu:1"; hwloc's own HWLOC_XMLFILE and
 * HWLOC_SYNTHETIC work too. ITHACA_CPUS, as "0-3,8", then stands for the affinity mask. On a machine that is not the running one nothing is bound and no
 * page is placed or found.
 *
 * A memory node is a NUMA node with cores. Where several have the same cores (DRAM and HBM) the first counts. They are numbered 0, 1, ... here, those
 * first that have cores on which the process may run; os_index is the system's number.
 */
#ifndef ITH_BASE_TOPOLOGY_H
#define ITH_BASE_TOPOLOGY_H

#include "base/caches.h"
#include "base/error.h"
#include "base/range.h"

enum { ITH_MAX_MEMORY_NODES = 64 };

typedef struct ith_memory_node {
    int os_index;
    int cores;     /* that the process may run on: at least one of their hardware threads. 0: it is another's */
    int64_t bytes; /* of memory, used or not; 0 where unknown */
} ith_memory_node;

typedef struct ith_topology ith_topology;

/* Reads it: some milliseconds. ITH_E_ARGUMENT: ITHACA_TOPOLOGY, ITHACA_CPUS or ITHACA_CACHES cannot be read. */
ith_status ith_topology_open(ith_topology **topology, ith_error *err);
void ith_topology_close(ith_topology *topology); /* accepts NULL */

int ith_topology_nodes(const ith_topology *topology); /* of the process: 1 to ITH_MAX_MEMORY_NODES */
int ith_topology_machine_nodes(
    const ith_topology *topology); /* also those outside the affinity mask, within the cgroup */
const ith_memory_node *ith_topology_node(const ith_topology *topology, int node); /* node < all of them */
int ith_topology_find(const ith_topology *topology, int os_index);                /* the system's; -1: no such node */
int ith_topology_cores(const ith_topology *topology);                      /* that the process may run on */
int ith_topology_cpus(const ith_topology *topology);                       /* their hardware threads */
int ith_topology_machine_cores(
    const ith_topology *topology); /* also those outside the affinity mask, within the cgroup */

/* The smallest of a kind where cores differ. ITHACA_CACHES="48KiB,2MiB,16MiB" stands for what the machine says; ith_caches_default() for what it
 * does not say. */
ith_caches ith_topology_caches(const ith_topology *topology);

/* Is it the running machine? */
bool ith_topology_is_here(const ith_topology *topology);

/* ---- Shares: pure functions ---- */

/* Memory node of thread `tid` of a rank's n_threads: threads are dealt to nodes in contiguous runs, as many as a node has cores, in
 * proportion where there are more or fewer threads than cores. */
int ith_topology_thread_node(const ith_topology *topology, int n_threads, int tid);

/* Those of its threads: contiguous, maybe none. */
ith_range ith_topology_node_threads(const ith_topology *topology, int n_threads, int node);

/* Memory node of a thing (a segment of the cache) that is number i of many alike: in turn. */
static inline int ith_topology_turn(int n_nodes, int64_t i)
{
    return (int)(i % n_nodes);
}

/* ---- Effects: nothing where the topology has one node, or is not the running machine ---- */

/* Lets the calling thread run on the cores of a node only; -1: on all of the process's. To the node, not to a core: the scheduler still
 * avoids cores on which others work. A thread whose mask lies within a node already stays as it is. */
void ith_topology_bind_thread(const ith_topology *topology, int node);

/* Pages that lie wholly in [ptr, ptr + bytes) shall come from the node's memory, from another's when that is full; those that are there already move.
 * Or from all of the machine's nodes in turn. A wish: where the system refuses (a container), pages lie where they are touched first. */
void ith_topology_place(const ith_topology *topology, void *ptr, size_t bytes, int node);
void ith_topology_interleave(const ith_topology *topology, void *ptr, size_t bytes);

/* System's number of the memory node that the page at ptr lies on; -1: not in memory, or unknown. On any topology of the running machine. */
int ith_topology_locate(const ith_topology *topology, const void *ptr);

#endif
