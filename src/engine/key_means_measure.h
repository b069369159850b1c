/* key_means_measure.h - the constant that is subtracted from keys before they are quantized: the keys' mean
 * over a fixed text. */
#ifndef ITH_ENGINE_KEY_MEANS_MEASURE_H
#define ITH_ENGINE_KEY_MEANS_MEASURE_H

#include "engine/engine.h"

/* How many numbers it has: [n_layers][n_kv_heads][head_dim]. */
size_t ith_key_means_count(const ith_model *model);

/* Collective. Measures it with the model's weights and sets engine->model->key_means. */
ith_status ith_engine_measure_key_means(ith_engine *engine, ith_error *err);

#endif
