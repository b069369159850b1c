/* commands.h - the commands, a file each, and how one is run. */
#ifndef ITH_CLI_COMMANDS_H
#define ITH_CLI_COMMANDS_H

#include "cli/option.h"

extern const ith_command ith_command_run, ith_command_chat, ith_command_batch, ith_command_serve,
    ith_command_pull, ith_command_score, ith_command_embed, ith_command_eval_perplexity,
    ith_command_eval_needle, ith_command_calibrate, ith_command_bench_roofline,
    ith_command_bench_kernels, ith_command_bench_model, ith_command_tokenize, ith_command_pack,
    ith_command_plan, ith_command_probe, ith_command_compare, ith_command_inspect,
    ith_command_cache_ls, ith_command_cache_rm, ith_command_cache_verify, ith_command_version,
    ith_command_help;

/* Do the command's ranks work together? Without such a command rank 0 alone works, and the others
 * have nothing to do. */
bool ith_command_needs_ranks(const ith_cli *cli, int argc, char **argv);

/* Runs the command that argv[0], or argv[0] and argv[1], name, of cli->commands. Returns an exit
 * code. */
int ith_command_run_named(const ith_cli *cli, int argc, char **argv);

#endif
