/* arguments.h - fills a command's arguments from its command line, by its tables (option.h). */
#ifndef ITH_CLI_ARGUMENTS_H
#define ITH_CLI_ARGUMENTS_H

#include "cli/option.h"

enum { ITH_ARGS_OK = -1 };

/* Sets the presets, then what argv gives. `args`: the struct that the command's groups describe. A
 * value without a preset stays as it is when its option is absent. ITH_ARGS_OK, or the exit code to
 * return at once: 0 after -h or --help, 2 after one line about what is wrong. */
int ith_args_parse(const ith_cli *cli, const ith_command *command, void *args, int argc,
                   char **argv);

/* Prints "ithaca: error: text" with a pointer to the command's help and returns 2. */
int ith_args_wrong(const ith_cli *cli, const char *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
