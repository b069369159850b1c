/* feed_homes.h - where the shelves lie, and page placement of the transit and the shelves.
 *
 * The transit is interleaved over the memory nodes. The shelves follow it: what is on them is read
 * in place, pass after pass, so it lies beside the threads that read it (spread.h).
 */
#ifndef ITH_WEIGHTS_FEED_HOMES_H
#define ITH_WEIGHTS_FEED_HOMES_H

#include "weights/feed_impl.h"

/* Lays out the shelves, and sums up feed->end. Errors of spread.h. */
ith_status ith_feed_lay_out(ith_feed *feed, ith_error *err);

/* Where unit `unit` of an expert's entry lies in that cell of its step's shelf. */
uint8_t *ith_feed_cell(const ith_feed *feed, const ith_entry *entry, int64_t unit, int cell);

/* An ith_place_fn (comm.h) for the memory of both; `feed` is an ith_feed. */
void ith_feed_place_pages(void *feed, void *memory, size_t bytes);

#endif
