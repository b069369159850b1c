/* wrap.h - text in lines of a given width. */
#ifndef ITH_CLI_WRAP_H
#define ITH_CLI_WRAP_H

#include <stdio.h>

enum { ITH_WRAP_WIDTH = 80 };

/* Writes `text` in lines of at most ITH_WRAP_WIDTH columns, broken at blanks, and ends the last
 * one. The first line begins at the cursor's `column`, the others are indented by `indent`. An
 * empty line in the text separates paragraphs. Characters are counted as bytes: for ASCII. */
void ith_wrap(FILE *out, const char *text, int column, int indent);

#endif
