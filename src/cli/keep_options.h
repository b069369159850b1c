/* keep_options.h - what a run keeps on disk: --prompt-cache, --checkpoint. */
#ifndef ITH_CLI_KEEP_OPTIONS_H
#define ITH_CLI_KEEP_OPTIONS_H

#include "cli/model_options.h"
#include "cli/watch.h"

enum {
    /* EX_TEMPFAIL of sysexits.h: stopped, and something new is saved; the same command gets
     * further. Without that it would not, so a job script must not repeat it. */
    ITH_EXIT_SAVED = 75
};

typedef struct ith_keep_args {
    const char *cache, *checkpoint;
    int64_t cache_bytes; /* 0: any */
} ith_keep_args;

extern const ith_option_group ith_group_prompt_cache, ith_group_checkpoint; /* ith_keep_args */

/* ITH_ARGS_OK, or 2 when options are missing or contradict each other. */
int ith_keep_args_check(const ith_cli *cli, const char *command, const ith_keep_args *keep,
                        const ith_model_args *model);

/* Collective. Opens what the options ask for; `ids` and `generate` as in ith_keep_params. Warnings
 * go through the watch, which must outlive the session. */
ith_status ith_keep_args_open(const ith_keep_args *keep, ith_watch *watch, ith_session *session,
                              const int32_t *ids, size_t n_ids, const ith_generate_params *generate,
                              ith_error *err);

/* Collective, for a run with a checkpoint that was asked to stop: saves everything. session may be
 * NULL. Returns the exit code: `stopped` if nothing new was saved. */
int ith_keep_args_stop(const ith_cli *cli, const ith_keep_args *keep, ith_session *session,
                       int stopped);

#endif
