/* spread.h - where units lie in memory that follows their homes (homes.h): in one region for each
 * memory node, and one more for what is interleaved over all of them.
 *
 * So the system is told of one range a node, however many matrices a model has. Told of each
 * matrix, it makes two mappings for each, of which a process may have 65,530, and a mapping smaller
 * than a huge page has none. Regions begin on huge page boundaries of the memory.
 *
 *     ith_spread spread = {0};
 *     ith_spread_add(&spread, ...)         for each entry
 *     ith_spread_settle(&spread, begin, &end, err)
 *     ith_spread_place(...)                before the first touch
 *
 * An entry is in one spread at most: that of what stays, or that of the shelves. Not collective;
 * ranks that share the memory come to the same layout.
 */
#ifndef ITH_WEIGHTS_SPREAD_H
#define ITH_WEIGHTS_SPREAD_H

#include "weights/homes.h"
#include "weights/shards.h"

enum { ITH_REGIONS = ITH_MAX_MEMORY_NODES + 1 };

typedef struct ith_region {
    int home; /* the system's number of the memory node; -1: interleaved */
    size_t begin, bytes;
} ith_region;

typedef struct ith_spread {
    ith_strip *strips; /* [n] */
    size_t n, room;
    ith_region regions[ITH_REGIONS]; /* [n_regions] in the order in which their homes come up */
    int n_regions;
} ith_spread;

void ith_spread_free(ith_spread *spread); /* leaves a zeroed one */

/* Adds the strips of what this rank's node holds of an entry, rank by rank, cut where the home
 * changes (homes NULL: nowhere). Their offsets count from the beginning of their region. On failure
 * the spread may be freed and nothing else: ITH_E_MEMORY; ITH_E_FORMAT: more than the address
 * space. */
ith_status ith_spread_add(ith_spread *spread, const ith_shards *shards, const ith_homes *homes,
                          ith_entry *entry, ith_error *err);

/* The same for experts on a shelf of n_cells cells: entries[i], expert by expert, are those of all
 * experts that a cell may hold. Those of an expert lie one behind the other in each region. */
ith_status ith_spread_add_cells(ith_spread *spread, const ith_shards *shards,
                                const ith_homes *homes, ith_entry *const *entries, int n,
                                int n_cells, ith_error *err);

/* Lays the regions one behind the other, the first at `begin`: offsets now count from 0. *end: of
 * the last one. To be called once, after the last entry. ITH_E_MEMORY: more than the address
 * space. */
ith_status ith_spread_settle(ith_spread *spread, size_t begin, size_t *end, ith_error *err);

/* Sets the page placement of each region; `memory`: where offset 0 lies. */
void ith_spread_place(const ith_spread *spread, const ith_homes *homes, void *memory);

/* Calls see() for each region that is not empty; `memory`: where offset 0 lies. */
void ith_spread_each(const ith_spread *spread, const ith_homes *homes, const void *memory,
                     ith_home_fn see, void *user);

/* The strip with that unit of an entry of the spread, one of them if ranks share the unit. NULL:
 * the node does not hold it. */
const ith_strip *ith_spread_find(const ith_spread *spread, const ith_entry *entry, int64_t unit);

/* Where a unit of a strip lies, in a cell. */
static inline size_t ith_strip_offset(const ith_strip *strip, const ith_entry *entry, int64_t unit,
                                      int64_t cell)
{
    return strip->offset + (size_t)cell * strip->cell_bytes +
           (size_t)(unit - strip->first) * entry->unit_bytes;
}

#endif
