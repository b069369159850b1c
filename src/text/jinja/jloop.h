/* jloop.h - the variable `loop`, and cyclers. */
#ifndef ITH_TEXT_JINJA_JLOOP_H
#define ITH_TEXT_JINJA_JLOOP_H

#include "text/jinja/jbuiltin.h"

typedef struct ith_jloop {
    const ith_jlist *list;
    size_t index0;
    int64_t depth0;
    const struct ith_jnode *node; /* of a recursive loop; else NULL */
    struct ith_jscope *scope;     /* around it */
    ith_jlist *changed;           /* what loop.changed was last called with */
} ith_jloop;

/* Absent: there is no such attribute. */
ith_jval ith_jloop_attr(ith_jrun *run, ith_jval loop, const ith_jstr *name);
ith_jval ith_jcycle_attr(ith_jrun *run, ith_jval cycler, const ith_jstr *name);
/* What calling a joiner gives. */
ith_jval ith_jjoiner_call(ith_jrun *run, ith_jval joiner);

#endif
