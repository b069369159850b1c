/* plan_table.h - the plans of ithaca plan as tables. */
#ifndef ITH_CLI_PLAN_TABLE_H
#define ITH_CLI_PLAN_TABLE_H

#include "base/json.h"

/* Prints `plans`, an array of what ith_estimate gives, for one model. */
void ith_cli_print_plans(const json_t *plans);

#endif
