/* input.h - files and standard input, read whole by rank 0. */
#ifndef ITH_CLI_INPUT_H
#define ITH_CLI_INPUT_H

#include "base/error.h"

typedef struct ith_text { /* {0} is an empty text */
    char *data;           /* malloc'd, a NUL after len bytes; freed by ith_text_free */
    size_t len, cap;
} ith_text;

void ith_text_free(ith_text *text);

/* Appends len bytes. */
ith_status ith_text_append(ith_text *text, const char *data, size_t len, ith_error *err);

/* Text that is to be tokenized must be UTF-8 without NUL bytes. ITH_E_FORMAT names `where`, and the
 * first byte that is wrong. */
ith_status ith_check_text(const char *where, const char *text, size_t len, ith_error *err);

/* "standard input" for "-", else the path. */
const char *ith_input_name(const char *path);

/* A whole file, of any kind that can be read to its end; "-" is standard input. What holds a NUL
 * byte is no text, and is read only some way beyond the first. */
ith_status ith_read_text(const char *path, ith_text *text, ith_error *err);

typedef struct ith_ids {
    int32_t *data; /* malloc'd */
    size_t n;
} ith_ids;

/* Numbers separated by white space or commas. Errors name the text as `where`, and the entry that
 * is wrong. */
ith_status ith_parse_ids(const ith_text *text, const char *where, ith_ids *ids, ith_error *err);
ith_status ith_read_ids(const char *path, ith_ids *ids, ith_error *err);

#endif
