/* pack_key_means.h - measuring the key means that a new pack stores in ith_key_means_blob. */
#ifndef ITH_TOOLS_PACK_KEY_MEANS_H
#define ITH_TOOLS_PACK_KEY_MEANS_H

#include "base/error.h"

/* Malloc'd values. NULL: there are none, and `why` says why; whoever opens the pack measures them
 * then. */
typedef struct ith_key_means {
    float *values;
    size_t bytes;
    ith_error why;
} ith_key_means;

/* Local. Measures the key means of the pack params->model, which has none yet. One rank does it
 * and streams the weights through as little memory as possible. If there is not enough memory, or
 * the means are not finite, there are no values and no error. */
ith_status ith_key_means_of_pack(const ith_engine_params *params, ith_key_means *means,
                                 ith_error *err);

#endif
