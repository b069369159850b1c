/* engine_open.h - the steps of opening an engine that come before anything large is allocated. */
#ifndef ITH_ENGINE_ENGINE_OPEN_H
#define ITH_ENGINE_ENGINE_OPEN_H

#include "engine/engine.h"

/* Collective. Reads the headers of the model's files and plans; fills in engine->info except the
 * placement. *out must be closed, after a failure too. */
ith_status ith_engine_plan(ith_world *world, const ith_engine_params *params, ith_engine **out,
                           ith_error *err);

/* Collective. Chooses where the weights are, and fills in *store. */
ith_status ith_engine_choose(ith_engine *engine, const ith_engine_params *params,
                             ith_store_params *store, ith_error *err);

#endif
