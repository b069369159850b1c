/* distribution.h - where the weights are: replicated, sharded or streamed. */
#ifndef ITH_ENGINE_DISTRIBUTION_H
#define ITH_ENGINE_DISTRIBUTION_H

#include "engine/engine.h"

/* Memory of this rank, for all that is still to come. */
int64_t ith_engine_memory(const ith_engine *engine, const ith_engine_params *params);

/* Collective. Chooses where the weights are: fills in `cut` and `budget` of *store, whose other
 * fields are set. */
ith_status ith_engine_distribute(ith_engine *engine, const ith_engine_params *params,
                            ith_store_params *store, ith_error *err);

#endif
