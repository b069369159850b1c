/* key_means.h - finds a model's key means (key_means_measure.h). Packs store them, so that opening
 * a pack does not have to measure them. */
#ifndef ITH_ENGINE_KEY_MEANS_H
#define ITH_ENGINE_KEY_MEANS_H

#include "engine/engine.h"

/* The name of its blob in packs. */
extern const char ith_key_means_blob[];

/* Does softmax cancel what is subtracted from all keys? Not behind a soft cap. */
bool ith_key_means_cancel(const ith_hparams *hp);

/* Collective. Sets engine->model->key_means: from the pack if it was measured with the model as it
 * is now, otherwise by measuring it. ITH_E_FORMAT: the pack's values cannot be right. Errors of
 * ith_engine_measure_key_means. */
ith_status ith_engine_find_key_means(ith_engine *engine, const ith_engine_params *params,
                                     ith_error *err);

#endif
