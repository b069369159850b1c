/* ranks_text.h - --report-ranks: the table of ranks on stderr. */
#ifndef ITH_CLI_RANKS_TEXT_H
#define ITH_CLI_RANKS_TEXT_H

#include "base/json.h"

/* Prints the object that ith_ranks_fn hands over. */
void ith_cli_print_ranks(const json_t *table);

#endif
