/* feed_run.h - the threads of a feed. */
#ifndef ITH_WEIGHTS_FEED_RUN_H
#define ITH_WEIGHTS_FEED_RUN_H

#include "weights/feed_impl.h"

/* Starts the fetching threads, and the gathering one where there is a side communicator.
 * ITH_E_MEMORY: the system refuses; those that run are ended by ith_feed_stop. */
ith_status ith_feed_start(ith_feed *feed, ith_error *err);

/* Drops what is ahead and ends the threads that were started. */
void ith_feed_stop(ith_feed *feed);

#endif
