/* ranks.h - measuring on all ranks at once. */
#ifndef ITH_TOOLS_RANKS_H
#define ITH_TOOLS_RANKS_H

#include "engine/world.h"
#include "tools/ceilings.h"

/* Collective. `want`: see ith_bench_buffer. A team of `threads` (0: this rank's part of the cores) and a buffer of ith_bench_buffer. On failure too, what is
 * not NULL is to be freed. */
ith_status ith_bench_ranks_open(ith_world *world, int threads, int64_t want, ith_team **team, void **buffer,
                                size_t *bytes, ith_error *err);

/* Collective. The ceilings of `active` threads on every rank at the same time, added up. */
ith_ceilings ith_bench_ranks_ceilings(ith_world *world, ith_team *team, int active, const void *buffer, size_t bytes,
                                      double seconds);

/* Bytes that this rank has sent in exchanges, gathers and messages. Local. */
int64_t ith_bench_ranks_sent(const ith_comm *comm);

/* What rank 0 sends by formula (model/traffic.h) when n tokens follow `depth` others in a session: its chunks, by tokens or by rows. */
int64_t ith_bench_ranks_formula(const ith_session *session, int64_t depth, int64_t n);

/* The malloc'd text of a result; ITH_E_MEMORY if it is NULL. Local. */
ith_status ith_bench_text(const json_t *root, char **json, ith_error *err);

#endif
