/* distribution.h - chooses the weight distribution: replicated, sharded or streamed. */
#ifndef ITH_ENGINE_DISTRIBUTION_H
#define ITH_ENGINE_DISTRIBUTION_H

#include "engine/engine.h"

/* Local. Bytes of memory that this rank may still take. */
int64_t ith_engine_memory(const ith_engine *engine, const ith_engine_params *params);

/* Collective. Chooses the distribution, describes it in engine->distribution_text, and sets `cut`,
 * `budget` and `caching` of *store, whose other fields the caller has set. ITH_E_MEMORY: no memory
 * is left for weights. */
ith_status ith_engine_distribute(ith_engine *engine, const ith_engine_params *params,
                                 ith_store_params *store, ith_error *err);

#endif
