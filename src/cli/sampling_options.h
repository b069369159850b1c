/* sampling_options.h - the options that say how tokens are chosen. */
#ifndef ITH_CLI_SAMPLING_OPTIONS_H
#define ITH_CLI_SAMPLING_OPTIONS_H

#include "cli/option.h"

typedef struct ith_sampling_args {
    int64_t top_k, repeat_window, seed;        /* -1: not given */
    double temp, top_p, min_p, repeat_penalty; /* NaN: not given */
} ith_sampling_args;

extern const ith_option_group ith_group_sampling; /* ith_sampling_args */

/* Nothing given. */
ith_sampling_args ith_sampling_args_default(void);

/* The model's own sampling, changed by the options. A seed that is not given is that of the run in
 * the folder `checkpoint` (NULL: none), else random; results show it, so that the answer can be
 * reproduced. */
ith_sampling ith_sampling_args_apply(const ith_sampling_args *args, const ith_engine *engine,
                                     const char *checkpoint);

#endif
