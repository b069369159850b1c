/* sim_model.h - what the simulation (simulate.h) needs to know of a model that is open. */
#ifndef ITH_TOOLS_SIM_MODEL_H
#define ITH_TOOLS_SIM_MODEL_H

#include "engine/engine.h"
#include "tools/simulate.h"

/* Local. Of an engine whose weights need not be loaded. *model is valid as long as the engine;
 * close it, also after a failure. ITH_E_MEMORY is the only error. */
ith_status ith_sim_model_of(const ith_engine *engine, ith_sim_model *model, ith_error *err);
void ith_sim_model_close(ith_sim_model *model); /* accepts a zeroed one */

#endif
