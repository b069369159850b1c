/* bind.h - a source's tensors become the named fields of a model, each planned, every shape checked. */
#ifndef ITH_MODEL_BIND_H
#define ITH_MODEL_BIND_H

#include "model/model.h"

/* Plans all weights under their Hugging Face names: model->hp and arch are set, layers [n_layers] zeroed; what it allocates there
 * ith_model_close frees. ITH_E_FORMAT: a tensor is missing or of another shape. */
ith_status ith_model_bind(const ith_source *source, ith_plan *plan, ith_quant quant, ith_model *model, ith_error *err);

#endif
