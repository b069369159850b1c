/* pattern.h - the regular expressions of tokenizer.json. Used inside src/text only.
 *
 * They are written in Oniguruma's dialect, and PCRE2 matches them. PCRE2 never sees a character:
 * what a pattern tells apart (literals, classes, properties) divides all characters into at most
 * 256 kinds, and it matches bytes, one for the kind of each character. So properties are those of
 * unicode.h whatever PCRE2 is installed, \p{L} costs what [a-z] costs, and the kinds of a pattern
 * are found once, when it is compiled.
 *
 * Supported: literals, ., ^, $, alternatives; the groups (...), (?:...), (?i:...), (?>...),
 * (?=...), (?!...), (?<=...), (?<!...); the quantifiers, lazy and possessive; classes with ranges,
 * classes inside classes and &&; \d \D \s \S \w \W \h \H \b \B \t \n \r \f \v \a \e \xHH \x{H}
 * \uHHHH \p{...} \P{...} \p{^...}. The rest is refused by name.
 */
#ifndef ITH_TEXT_PATTERN_H
#define ITH_TEXT_PATTERN_H

#include "text/utf8.h"

typedef struct ith_pattern ith_pattern;

/* Compiles a pattern, with JIT where PCRE2 has it. `literal`: the pattern is a plain string. Errors
 * name the file, `where`. ITH_E_UNSUPPORTED: the pattern uses something else. ITH_E_FORMAT: it is
 * not a valid pattern. */
ith_status ith_pattern_compile(const char *pattern, size_t len, bool literal, const char *where,
                               ith_pattern **out, ith_error *err);

void ith_pattern_free(ith_pattern *pattern); /* accepts NULL */

/* PCRE2's code, which matches kinds: from a place on, or there alone (PCRE2's JIT does not know
 * PCRE2_ANCHORED as an option of a match). */
struct pcre2_real_code_8 *ith_pattern_code(const ith_pattern *pattern, bool anchored);

/* Writes the kind of each character of a well-formed text to kinds[len]; returns how many there
 * are. */
size_t ith_pattern_kinds(const ith_pattern *pattern, const char *text, size_t len, char *kinds);

#endif
