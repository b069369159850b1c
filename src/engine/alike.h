/* alike.h - do all ranks open the same model in the same way? Checked before anything large is
 * allocated. */
#ifndef ITH_ENGINE_ALIKE_H
#define ITH_ENGINE_ALIKE_H

#include "engine/engine.h"

/* Collective. ITH_E_COMM names a rank and the parameter in which it differs from rank 0. Functions
 * count as given or not; threads and the memory limit may differ. */
ith_status ith_params_alike(ith_comm *comm, const ith_engine_params *params, ith_error *err);

/* Collective, when the load plan is made. Compares hyperparameters, rotary frequencies, the tensors
 * by name and shape, and their contents: of a pack the checksums of all tiles; of other files
 * samples of each tensor, some thousand in all, which find another checkpoint and a file that is
 * incomplete, and may miss a few bytes. Weights that every node holds are compared to the last byte
 * when they are loaded (store.h). ITH_E_COMM names a rank and what differs. */
ith_status ith_model_alike(const ith_engine *engine, ith_error *err);

#endif
