/* pages.h - on which memory nodes (NUMA nodes) pages lie: page placement and lookup, through
 * libnuma.
 *
 * Nodes are named by the system's numbers and must be nodes of the running machine; a recorded
 * topology (base/topology.h) has nodes that only exist on paper, which base/topology.c never passes
 * on. Callers above src/base use ith_topology_place, _interleave and _locate instead.
 *
 * Placement is advice. Where the kernel has no NUMA support or a container forbids mbind and
 * move_pages (ENOSYS, EPERM), nothing happens, and pages lie where they are touched first.
 *
 * Not collective; safe on any thread.
 */
#ifndef ITH_BASE_PAGES_H
#define ITH_BASE_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* Prefer `node` for the pages that lie wholly in [ptr, ptr + bytes); when it is full, the kernel
 * takes another. Pages already present move. */
void ith_pages_place(void *ptr, size_t bytes, int node);

/* The same pages, spread round-robin over nodes[n]. */
void ith_pages_interleave(void *ptr, size_t bytes, const int *nodes, int n);

/* The node that holds the page at ptr; -1: the page is not in memory, or the kernel does not
 * say. */
int ith_pages_locate(const void *ptr);

/* Bytes of memory of a node, used or not; 0 where unknown. */
int64_t ith_pages_node_bytes(int node);

#endif
