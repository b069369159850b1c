/* exchange.c - memory and member lists for the strategies of the all-to-all. */
#include "comm/exchange.h"

void ith_exchange_members(const int *node_of, int ranks, int n_nodes, int *members, int *first)
{
    int n = 0;
    for (int node = 0; node < n_nodes; node++) {
        first[node] = n;
        for (int r = 0; r < ranks; r++)
            if (node_of[r] == node)
                members[n++] = r;
    }
    first[n_nodes] = n;
}

int64_t ith_exchange_slot(ith_exchange wanted, int64_t most, int n_nodes, int ranks)
{
    int64_t slot = wanted == ITH_EXCHANGE_NODE   ? most
                   : wanted == ITH_EXCHANGE_AUTO ? ith_exchange_node_most(n_nodes, ranks)
                                                 : 0;
    return ranks == 1 ? 0 : slot < most ? slot : most;
}
