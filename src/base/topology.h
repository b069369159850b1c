/* topology.h - the machine as this process may use it: memory nodes, the cores beside each, their
 * caches, binding of threads and placement of pages. topology.c alone includes <hwloc.h>; pages are
 * placed and found by base/pages.h.
 *
 * It shows the running machine within the process's affinity mask and cgroup. For tests it can show
 * another one: ITHACA_TOPOLOGY names a file of hwloc's XML (lstopo machine.xml) or is one of its
 * synthetic descriptions, "numa:2 core:4 pu:1"; hwloc's own HWLOC_XMLFILE and HWLOC_SYNTHETIC work
 * too. ITHACA_CPUS, such as "0-3,8", then stands for the affinity mask. On a machine that is not
 * the running one, nothing is bound, and no page is placed or found.
 *
 * A memory node is a NUMA node with cores. Where several have the same cores (DRAM and HBM), the
 * first counts. Nodes are numbered 0, 1, ... here, beginning with those that have cores on which
 * the process may run; os_index is the system's number.
 */
#ifndef ITH_BASE_TOPOLOGY_H
#define ITH_BASE_TOPOLOGY_H

#include "base/caches.h"
#include "base/error.h"
#include "base/range.h"

enum { ITH_MAX_MEMORY_NODES = 64 };

typedef struct ith_memory_node {
    int os_index;
    int cores; /* with a hardware thread that the process may run on; 0: another process's node */
    int64_t bytes; /* of memory, used or not; 0 where unknown */
} ith_memory_node;

typedef struct ith_topology ith_topology;

/* Reads the machine, which takes some milliseconds. *topology is the caller's. ITH_E_ARGUMENT:
 * ITHACA_TOPOLOGY, ITHACA_CPUS or ITHACA_CACHES cannot be read. ITH_E_IO; ITH_E_MEMORY. */
ith_status ith_topology_open(ith_topology **topology, ith_error *err);
void ith_topology_close(ith_topology *topology); /* accepts NULL */

/* Memory nodes of the process: 1 to ITH_MAX_MEMORY_NODES; and all of the machine that the cgroup
 * allows. */
int ith_topology_nodes(const ith_topology *topology);
int ith_topology_machine_nodes(const ith_topology *topology);

/* Node `node`, 0 <= node < machine_nodes; and the node with the system's number os_index, -1:
 * none. */
const ith_memory_node *ith_topology_node(const ith_topology *topology, int node);
int ith_topology_find(const ith_topology *topology, int os_index);

/* The processor's name, as its maker calls it; "" where unknown. */
const char *ith_topology_cpu_name(const ith_topology *topology);

/* Cores that the process may run on; their hardware threads; and all cores that the cgroup
 * allows. */
int ith_topology_cores(const ith_topology *topology);
int ith_topology_cpus(const ith_topology *topology);
int ith_topology_machine_cores(const ith_topology *topology);

/* The cores of the process: bit c % 8 of bits[c / 8], c < 8 * bytes, is set for the core whose
 * first hardware thread is number c of the system's. So a core has one name for all processes. */
void ith_topology_core_bits(const ith_topology *topology, uint8_t *bits, size_t bytes);

/* Memory nodes as bits, by the system's numbers, of which those below 64 count: beside the cores of
 * the process; all of the machine that the cgroup allows; and those that the calling thread may
 * take memory from (numactl --membind, srun --mem-bind), 0 where that is unknown. */
uint64_t ith_topology_near(const ith_topology *topology);
uint64_t ith_topology_all(const ith_topology *topology);
uint64_t ith_topology_allowed(const ith_topology *topology);

/* A core's share of the caches, the smallest where cores differ. ITHACA_CACHES="48KiB,2MiB,16MiB"
 * replaces what the machine reports, ith_caches_default() what it does not report. */
ith_caches ith_topology_caches(const ith_topology *topology);

/* ---- Shares: pure functions ---- */

/* The memory node of thread `tid` of a rank's n_threads. Threads are dealt to nodes in contiguous
 * runs, as many as a node has cores, or in proportion where threads and cores differ in number. */
int ith_topology_thread_node(const ith_topology *topology, int n_threads, int tid);

/* The threads of a node: contiguous, possibly none. */
ith_range ith_topology_node_threads(const ith_topology *topology, int n_threads, int node);

/* The memory node of item i of many alike (segments of the cache): round-robin. */
static inline int ith_topology_turn(int n_nodes, int64_t i)
{
    return (int)(i % n_nodes);
}

/* ---- Effects: none where the topology has one node, or is not the running machine ---- */

/* Binds the calling thread to the cores of a node; -1: to all of the process's. To a node, not to a
 * core: the scheduler still avoids cores that others use. A thread already within a node stays as
 * it is. */
void ith_topology_bind_thread(const ith_topology *topology, int node);

/* Page placement of the pages that lie wholly in [ptr, ptr + bytes): on a node, or on another when
 * that is full; or interleaved over all of the machine's nodes. Pages already present move. Advice:
 * where the system refuses (a container), pages lie where they are touched first. */
void ith_topology_place(const ith_topology *topology, void *ptr, size_t bytes, int node);
void ith_topology_interleave(const ith_topology *topology, void *ptr, size_t bytes);

/* The system's number of the memory node that holds the page at ptr; -1: not in memory, or unknown.
 * Works on any topology of the running machine. */
int ith_topology_locate(const ith_topology *topology, const void *ptr);

#endif
