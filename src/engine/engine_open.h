/* engine_open.h - the steps of opening an engine that come before any large allocation. */
#ifndef ITH_ENGINE_ENGINE_OPEN_H
#define ITH_ENGINE_ENGINE_OPEN_H

#include "engine/engine.h"

/* Collective. Reads the headers of the model's files, makes the load plan, and fills in
 * engine->info except for the weight distribution. Close *out, also after a failure. */
ith_status ith_engine_plan(ith_world *world, const ith_engine_params *params, ith_engine **out,
                           ith_error *err);

/* Collective. Chooses memory domains and the weight distribution, and fills in *store. */
ith_status ith_engine_choose(ith_engine *engine, const ith_engine_params *params,
                             ith_store_params *store, ith_error *err);

#endif
