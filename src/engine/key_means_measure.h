/* key_means_measure.h - measures the key means: vectors that are subtracted from keys before the
 * keys are quantized. Each is the mean of a head's keys over a fixed text. */
#ifndef ITH_ENGINE_KEY_MEANS_MEASURE_H
#define ITH_ENGINE_KEY_MEANS_MEASURE_H

#include "engine/engine.h"

/* Number of elements: see ith_model.key_means. */
size_t ith_key_means_count(const ith_model *model);

/* Collective. Measures the key means with a pass of the model and sets engine->model->key_means.
 * Progress: "measure". ITH_E_CANCELLED, ITH_E_MEMORY, and errors of streamed weights. */
ith_status ith_engine_measure_key_means(ith_engine *engine, ith_error *err);

#endif
