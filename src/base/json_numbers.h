/* json_numbers.h - numbers that Python's json module writes and jansson does not read. */
#ifndef ITH_BASE_JSON_NUMBERS_H
#define ITH_BASE_JSON_NUMBERS_H

#include "base/error.h"

/* Copies a JSON text, len bytes, with numbers that jansson can read. Whole numbers beyond 64 bits
 * become reals; NaN, Infinity and -Infinity become strings, and so do numbers beyond the range of
 * double. So a reader that wants a whole number refuses the first, and one that wants any number
 * refuses the others; fields that nobody reads do no harm. *out is malloc'd, *out_len bytes; NULL
 * if the text has no such number. */
ith_status ith_json_plain_numbers(const char *text, size_t len, char **out, size_t *out_len,
                                  ith_error *err);

#endif
