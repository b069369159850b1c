/* jaccess.h - attributes, items, slices, and the arithmetic of operators. */
#ifndef ITH_TEXT_JINJA_JACCESS_H
#define ITH_TEXT_JINJA_JACCESS_H

#include "text/jinja/jbuiltin.h"

ith_jval ith_jattr(ith_jrun *run, ith_jval owner, const ith_jstr *name); /* owner.name */
ith_jval ith_jitem(ith_jrun *run, ith_jval owner, ith_jval key);         /* owner[key] */
/* owner[start:stop:step]; absent or None where not given */
ith_jval ith_jslice(ith_jrun *run, ith_jval owner, ith_jval start, ith_jval stop, ith_jval step);
/* "a.b.0" as the filters take it */
ith_jval ith_jpath(ith_jrun *run, ith_jval owner, ith_jval path);

bool ith_jcontains(ith_jrun *run, ith_jval container, ith_jval item);
/* + - * / // % ** */
ith_jval ith_jbinary(ith_jrun *run, const ith_jstr *op, ith_jval a, ith_jval b);
ith_jval ith_jnegate(ith_jrun *run, ith_jval v);
/* == != < <= > >= in, "not in" */
bool ith_jholds(ith_jrun *run, const ith_jstr *op, ith_jval a, ith_jval b);
/* text % value, and "{} {name}".format(...) */
ith_jval ith_jpercent(ith_jrun *run, ith_jstr *format, ith_jval value);
ith_jval ith_jformat(ith_jrun *run, ith_jstr *format, const ith_jargs *args);

#endif
