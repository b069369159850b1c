/* help.h - -h and --help on stdout, at most 80 columns wide. */
#ifndef ITH_CLI_HELP_H
#define ITH_CLI_HELP_H

#include "cli/families.h"

/* -h of a command: its options by group, one line each. `full`, --help: everything about them. */
void ith_help_command(const ith_command *command, bool full);

/* What commands a family has. */
void ith_help_family(const ith_cli *cli, const ith_command_family *family);

/* Of the program: its commands. `full`: also exit statuses and environment variables. */
void ith_help_program(const ith_cli *cli, FILE *out, bool full);

#endif
