/* shares_text.c - prints the shares of ranks. */
#include "cli/shares_text.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 16 };

const char *ith_cli_shares_text(const json_t *shares, char *text, size_t size)
{
    size_t i, n = 0;
    const json_t *share;

    text[0] = 0;
    json_array_foreach (shares, i, share) {
        if (i < SHOWN && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%.1f%%", i > 0 ? " " : "",
                                  100 * json_real_value(share));
        else if (i == SHOWN && n < size)
            snprintf(text + n, size - n, " ...");
    }
    return text;
}
