/* shares_text.h - what ranks get of tokens and rows: --weights-by. */
#ifndef ITH_CLI_SHARES_TEXT_H
#define ITH_CLI_SHARES_TEXT_H

#include "base/json.h"

/* "50.0% 25.0% 25.0%" of an array of numbers, each rank's: the first ranks of many; `text` as a string. */
const char *ith_cli_shares_text(const json_t *shares, char *text, size_t size);

#endif
