/* feed_gather.h - the rows of a step that other nodes hold. */
#ifndef ITH_WEIGHTS_FEED_GATHER_H
#define ITH_WEIGHTS_FEED_GATHER_H

#include "weights/feed_impl.h"

/* Collective; nothing where matrices are not cut. The same status on all ranks: ITH_E_MEMORY;
 * ITH_E_COMM: no side communicator. */
ith_status ith_gather_open(ith_feed *feed, ith_error *err);
void ith_gather_close(ith_gather *gather); /* collective; the thread has ended */

/* Collective, on the gathering threads. Sends this rank's extents of the step to the other nodes
 * and receives its share of theirs. Returns the bytes received. */
int64_t ith_gather_step(ith_feed *feed, int64_t step);

#endif
