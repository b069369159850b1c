/* pack_key_means.h - measuring what a new pack holds under ith_key_means_blob. */
#ifndef ITH_TOOLS_PACK_KEY_MEANS_H
#define ITH_TOOLS_PACK_KEY_MEANS_H

#include "base/error.h"

/* Malloc'd values; NULL: none, and `why`. Whoever opens the pack then measures them. */
typedef struct ith_key_means {
    float *values;
    size_t bytes;
    ith_error why;
} ith_key_means;

/* Local. Measures the constant of the pack params->model, which has none yet. One rank does it
 * while the weights are streamed through as little memory as possible. No values and no error:
 * there is not that much memory, or the values are not finite. */
ith_status ith_key_means_of_pack(const ith_engine_params *params, ith_key_means *means,
                                 ith_error *err);

#endif
