/* wrap.c - breaks text into lines. */
#include "cli/wrap.h"

#include <string.h>

/* Ends the paragraph if one ends at `at`; returns what follows the white space there. */
static const char *skip_space(FILE *out, const char *at, int indent, int *column)
{
    if (at[0] == '\n' && at[1] == '\n') {
        fprintf(out, "\n\n%*s", indent, "");
        *column = indent;
    }
    return at + strspn(at, " \n");
}

void ith_wrap(FILE *out, const char *text, int column, int indent)
{
    const char *at = text + strspn(text, " \n");

    if (column < indent) {
        fprintf(out, "%*s", indent - column, "");
        column = indent;
    } else if (column > indent) {
        fprintf(out, "\n%*s", indent, "");
        column = indent;
    }
    while (*at != 0) {
        int len = (int)strcspn(at, " \n"), gap = column > indent;
        if (gap && column + gap + len > ITH_WRAP_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            gap = 0;
        }
        fprintf(out, "%s%.*s", gap ? " " : "", len, at);
        column += gap + len;
        at = skip_space(out, at + len, indent, &column);
    }
    fputc('\n', out);
}
