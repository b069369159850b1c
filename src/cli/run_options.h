/* run_options.h - the options of `ithaca run`. */
#ifndef ITH_CLI_RUN_OPTIONS_H
#define ITH_CLI_RUN_OPTIONS_H

#include "cli/keep_options.h"
#include "cli/model_options.h"
#include "cli/prompt.h"
#include "cli/speculation.h"

typedef struct ith_run_args {
    ith_model_args model;
    ith_prompt_args prompt;
    ith_keep_args keep;
    ith_speculation_args speculation;
    int64_t max_tokens, top_k, repeat_window, seed; /* -1: not given */
    double temp, top_p, min_p, repeat_penalty;      /* NaN: not given */
    const char *answer_file;
    ith_option_list stop;
    bool ignore_eos, profile, report_pages;
} ith_run_args;

extern const ith_group_use ith_run_groups[];

/* ITH_ARGS_OK and both structs, or the exit code to return at once. */
int ith_run_args_parse(const ith_cli *cli, const ith_command *command, int argc, char **argv,
                       ith_run_args *args, ith_engine_params *params);

/* The model's own sampling, changed by the options. A seed that is not given is the checkpoint's,
 * else random; results show it, so that the answer can be reproduced. */
ith_sampling ith_run_sampling(const ith_run_args *args, const ith_engine *engine);

/* How many tokens of answer are wanted; n_forced: ids in --answer-ids. */
int64_t ith_run_wanted(const ith_run_args *args, int64_t n_forced);

#endif
