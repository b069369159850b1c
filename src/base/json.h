/* json.h - JSON through jansson, with errors that name the file and the field.
 *
 * json_t is used as it is; this header adds reading with limits and typed members. The one file
 * that includes <jansson.h>.
 */
#ifndef ITH_BASE_JSON_H
#define ITH_BASE_JSON_H

#include "base/error.h"

#include <jansson.h>

/* Reads a whole file. *root is the caller's (json_decref). ITH_E_IO; ITH_E_ARGUMENT: not
 * a regular file; ITH_E_FORMAT: not JSON, or more than max_bytes. */
ith_status ith_json_read(const char *path, size_t max_bytes, json_t **root, ith_error *err);

/* The same for a file in an open folder: see base/regular.h. */
ith_status ith_json_read_in(int folder, const char *path, size_t max_bytes, json_t **root,
                            ith_error *err);

/* The same from len bytes of memory; text may be NULL if there are none. Both read what Python
 * writes besides JSON, see json_numbers.h. `where` names them in errors. */
ith_status ith_json_parse(const char *text, size_t len, const char *where, json_t **root,
                          ith_error *err);

/* The same of JSON alone, where a value must not become another one: no number that Python adds, no
 * whole number beyond 64 bits, no name twice in an object. Any value, not only a list or an
 * object: `true` is a schema. */
ith_status ith_json_parse_strict(const char *text, size_t len, const char *where, json_t **root,
                                 ith_error *err);

/* Typed members of an object. *out keeps its value if the member is absent or null. `where`, a
 * file's name, stands in errors. ITH_E_FORMAT: another type, or out of [min, max]. */
ith_status ith_json_int(const json_t *object, const char *where, const char *key, int64_t min,
                        int64_t max, int64_t *out, ith_error *err);
ith_status ith_json_real(const json_t *object, const char *where, const char *key, double *out,
                         ith_error *err);
ith_status ith_json_bool(const json_t *object, const char *where, const char *key, bool *out,
                         ith_error *err);
/* The string lives as long as the object. */
ith_status ith_json_string(const json_t *object, const char *where, const char *key,
                           const char **out, ith_error *err);

/* A number that reads back as the same float (9 digits, see ith_json_text); NaN and infinities
 * become null. */
json_t *ith_json_number(double x);

/* An array of n such numbers; null if values is NULL. */
json_t *ith_json_numbers(const double *values, int n);

/* An array of the lines of a text; empty for "". */
json_t *ith_json_lines(const char *text);

/* A string of any bytes, such as a path: those that are not UTF-8 become U+FFFD. NULL: no
 * memory. */
json_t *ith_json_bytes(const char *text, size_t len);
json_t *ith_json_c_string(const char *text); /* the same, NUL-terminated */

/* The text of a value: one line, or indented if `pretty`. The caller frees it; NULL: no memory. */
char *ith_json_text(const json_t *value, bool pretty);

/* The same of what others have written: with 17 digits each number stays the double that it is. */
char *ith_json_exact_text(const json_t *value, bool pretty);

/* ---- Memory that was not there ----
 *
 * A value for which there is no memory would be missing from the list or object that it was made
 * for, and nobody looks at each of them. So each thread counts what it did not get: whoever begins
 * a document, or reads one, takes a mark, and asks at the end whether anything was lost. */

/* For a program, before it uses JSON: jansson's allocations count. The library does not call this,
 * since the allocator is its host program's. */
void ith_json_count_memory(void);

/* malloc, for what becomes JSON: a failure counts. */
void *ith_json_malloc(size_t n);

/* What was to become JSON was lost in another way. */
void ith_json_lose(void);

/* This thread's count. */
unsigned ith_json_mark(void);

/* Was anything lost since the mark? Whoever asks deals with it: it is no longer counted. */
bool ith_json_lost(unsigned mark);

#endif
