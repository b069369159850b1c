/* keep_options.c - the prompt cache and the checkpoint of a run. */
#include "cli/keep_options.h"

#include "cli/arguments.h"
#include "cli/signals.h"

static const ith_option cache_options[] = {
    {.name = "prompt-cache",
     .kind = ITH_OPTION_FILE,
     .metavar = "DIR",
     .at = offsetof(ith_keep_args, cache),
     .help = "keep the KV cache of prompts in this folder",
     .more = "A prompt that begins like an earlier one reads the common part from DIR instead of "
             "computing it, on any number of ranks and with the same bits. Damaged data is "
             "reported, removed and computed again. All ranks must share the file system."},
    {.name = "prompt-cache-size",
     .kind = ITH_OPTION_BYTES,
     .metavar = "SIZE",
     .at = offsetof(ith_keep_args, cache_bytes),
     .min = 1,
     .max = 1e18,
     .otherwise = "unlimited",
     .help = "size limit of the prompt cache, such as 20GiB",
     .more = "It is applied when the run ends: the least recently used data is removed first."},
    {.name = NULL},
};

static const ith_option checkpoint_options[] = {
    {.name = "checkpoint",
     .kind = ITH_OPTION_FILE,
     .metavar = "DIR",
     .at = offsetof(ith_keep_args, checkpoint),
     .help = "save this run in a folder, so that it can resume",
     .more =
         "The run is saved in the background after every chunk of at least 512 tokens, and after "
         "every token of the answer. Run the same command again and it resumes after the "
         "last saved chunk or token. A checkpoint of another model, prompt or sampling is "
         "refused, and the message says what differs. If the disk is full, the run continues "
         "without saving. All ranks must share the file system. When the answer is complete, "
         "the checkpoint is deleted."},
    {.name = NULL},
};

const ith_option_group ith_group_prompt_cache = {"On disk", cache_options};
const ith_option_group ith_group_checkpoint = {"On disk", checkpoint_options};

int ith_keep_args_check(const ith_cli *cli, const char *command, const ith_keep_args *keep,
                        const ith_model_args *model)
{
    if (keep->cache_bytes > 0 && keep->cache == NULL)
        return ith_args_wrong(cli, command, "--prompt-cache-size needs --prompt-cache DIR");
    if (model->exact && (keep->cache != NULL || keep->checkpoint != NULL))
        return ith_args_wrong(
            cli, command,
            "--exact reproduces KV data only to rounding: omit --prompt-cache and "
            "--checkpoint");
    if (keep->checkpoint != NULL)
        ith_stop_patiently();
    return ITH_ARGS_OK;
}

ith_status ith_keep_args_open(const ith_keep_args *keep, ith_watch *watch, ith_session *session,
                              const int32_t *ids, size_t n_ids, const ith_generate_params *generate,
                              ith_error *err)
{
    const ith_keep_params params = {.cache = keep->cache,
                                    .cache_bytes = keep->cache_bytes,
                                    .checkpoint = keep->checkpoint,
                                    .ids = ids,
                                    .n_ids = n_ids,
                                    .generate = generate,
                                    .warn = ith_watch_warning,
                                    .user = watch};

    if (keep->cache == NULL && keep->checkpoint == NULL)
        return ITH_OK;
    return ith_session_keep(session, &params, err);
}

int ith_keep_args_stop(const ith_cli *cli, const ith_keep_args *keep, ith_session *session,
                       int stopped)
{
    int64_t added = session == NULL ? 0 : ith_session_saved(session);
    ith_error err = {0};

    ith_world_bcast(cli->world, &added, sizeof added);
    if (added == 0) {
        ith_cli_say(cli, "stopped before anything new was saved in %s", keep->checkpoint);
        return stopped;
    }
    if (ith_session_save(session, &err) != ITH_OK) {
        ith_cli_error(cli, "stopped, but not everything was saved: %s", err.text);
        return ITH_EXIT_FAILED;
    }
    ith_cli_say(cli, "stopped and saved in %s; run the same command again to resume",
                keep->checkpoint);
    return ITH_EXIT_SAVED;
}
