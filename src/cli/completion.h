/* completion.h - scripts that complete commands, options and their values, made from the tables. */
#ifndef ITH_CLI_COMPLETION_H
#define ITH_CLI_COMPLETION_H

#include <stdio.h>

void ith_completion_bash(FILE *out);
void ith_completion_zsh(FILE *out);

#endif
