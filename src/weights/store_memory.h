/* store_memory.h - where each entry lies in the memory of its node, and on which memory nodes
 * (NUMA).
 *
 * An entry that stays is used in a pack's mapping where that is possible; all others lie in the
 * store's own memory (spread.h). Nothing here is collective.
 */
#ifndef ITH_WEIGHTS_STORE_MEMORY_H
#define ITH_WEIGHTS_STORE_MEMORY_H

#include "weights/store_impl.h"

/* NULL: the machine has one memory node, so nothing needs placing. The same on all ranks that share
 * the memory. */
const ith_homes *ith_store_homes(const ith_store *store);

/* The first unit of an entry in a pack's mapping, if it is used there; otherwise NULL. Where only a
 * part of it stays it is not, because pages of a mapping are read in larger runs than that. */
const uint8_t *ith_store_in_place(const ith_store *store, const ith_entry *e);

/* Gives every entry in the store's own memory its strips there, and sums up own_bytes. Errors of
 * spread.h. */
ith_status ith_store_lay_out(ith_store *store, ith_error *err);

/* An ith_place_fn (comm.h): sets the page placement of the store's own memory; `store` is an
 * ith_store. */
void ith_store_place_pages(void *store, void *memory, size_t bytes);

/* Lets a matrix that stays show the tiles of this rank's rows: all tiles where nothing is cut. */
void ith_store_show_held(const ith_store *store, const ith_entry *e);

/* The same for all entries that stay, vectors too. */
void ith_store_publish(ith_store *store);

#endif
