/* pages.c - page placement and lookup, through libnuma. */
#include "base/pages.h"

#include <numa.h>
#include <numaif.h>
#include <stdbool.h>
#include <unistd.h>

/* The most nodes that any Linux kernel is built for. */
enum { NODES_MOST = 1024, WORD_BITS = 8 * (int)sizeof(unsigned long) };

/* False where no whole page lies inside. */
static bool whole_pages(void *ptr, size_t bytes, void **first, size_t *length)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
              begin = ((uintptr_t)ptr + page - 1) / page * page,
              end = ((uintptr_t)ptr + bytes) / page * page;
    *first = (void *)begin;
    *length = begin < end ? end - begin : 0;
    return begin < end;
}

/* mbind's result is dropped on purpose: placement is advice. The kernel reads one bit less than it
 * is told. (libnuma's own masks end the process when there is no memory for one.) */
static void set_policy(void *ptr, size_t bytes, int policy, const int *nodes, int n)
{
    unsigned long mask[NODES_MOST / WORD_BITS] = {0};
    bool any = false;
    void *first;
    size_t length;

    for (int i = 0; i < n; i++)
        if (nodes[i] >= 0 && nodes[i] < NODES_MOST) {
            mask[nodes[i] / WORD_BITS] |= 1ul << nodes[i] % WORD_BITS;
            any = true;
        }
    if (any && whole_pages(ptr, bytes, &first, &length))
        mbind(first, length, policy, mask, NODES_MOST + 1, MPOL_MF_MOVE);
}

void ith_pages_place(void *ptr, size_t bytes, int node)
{
    set_policy(ptr, bytes, MPOL_PREFERRED, &node, 1);
}

void ith_pages_interleave(void *ptr, size_t bytes, const int *nodes, int n)
{
    set_policy(ptr, bytes, MPOL_INTERLEAVE, nodes, n);
}

/* Without target nodes move_pages moves nothing: it reports each page's node, or -errno. */
int ith_pages_locate(const void *ptr)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *at = (void *)((uintptr_t)ptr / page * page);
    int node = -1;

    if (move_pages(0, 1, &at, NULL, &node, 0) != 0)
        return -1;
    return node >= 0 ? node : -1;
}

int64_t ith_pages_node_bytes(int node)
{
    long long bytes = numa_available() < 0 ? -1 : numa_node_size64(node, NULL);
    return bytes > 0 ? bytes : 0;
}
