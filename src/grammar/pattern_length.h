/* pattern_length.h - strings that match a pattern and have a length within bounds. */
#ifndef ITH_GRAMMAR_PATTERN_LENGTH_H
#define ITH_GRAMMAR_PATTERN_LENGTH_H

#include "grammar/rules.h"

/* From one state to another, the text inside a JSON string of min to max characters that matches
 * (regex.h). A counter would not do: whether a pattern can still be matched depends on how many
 * characters are left. So each state of the pattern is there once for each count; where that is too
 * much, it is refused. Failures are kept in the rules. */
void ith_pattern_length_add(ith_rules *g, int32_t from, int32_t to, const char *pattern,
                            int64_t min, int64_t max);

#endif
