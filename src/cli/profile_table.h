/* profile_table.h - --profile: where the time of prefill and decode went. */
#ifndef ITH_CLI_PROFILE_TABLE_H
#define ITH_CLI_PROFILE_TABLE_H

#include "base/json.h"
#include "cli/command.h"

/* The session's profile (ith_session_profile), new; NULL if there is none. */
json_t *ith_cli_profile(const ith_session *session);

/* As a table on stderr, a line for each phase that had a pass. */
void ith_cli_print_profile(const ith_cli *cli, const json_t *profile);

#endif
