/* feed_extents.h - steps cut into extents of about 1 MiB, and where an extent of this node comes
 * from. */
#ifndef ITH_WEIGHTS_FEED_EXTENTS_H
#define ITH_WEIGHTS_FEED_EXTENTS_H

#include "weights/feed_impl.h"

/* Makes feed->extents, for all nodes. ITH_E_MEMORY. */
ith_status ith_feed_cut(ith_feed *feed, ith_error *err);

/* Makes the frames of the units that this rank will fetch. Errors of ith_frames_open. */
ith_status ith_feed_make_frames(ith_feed *feed, ith_error *err);

/* The number of this rank's extents of a step, and the i-th of them. */
int64_t ith_feed_n_mine(const ith_feed *feed, int64_t step);
const ith_extent *ith_feed_mine(const ith_feed *feed, int64_t step, int64_t i);

/* Brings one of this rank's extents to `out`, and adds to *counts what that took. Errors of
 * reading. */
ith_status ith_feed_fetch(ith_fetcher *fetcher, const ith_extent *extent, uint8_t *out,
                          ith_feed_counts *counts, ith_error *err);

#endif
