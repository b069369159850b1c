/* completion.h - scripts that complete commands, options and their values, made from the tables. */
#ifndef ITH_CLI_COMPLETION_H
#define ITH_CLI_COMPLETION_H

#include "cli/command.h"

#include <stdio.h>

void ith_completion_bash(const ith_cli *cli, FILE *out);
void ith_completion_zsh(const ith_cli *cli, FILE *out);

#endif
