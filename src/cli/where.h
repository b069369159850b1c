/* where.h - --report-pages: on which memory nodes (NUMA) weights and KV cache lie. */
#ifndef ITH_CLI_WHERE_H
#define ITH_CLI_WHERE_H

#include "base/json.h"
#include "ithaca_tools.h"

/* Collective. The object of ith_session_page_report on rank 0, NULL elsewhere. */
ith_status ith_cli_where(const ith_session *session, json_t **where, ith_error *err);

/* Prints it as a table on stderr. */
void ith_cli_print_where(const json_t *where);

#endif
