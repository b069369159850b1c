/* pattern.h - regular expressions of tokenizer.json, from Oniguruma's dialect to PCRE2's. Inside src/text only. */
#ifndef ITH_TEXT_PATTERN_H
#define ITH_TEXT_PATTERN_H

#include "base/error.h"

struct pcre2_real_code_8;

/* Compiles with JIT where there is one. literal: a plain string. ITH_E_UNSUPPORTED for constructs that the two read
 * differently, ITH_E_FORMAT for what is no pattern at all. Freed by pcre2_code_free. */
ith_status ith_pattern_compile(const char *pattern, size_t len, bool literal, const char *where,
                               struct pcre2_real_code_8 **code, ith_error *err);

#endif
