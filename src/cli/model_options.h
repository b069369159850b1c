/* model_options.h - options that several commands share: the model, how it is kept in memory, how
 * ranks divide the work, and the form of the output. */
#ifndef ITH_CLI_MODEL_OPTIONS_H
#define ITH_CLI_MODEL_OPTIONS_H

#include "cli/option.h"

#include <stddef.h>

typedef struct ith_quant_args {
    int quant; /* ith_quant; -1: not given */
    const char *stats;
} ith_quant_args;

typedef struct ith_output_args {
    bool json, quiet;
} ith_output_args;

typedef struct ith_model_args {
    const char *model;
    ith_quant_args quant;
    ith_output_args output;
    const char *mesh, *rope_scaling, *shares;
    int64_t threads, chunk, ctx, memory, head_slices;
    int kv; /* ith_kv_type; -1: not given */
    int distribution, offload, exchange, prefill;
    bool exact, report_ranks;
} ith_model_args;

extern const ith_option_group ith_group_model;                 /* const char *: the model's path */
extern const ith_option_group ith_group_threads;               /* int64_t */
extern const ith_option_group ith_group_quant;                 /* ith_quant_args */
extern const ith_option_group ith_group_json, ith_group_quiet; /* ith_output_args */
extern const ith_option_group ith_group_context, ith_group_kv, ith_group_memory, ith_group_ranks,
    ith_group_report_ranks; /* ith_model_args */

extern const ith_word ith_exchange_words[]; /* ith_exchange */
extern const ith_word ith_kv_words[];       /* ith_kv_type */
extern const ith_word ith_quant_words[];    /* ith_quant */

/* Uses of the groups between the model and the output: `args` is the struct of a command, `model`
 * its ith_model_args. */
#define ITH_ENGINE_GROUPS(args, model)                                                             \
    {&ith_group_context, offsetof(args, model)}, {&ith_group_quant, offsetof(args, model.quant)},  \
        {&ith_group_kv, offsetof(args, model)}, {&ith_group_memory, offsetof(args, model)},        \
        {&ith_group_threads, offsetof(args, model.threads)},                                       \
    {                                                                                              \
        &ith_group_ranks, offsetof(args, model)                                                    \
    }

ith_model_args ith_model_args_default(void);

/* ITH_ARGS_OK and the engine's parameters (progress left out), or 2 when options are missing or
 * contradict each other. */
int ith_model_args_check(const ith_cli *cli, const char *command, const ith_model_args *model,
                         ith_engine_params *params);

#endif
