/* probe_rates.h - what the threads of a rank reach: reading, arithmetic, waiting for each other.
 *
 * All functions are local, and take `seconds` or a little more for each figure. Of several runs the
 * best counts, as in ceilings.h, from which they differ in that each thread reads from its own
 * memory node.
 */
#ifndef ITH_TOOLS_PROBE_RATES_H
#define ITH_TOOLS_PROBE_RATES_H

#include "base/threads.h"
#include "simd/peaks.h"

/* A buffer, an equal number of whole pages on each memory node of the topology. */
typedef struct ith_probe_pool {
    const ith_topology *topology;
    uint8_t *data;
    size_t bytes;
} ith_probe_pool;

/* Places the pages. */
void ith_probe_pool_place(const ith_probe_pool *pool);

/* Bytes per second that members [0, active) read together; and those whose threads run beside
 * memory node `node`. */
double ith_probe_read(ith_team *team, int active, const ith_peaks *peaks,
                      const ith_probe_pool *pool, double seconds);
double ith_probe_read_node(ith_team *team, int node, const ith_peaks *peaks,
                           const ith_probe_pool *pool, double seconds);

/* Operations per second of members [0, active) together. */
double ith_probe_peak(ith_team *team, int active, const ith_peak *peak, double seconds);

/* Seconds of a barrier of the team. */
double ith_probe_barrier(ith_team *team, double seconds);

#endif
