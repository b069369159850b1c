/* shares.h - chooses each rank's share of tokens and matrix rows. */
#ifndef ITH_ENGINE_SHARES_H
#define ITH_ENGINE_SHARES_H

#include "engine/engine.h"

/* Collective. Weights the ranks of engine->mesh as params->shares says; NULL: not at all.
 * `threads`: those of this rank. ITH_E_ARGUMENT: params->shares is none of the forms in
 * ithaca.h. */
ith_status ith_engine_share(ith_engine *engine, const ith_engine_params *params, int threads,
                            ith_error *err);

#endif
