/* hparams_json.h - hyperparameters as JSON in a pack's index, every field of ith_hparams, and back to the same bits. */
#ifndef ITH_FORMATS_HPARAMS_JSON_H
#define ITH_FORMATS_HPARAMS_JSON_H

#include "formats/source.h"

/* NULL without memory. To be written with 17 digits (JSON_REAL_PRECISION). */
json_t *ith_hparams_to_json(const ith_hparams *hp);

/* Its member "experts", for models that have them. NULL without memory. */
json_t *ith_experts_to_json(const ith_hparams *hp);

/* Every field must be there and possible; ITH_E_FORMAT names `where` and the field. */
ith_status ith_hparams_from_json(const json_t *object, const char *where, ith_hparams *hp, ith_error *err);

#endif
