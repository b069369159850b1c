/* keep_args.h - the options of what a run keeps on disk: --prompt-cache, --checkpoint. */
#ifndef ITH_CLI_KEEP_ARGS_H
#define ITH_CLI_KEEP_ARGS_H

#include "cli/arguments.h"

enum { ITH_EXIT_SAVED = 75 /* EX_TEMPFAIL of sysexits.h: stopped, saved, the same command goes on */ };

typedef struct ith_keep_args {
    const char *cache, *checkpoint;
    int64_t cache_bytes; /* 0: any */
} ith_keep_args;

/* Appends their table to args[*n]. */
void ith_keep_args_append(ith_keep_args *keep, ith_arg args[ITH_ARGS_MAX], size_t *n);

/* ITH_ARGS_OK, or 2 when options are missing or contradict. */
int ith_keep_args_check(const ith_cli *cli, const char *command, const ith_keep_args *keep,
                        const ith_model_args *model);

/* Collective. Tells the session, if there is anything to tell; `ids` and `generate` as in ith_keep_params. Warnings go to stderr. */
ith_status ith_keep_args_open(const ith_cli *cli, const ith_keep_args *keep, ith_session *session, const int32_t *ids,
                              size_t n_ids, const ith_generate_params *generate, ith_error *err);

/* Collective, for a run with a checkpoint that was asked to stop: all is saved. Returns the exit code. */
int ith_keep_args_stop(const ith_cli *cli, const ith_keep_args *keep, ith_session *session);

#endif
