/* command_table.c - all commands. */
#include "cli/command_table.h"

#include "cli/commands.h"

const ith_command *const ith_command_table[] = {
    &ith_command_run,
    &ith_command_chat,
    &ith_command_batch,
    &ith_command_serve,
    &ith_command_pull,
    &ith_command_score,
    &ith_command_embed,
    &ith_command_eval_perplexity,
    &ith_command_eval_needle,
    &ith_command_tokenize,
    &ith_command_calibrate,
    &ith_command_pack,
    &ith_command_inspect,
    &ith_command_plan,
    &ith_command_probe,
    &ith_command_bench_roofline,
    &ith_command_bench_kernels,
    &ith_command_bench_model,
    &ith_command_compare,
    &ith_command_cache_ls,
    &ith_command_cache_rm,
    &ith_command_cache_verify,
    &ith_command_version,
    &ith_command_help,
    NULL,
};
