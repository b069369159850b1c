/* jcase.h - changes of case, and the string operations that methods and filters share. */
#ifndef ITH_TEXT_JINJA_JCASE_H
#define ITH_TEXT_JINJA_JCASE_H

#include "text/jinja/jvalue.h"

typedef enum ith_jcase {
    ITH_JCASE_UPPER,
    ITH_JCASE_LOWER,
    ITH_JCASE_TITLE,   /* str.title: each word's first letter */
    ITH_JCASE_CAPITAL, /* str.capitalize: the first letter alone */
    ITH_JCASE_SWAP
} ith_jcase;

/* Simple mappings of Unicode, and those of sharp s and the ligatures. A letter whose case depends
 * on its place (final sigma) or maps to several otherwise is an error that names it. */
ith_jstr *ith_jstr_case(ith_jrun *run, const ith_jstr *s, ith_jcase to);
/* Is there a letter with case, and none of the other case? */
bool ith_jstr_is_case(ith_jrun *run, const ith_jstr *s, bool upper);

/* In jmethods.c. chars NULL: white space. */
ith_jstr *ith_jstr_strip(ith_jrun *run, ith_jstr *s, const ith_jstr *chars, bool left, bool right);
ith_jlist *ith_jstr_lines(ith_jrun *run, const ith_jstr *s, bool keep_ends);
/* At most `most` times; negative: always. */
ith_jstr *ith_jstr_replace(ith_jrun *run, ith_jstr *s, const ith_jstr *old, const ith_jstr *with,
                           int64_t most);

#endif
