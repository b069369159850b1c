/* shares_text.h - the shares of work that ranks have (--shares), as text. */
#ifndef ITH_CLI_SHARES_TEXT_H
#define ITH_CLI_SHARES_TEXT_H

#include "base/json.h"

/* "50.0% 25.0% 25.0%" of an array of numbers, one per rank; of many ranks the first only. Returns
 * `text`. */
const char *ith_cli_shares_text(const json_t *shares, char *text, size_t size);

#endif
