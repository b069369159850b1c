/* json_text.h - the characters of JSON strings as edges of a grammar. */
#ifndef ITH_GRAMMAR_JSON_TEXT_H
#define ITH_GRAMMAR_JSON_TEXT_H

#include "grammar/rules.h"

/* One character of a settled set as JSON has it inside a string, each in one way: as itself, or
 * \" \\ \b \f \n \r \t, or \u00XX. */
void ith_json_chars(ith_rules *g, int32_t from, int32_t to, const ith_codeset *set, unsigned flags);

/* Any character in any way that JSON knows; two escapes that are a surrogate pair are one
 * character. */
void ith_json_any_char(ith_rules *g, int32_t from, int32_t to, unsigned flags);

/* Between a colon or a comma and what follows: one space, or none. Returns the state behind. */
int32_t ith_json_space(ith_rules *g, int32_t from);

#endif
