/* matcher.h - finds the matches of a pattern in a text, in order. Used inside src/text only.
 *
 * Patterns come from files and are not trusted: a text that takes too many steps fails. One budget
 * holds for all patterns that a text passes through.
 */
#ifndef ITH_TEXT_MATCHER_H
#define ITH_TEXT_MATCHER_H

#include "text/pattern.h"

/* What the matchers of one text share. */
typedef struct ith_match_budget {
    struct pcre2_real_match_context_8 *context;
    struct pcre2_real_jit_stack_8 *stack;
    uint64_t steps; /* what is left for costly matches */
} ith_match_budget;

/* Call ith_match_budget_close afterwards, also after a failure. */
ith_status ith_match_budget_open(ith_match_budget *budget, ith_error *err);
void ith_match_budget_close(ith_match_budget *budget);

/* Grants what `len` more bytes of text may cost. */
void ith_match_budget_add(ith_match_budget *budget, size_t len);

typedef struct ith_matcher {
    const ith_pattern *pattern;
    struct pcre2_real_match_data_8 *match;
    ith_buffer kinds;   /* of the text's characters */
    size_t n, from;     /* characters; where the next match is looked for */
    size_t at, at_byte; /* a character and its first byte, not behind the next match */
    size_t len;         /* of the text */
} ith_matcher;

/* Call ith_matcher_close afterwards, also after a failure. The pattern must outlive the matcher. */
ith_status ith_matcher_open(ith_matcher *matcher, const ith_pattern *pattern, ith_error *err);
void ith_matcher_close(ith_matcher *matcher);

/* Begins with a text, which is well-formed UTF-8. */
ith_status ith_matcher_begin(ith_matcher *matcher, const char *text, size_t len, ith_error *err);

/* The next match, text[*begin .. *end), perhaps empty; *found false: there is none. The text is the
 * same as at the beginning, though it may have moved. ITH_E_FORMAT: the budget is spent. */
ith_status ith_matcher_next(ith_matcher *matcher, ith_match_budget *budget, const char *text,
                            size_t *begin, size_t *end, bool *found, ith_error *err);

#endif
