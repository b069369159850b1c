/* commands.h - the list of all commands. */
#ifndef ITH_CLI_COMMANDS_H
#define ITH_CLI_COMMANDS_H

#include "cli/option.h"

extern const ith_command ith_command_run, ith_command_score, ith_command_calibrate,
    ith_command_bench_roofline, ith_command_bench_kernels, ith_command_bench_model,
    ith_command_tokenize, ith_command_pack, ith_command_plan, ith_command_inspect,
    ith_command_cache_ls, ith_command_cache_rm, ith_command_cache_verify, ith_command_version,
    ith_command_help;

/* Commands of two words: "bench model". */
typedef struct ith_command_family {
    const char *name; /* the first word */
    const char *summary;
} ith_command_family;

/* All commands in the order of help, up to NULL; families up to one whose name is NULL. */
extern const ith_command *const ith_commands[];
extern const ith_command_family ith_command_families[];

/* NULL if there is none. */
const ith_command *ith_command_find(const char *name);
const ith_command_family *ith_family_find(const char *name);

/* Is it "bench model" of "bench"? Then the second word, else NULL. */
const char *ith_family_member(const ith_command_family *family, const ith_command *command);

/* Runs the command that argv[0], or argv[0] and argv[1], name. Returns an exit code. */
int ith_command_run_named(const ith_cli *cli, int argc, char **argv);

#endif
