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
