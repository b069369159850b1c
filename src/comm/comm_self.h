/* comm_self.h - communicators of one process: a world of one rank, and the stand-in of a plan. */
#ifndef ITH_COMM_SELF_H
#define ITH_COMM_SELF_H

#include "comm/comm.h"

/* *comm is the caller's. ITH_E_MEMORY. */
ith_status ith_comm_open_self(ith_comm **comm, ith_error *err);

/* For plans: a process that looks like rank 0 of n_nodes nodes of ranks_per_node ranks each,
 * without the other ranks. It has the operations on which all ranks would pass the same values:
 * barriers, bcast, max, allgatherv of equal blocks, split_domains, overlaps; and ith_comm_agree.
 * The others are NULL. *comm is the caller's. ITH_E_MEMORY. */
ith_status ith_comm_open_planned(int n_nodes, int ranks_per_node, ith_comm **comm, ith_error *err);

#endif
