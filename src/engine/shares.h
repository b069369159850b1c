/* shares.h - how much of tokens and rows each rank gets. */
#ifndef ITH_ENGINE_SHARES_H
#define ITH_ENGINE_SHARES_H

#include "engine/engine.h"

/* Collective. Weighs the mesh if params->shares says so. `threads`: this rank's. */
ith_status ith_engine_share(ith_engine *engine, const ith_engine_params *params, int threads,
                            ith_error *err);

#endif
