/* key_bias.h - the constant that is subtracted from keys before they are quantized: the keys' mean
 * over a fixed text. */
#ifndef ITH_ENGINE_KEY_BIAS_H
#define ITH_ENGINE_KEY_BIAS_H

#include "engine/engine.h"

/* How many numbers it has: [n_layers][n_kv_heads][head_dim]. */
size_t ith_key_bias_count(const ith_model *model);

/* Collective. Measures it with the model's weights and sets engine->model->key_bias. */
ith_status ith_engine_measure_key_bias(ith_engine *engine, ith_error *err);

#endif
