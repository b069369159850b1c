/* jprint.h - values as text: Python's str() and repr(), and json.dumps. */
#ifndef ITH_TEXT_JINJA_JPRINT_H
#define ITH_TEXT_JINJA_JPRINT_H

#include "text/jinja/jvalue.h"

void ith_jprint(ith_jbuild *build, ith_jval v); /* str() */
void ith_jrepr(ith_jbuild *build, ith_jval v);
ith_jstr *ith_jtext(ith_jrun *run, ith_jval v); /* str() */

typedef struct ith_jjson {
    const ith_jstr *indent;     /* of one level; NULL: one line */
    const ith_jstr *item, *key; /* separators, ", " and ": " */
    bool ascii, sorted;
} ith_jjson;

void ith_jprint_json(ith_jbuild *build, ith_jval v, const ith_jjson *style);

#endif
