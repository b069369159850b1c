/* profile_table.h - --profile: where the time of prefill and decode went. */
#ifndef ITH_CLI_PROFILE_TABLE_H
#define ITH_CLI_PROFILE_TABLE_H

#include "base/json.h"
#include "cli/command.h"

/* A new object of ith_session_profile, NULL if there is none. */
json_t *ith_cli_profile(const ith_session *session);

/* Prints it as a table on stderr, a line for each phase with at least one pass. */
void ith_cli_print_profile(const ith_cli *cli, const json_t *profile);

#endif
