/* jmethods.h - string operations that methods and filters share. */
#ifndef ITH_TEXT_JINJA_JMETHODS_H
#define ITH_TEXT_JINJA_JMETHODS_H

#include "text/jinja/jvalue.h"

/* chars NULL: white space. */
ith_jstr *ith_jstr_strip(ith_jrun *run, ith_jstr *s, const ith_jstr *chars, bool left, bool right);
ith_jlist *ith_jstr_lines(ith_jrun *run, const ith_jstr *s, bool keep_ends);
/* At most `most` times; negative: always. */
ith_jstr *ith_jstr_replace(ith_jrun *run, ith_jstr *s, const ith_jstr *old, const ith_jstr *with,
                           int64_t most);

#endif
