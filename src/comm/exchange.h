/* exchange.h - strategies of the all-to-all: who sends what to whom, as pure functions.
 *
 *   alltoallv  MPI_Alltoallv.
 *   pairwise   messages between all pairs. In step s rank r sends to r + s and receives from r - s, with some steps in flight: no rank
 *              receives from more others at a time than steps are in flight, however many there are (incast).
 *   node       ranks of a node copy through the memory they share. Between two nodes one message carries what all ranks of the one have
 *              for all ranks of the other: with n ranks a node that is one in place of n * n. Courier for another node is the
 *              rank whose number in its node is the other node's number modulo the node's size, so that couriers share the work.
 */
#ifndef ITH_COMM_EXCHANGE_H
#define ITH_COMM_EXCHANGE_H

#include "base/error.h"

enum { ITH_EXCHANGES = ITH_EXCHANGE_NODE + 1 };

static inline int ith_exchange_to(int rank, int size, int step)
{
    return (rank + step) % size;
}
static inline int ith_exchange_from(int rank, int size, int step)
{
    return (rank - step + size) % size;
}

/* Number in its node, of `node_size` ranks, of the rank that speaks with node `other`. */
static inline int ith_exchange_courier(int node_size, int other)
{
    return other % node_size;
}

/* Exchanges in which no rank sends or receives more than so many bytes go by node, larger ones pairwise: when nothing is forced.
 * Inside one node by node is as fast as any (bench/SPEED.md). Between nodes of several ranks it saves messages, which counts while blocks
 * are small; larger ones would pay for its copies. The limit between the two is not measured. */
static inline int64_t ith_exchange_node_most(int n_nodes, int ranks)
{
    enum { SMALL_BLOCK = 16384 };
    if (n_nodes == 1)
        return INT32_MAX;
    return ranks == n_nodes ? 0 : (int64_t)ranks * SMALL_BLOCK;
}

/* Bytes of a rank's slot in the memory of its node, of which it has two, for exchanges of up to `most` bytes; 0: none go by node,
 * as on one rank, which has nothing to send. */
int64_t ith_exchange_slot(ith_exchange wanted, int64_t most, int n_nodes, int ranks);

/* The ranks in the order of their nodes, of each node ascending: members [ranks], those of node i from first[i] to first[i + 1],
 * first [n_nodes + 1]. */
void ith_exchange_members(const int *node_of, int ranks, int n_nodes, int *members, int *first);

#endif
