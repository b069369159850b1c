/* feed_shelf.h - which experts a fill brings, and which of them stay. Under the lock, but for
 * opening and closing. */
#ifndef ITH_WEIGHTS_FEED_SHELF_H
#define ITH_WEIGHTS_FEED_SHELF_H

#include "weights/feed_impl.h"

/* ITH_E_MEMORY; ith_shelves_close frees what was made. */
ith_status ith_shelves_open(ith_feed *feed, ith_error *err);
void ith_shelves_close(ith_feed *feed);

/* Decides where the experts of fill k come from: all (chosen NULL), or those chosen. No earlier
 * fill of its step may change the shelf any more. A dropped fill brings nothing, so it lists
 * nothing: what it put on the shelf would look as if it were there. */
void ith_shelf_list(ith_feed *feed, int64_t k, const bool *chosen);

/* Fill k will not be used: what it was to bring to the shelf is not there. */
void ith_shelf_drop(ith_feed *feed, int64_t k);

/* Where an extent of the step lies, or comes to, for a fill that is listed; NULL: it is not
 * needed. */
uint8_t *ith_shelf_where(const ith_feed *feed, const ith_fill *fill, const ith_extent *extent);

/* The extent's matrix shows its tiles there: an extent that the step lists. */
void ith_shelf_show(const ith_feed *feed, const ith_fill *fill, const ith_extent *extent);

/* Is it to be fetched? */
bool ith_shelf_is_fetched(const ith_fill *fill, const ith_extent *extent);

#endif
