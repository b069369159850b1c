/* command_table.h - all commands; for main.c, which hands them on in ith_cli. */
#ifndef ITH_CLI_COMMAND_TABLE_H
#define ITH_CLI_COMMAND_TABLE_H

#include "cli/option.h"

/* In the order of help, up to NULL. */
extern const ith_command *const ith_command_table[];

#endif
