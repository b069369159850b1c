/* key_means.h - the constant of key_means_measure.h as packs hold it, so that opening a pack does not have
 * to measure it. */
#ifndef ITH_ENGINE_KEY_MEANS_H
#define ITH_ENGINE_KEY_MEANS_H

#include "engine/engine.h"

/* Its name in packs. */
extern const char ith_key_means_blob[];

/* A damaged pack, or a model with broken weights, may give values that are not finite. */
bool ith_key_means_are_finite(const float *values, size_t n);

/* Collective. Sets engine->model->key_means: to what the pack holds if it was measured with this
 * model, else it is measured. ITH_E_FORMAT: the pack's values cannot be right. */
ith_status ith_engine_find_key_means(ith_engine *engine, const ith_engine_params *params,
                                    ith_error *err);

#endif
