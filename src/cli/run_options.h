/* run_options.h - the options of `ithaca run`. */
#ifndef ITH_CLI_RUN_OPTIONS_H
#define ITH_CLI_RUN_OPTIONS_H

#include "cli/keep_options.h"
#include "cli/model_options.h"
#include "cli/prompt.h"
#include "cli/sampling_options.h"
#include "cli/speculation.h"

typedef struct ith_run_args {
    ith_model_args model;
    ith_prompt_args prompt;
    ith_keep_args keep;
    ith_speculation_args speculation;
    ith_sampling_args sampling;
    int64_t max_tokens; /* -1: not given */
    const char *answer_file;
    const char *schema_file, *grammar_file; /* what the answer must fit */
    ith_option_list stop;
    const char *trace; /* a file */
    bool ignore_eos, profile, report_pages;
} ith_run_args;

extern const ith_group_use ith_run_groups[];

/* ITH_ARGS_OK and both structs, or the exit code to return at once. */
int ith_run_args_parse(const ith_cli *cli, const ith_command *command, int argc, char **argv,
                       ith_run_args *args, ith_engine_params *params);

/* How many tokens of answer are wanted; n_forced: ids in --answer-ids. */
int64_t ith_run_wanted(const ith_run_args *args, int64_t n_forced);

#endif
