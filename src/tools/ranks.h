/* ranks.h - benchmarks on all ranks at once: ceilings, bytes sent, and the text of results. */
#ifndef ITH_TOOLS_RANKS_H
#define ITH_TOOLS_RANKS_H

#include "engine/world.h"
#include "tools/ceilings.h"

/* Collective. Opens a team of `threads` (0: this rank's share of the node's cores) and a buffer;
 * for `want` see ith_bench_buffer. After a failure too, the caller releases what is not NULL. */
ith_status ith_bench_ranks_open(ith_world *world, int threads, int64_t want, ith_team **team,
                                void **buffer, size_t *bytes, ith_error *err);

/* Collective. The ceilings of `active` threads per rank, measured on all ranks at the same time and
 * summed over the ranks. */
ith_ceilings ith_bench_ranks_ceilings(ith_world *world, ith_team *team, int active,
                                      const void *buffer, size_t bytes, double seconds);

/* Local. Bytes that this rank has sent in exchanges, gathers and messages. */
int64_t ith_bench_ranks_sent(const ith_comm *comm);

/* Local. Bytes that rank 0 sends, by the formulas of model/traffic.h, when n tokens follow `depth`
 * others in a session. Each chunk counts in the way it runs: ulysses or rows. */
int64_t ith_bench_ranks_formula(const ith_session *session, int64_t depth, int64_t n);

/* Local. The malloc'd text of a result. ITH_E_MEMORY if the result is NULL. */
ith_status ith_bench_text(const json_t *root, char **json, ith_error *err);

#endif
