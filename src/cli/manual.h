/* manual.h - the manual page, ithaca(1), made from the tables of options. */
#ifndef ITH_CLI_MANUAL_H
#define ITH_CLI_MANUAL_H

#include "cli/command.h"

#include <stdio.h>

typedef struct ith_fact {
    const char *name, *text;
} ith_fact;

/* Each up to one whose name is NULL. */
extern const ith_fact ith_manual_statuses[];    /* exit statuses */
extern const ith_fact ith_manual_environment[]; /* variables */

/* The page in man(7)'s language. */
void ith_manual_print(const ith_cli *cli, FILE *out);

#endif
