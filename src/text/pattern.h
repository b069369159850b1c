/* pattern.h - compiles the regular expressions of tokenizer.json: translates Oniguruma's dialect to
 * PCRE2's. Used inside src/text only. */
#ifndef ITH_TEXT_PATTERN_H
#define ITH_TEXT_PATTERN_H

#include "base/error.h"

struct pcre2_real_code_8;

/* Compiles a pattern, with JIT where PCRE2 has it. `literal`: the pattern is a plain string. Free
 * *code with pcre2_code_free. Errors name the file, `where`. ITH_E_UNSUPPORTED: the pattern uses a
 * construct that the two dialects read differently. ITH_E_FORMAT: it is not a valid pattern. */
ith_status ith_pattern_compile(const char *pattern, size_t len, bool literal, const char *where,
                               struct pcre2_real_code_8 **code, ith_error *err);

#endif
