/* regex.h - the regular expressions of JSON Schema ("pattern") as edges of a grammar.
 *
 * They are ECMA 262's, and a string matches if any part of it does: without ^ and $ anything may
 * stand around. Supported: characters, ., sets, \d \w \s \D \W \S, \p{...}, escapes, groups (named
 * ones too), |, * + ? {n} {n,} {n,m}, greedy or lazy; ^ and $ at the ends of alternatives.
 * Refused by name: look-around, references, \b, flags, anchors elsewhere.
 *
 * Programs in other languages check what was written here, and their \d, \w and \s are larger:
 * these are the ASCII ones here, and what negates them leaves out the larger ones, so that a string
 * matches everywhere.
 */
#ifndef ITH_GRAMMAR_REGEX_H
#define ITH_GRAMMAR_REGEX_H

#include "grammar/rules.h"

/* From one state to another, the text inside a JSON string that matches. flags: of each character's
 * first byte. Failures are kept in the rules, without the place where the pattern stands. */
void ith_regex_add(ith_rules *g, int32_t from, int32_t to, const char *pattern, size_t len,
                   unsigned flags);

#endif
