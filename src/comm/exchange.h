/* exchange.h - strategies of the all-to-all: who sends what to whom, as pure functions.
 *
 *   alltoallv  MPI_Alltoallv.
 *   pairwise   Messages between all pairs of ranks. In step s rank r sends to r + s and receives
 *              from r - s, with a few steps in progress: a rank never receives from more others at
 *              a time than that, however many ranks there are (no incast).
 *   node       The ranks of a node copy through shared memory. Between two nodes one message
 *              carries what all ranks of one have for all ranks of the other: 1 message in place of
 *              n * n with n ranks a node. The courier for another node is the rank whose number in
 *              its node is the other node's number modulo its node's size, so that couriers share
 *              the work.
 */
#ifndef ITH_COMM_EXCHANGE_H
#define ITH_COMM_EXCHANGE_H

#include "base/error.h"

enum { ITH_EXCHANGES = ITH_EXCHANGE_NODE + 1 };

/* The partners of `rank` in step `step` of a pairwise exchange, 0 <= step < size. */
static inline int ith_exchange_to(int rank, int size, int step)
{
    return (rank + step) % size;
}
static inline int ith_exchange_from(int rank, int size, int step)
{
    return (rank - step + size) % size;
}

/* The courier of a node of node_size ranks for node `other`: its number in its node. */
static inline int ith_exchange_courier(int node_size, int other)
{
    return other % node_size;
}

/* With ITH_EXCHANGE_AUTO, exchanges in which no rank sends or receives more than this many bytes go
 * by node, larger ones pairwise. Inside one node, by node is as fast as any
 * (bench/notes/exchange.md). Between nodes of several ranks it saves messages, which matters while
 * blocks are small; large ones would pay for its copies. The limit between the two is not measured.
 */
static inline int64_t ith_exchange_node_most(int n_nodes, int ranks)
{
    enum { SMALL_BLOCK = 16384 };
    if (n_nodes == 1)
        return INT32_MAX;
    return ranks == n_nodes ? 0 : (int64_t)ranks * SMALL_BLOCK;
}

/* Bytes of a buffer in node memory, of which each rank has two, for exchanges of up to `most`
 * bytes; 0: none goes by node. One rank alone has nothing to send. */
int64_t ith_exchange_slot(ith_exchange wanted, int64_t most, int n_nodes, int ranks);

/* Lists the ranks node by node, ascending in each: those of node i are members[first[i]] up to
 * members[first[i + 1] - 1]. node_of [ranks]; fills members [ranks] and first [n_nodes + 1]. */
void ith_exchange_members(const int *node_of, int ranks, int n_nodes, int *members, int *first);

#endif
