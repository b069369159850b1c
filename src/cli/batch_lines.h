/* batch_lines.h - the lines of a large file, one at a time. */
#ifndef ITH_CLI_BATCH_LINES_H
#define ITH_CLI_BATCH_LINES_H

#include "cli/input.h"

#include <stdio.h>

enum { ITH_BATCH_LINE_MOST = 1 << 28 };

typedef struct ith_batch_lines {
    const char *path;
    FILE *file;
    int64_t bytes;  /* of it, when it was opened */
    int64_t number; /* of the line in hand, from 1 */
    ith_text text;  /* without its end */
    bool ended;     /* it has one */
    bool too_long;  /* more than ITH_BATCH_LINE_MOST bytes: `text` is empty */
} ith_batch_lines;

/* Opens a regular file. ITH_E_IO, ITH_E_ARGUMENT. Close it after a failure too. */
ith_status ith_batch_lines_open(const char *path, ith_batch_lines *lines, ith_error *err);
void ith_batch_lines_close(ith_batch_lines *lines);

/* The next line. *more false: there is none. ITH_E_IO, ITH_E_MEMORY. */
ith_status ith_batch_lines_next(ith_batch_lines *lines, bool *more, ith_error *err);

/* Is it only white space? */
bool ith_batch_lines_blank(const ith_batch_lines *lines);

#endif
