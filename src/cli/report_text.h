/* report_text.h - texts of benchmark documents and price files, as a report may show them. */
#ifndef ITH_CLI_REPORT_TEXT_H
#define ITH_CLI_REPORT_TEXT_H

#include "base/json.h"

/* A text member; "" where there is none. */
const char *ith_report_member(const json_t *object, const char *key);

/* May it stand in a line? Not if it has control characters, marks and overrides of direction, or
 * line separators (base/character.h). */
bool ith_report_is_line(const char *text);

/* The same of all names and texts within. */
bool ith_report_is_plain(const json_t *value);

/* As many whole characters as text[size] holds. Returns text. */
const char *ith_report_cut(const char *from, char *text, size_t size);

#endif
