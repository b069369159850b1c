#include "cli/keep_args.h"

#include "cli/signals.h"

#include <string.h>

void ith_keep_args_append(ith_keep_args *keep, ith_arg args[ITH_ARGS_MAX], size_t *n)
{
    const ith_arg table[] = {
        {"prompt-cache", 0, ITH_ARG_TEXT, "DIR",
         "keep the prompt's KV cache there; a prompt that begins the same reads it instead of computing it",
         &keep->cache, 0, 0},
        {"prompt-cache-size", 0, ITH_ARG_BYTES, "SIZE",
         "what it may take, as 20GiB: the least recently used goes (default: anything)", &keep->cache_bytes, 1, 1e18},
        {"checkpoint", 0, ITH_ARG_TEXT, "DIR",
         "save this run there as it goes; stopped or killed, the same command goes on", &keep->checkpoint, 0, 0},
    };
    memcpy(args + *n, table, sizeof table);
    *n += sizeof table / sizeof table[0];
}

int ith_keep_args_check(const ith_cli *cli, const char *command, const ith_keep_args *keep, const ith_model_args *model)
{
    if (keep->cache_bytes > 0 && keep->cache == NULL)
        return ith_args_wrong(cli, command, "--prompt-cache-size is for --prompt-cache DIR");
    if (model->exact && (keep->cache != NULL || keep->checkpoint != NULL))
        return ith_args_wrong(cli, command,
                              "with --exact KV data is the same only to rounding: leave --prompt-cache and "
                              "--checkpoint out");
    if (keep->checkpoint != NULL)
        ith_stop_patiently();
    return ITH_ARGS_OK;
}

static void warn(void *user, const char *text)
{
    ith_cli_say(user, "warning: %s", text);
}

ith_status ith_keep_args_open(const ith_cli *cli, const ith_keep_args *keep, ith_session *session, const int32_t *ids,
                              size_t n_ids, const ith_generate_params *generate, ith_error *err)
{
    const ith_keep_params params = {.cache = keep->cache,
                                    .cache_bytes = keep->cache_bytes,
                                    .checkpoint = keep->checkpoint,
                                    .ids = ids,
                                    .n_ids = n_ids,
                                    .generate = generate,
                                    .warn = warn,
                                    .user = (void *)(uintptr_t)cli};

    if (keep->cache == NULL && keep->checkpoint == NULL)
        return ITH_OK;
    return ith_session_keep(session, &params, err);
}

int ith_keep_args_stop(const ith_cli *cli, const ith_keep_args *keep, ith_session *session)
{
    ith_error err = {0};

    if (session != NULL && ith_session_save(session, &err) != ITH_OK) {
        ith_cli_say(cli, "stopped, and not all is saved: %s", err.text);
        return ITH_EXIT_FAILED;
    }
    ith_cli_say(cli, "stopped; saved in %s: the same command goes on", keep->checkpoint);
    return ITH_EXIT_SAVED;
}
