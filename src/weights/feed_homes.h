/* feed_homes.h - page placement of the transit. */
#ifndef ITH_WEIGHTS_FEED_HOMES_H
#define ITH_WEIGHTS_FEED_HOMES_H

#include <stddef.h>

/* An ith_place_fn (comm.h) for the memory of the transit; `feed` is an ith_feed. */
void ith_feed_place_pages(void *feed, void *memory, size_t bytes);

#endif
