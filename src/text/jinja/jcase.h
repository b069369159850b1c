/* jcase.h - changes of case. */
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

/* Simple mappings of Unicode, and those of sharp s. A letter whose case depends on its place (final
 * sigma) or that becomes several otherwise (ligatures) is an error that names it. */
ith_jstr *ith_jstr_case(ith_jrun *run, const ith_jstr *s, ith_jcase to);
/* Is there a letter with case, and none of the other case? */
bool ith_jstr_is_case(ith_jrun *run, const ith_jstr *s, bool upper);

#endif
