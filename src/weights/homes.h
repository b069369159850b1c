/* homes.h - on which memory node (NUMA node) weights shall lie: where the threads that read them run. Pure but for ith_homes_apply.
 *
 *   one node     all ranks that share the copy run beside one memory node: it lies there
 *   by rows      one rank runs beside several: each tile lies where the thread runs that reads it in decode (linear.h); tiles that decode does not read, those of
 *                other ranks' rows, where prefill reads them. (Rows of gate and up are shared out in pairs of tiles: a tile at the border between two
 *                nodes may lie on the other.)
 *   interleaved  several ranks run beside several: page by page in turn
 */
#ifndef ITH_WEIGHTS_HOMES_H
#define ITH_WEIGHTS_HOMES_H

#include "base/topology.h"
#include "comm/mesh.h"
#include "weights/plan.h"

typedef enum ith_homes_kind { ITH_HOMES_ONE_NODE, ITH_HOMES_BY_ROWS, ITH_HOMES_INTERLEAVED } ith_homes_kind;

typedef struct ith_homes { /* as one rank sees them */
    ith_homes_kind kind;
    const ith_topology *topology;
    ith_mesh mesh;
    int n_threads;
} ith_homes;

/* Memory node of unit `unit` of an entry; -1: interleaved. */
int ith_home_of(const ith_homes *homes, const ith_entry *entry, int64_t unit);

/* Units from `first` on with the same home: how many. */
int64_t ith_home_run(const ith_homes *homes, const ith_entry *entry, int64_t first);

/* Says so for an entry's memory, [n_units][unit_bytes], none of which was touched. */
void ith_homes_apply(const ith_homes *homes, const ith_entry *entry, void *memory);

#endif
