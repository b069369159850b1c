/* jbuiltin.h - filters, tests, methods and functions, which are all called in one way. */
#ifndef ITH_TEXT_JINJA_JBUILTIN_H
#define ITH_TEXT_JINJA_JBUILTIN_H

#include "text/jinja/jvalue.h"

typedef struct ith_jnamed {
    const ith_jstr *name;
    ith_jval value;
} ith_jnamed;

typedef struct ith_jargs {
    ith_jval *pos;
    size_t n;
    ith_jnamed *named;
    size_t n_named;
} ith_jargs;

enum { ITH_JPARAMS_MAX = 6 };

/* `self` is what the filter or test is applied to, or the owner of the method. Unless params is
 * "*", `args` has exactly the declared parameters by position, those not given ITH_J_ABSENT. */
typedef struct ith_jbuiltin {
    const char *name;
    ith_jval (*call)(ith_jrun *run, ith_jval self, const ith_jargs *args);
    const char *params; /* names with blanks between, or "*" for arguments as they come */
    int required;
} ith_jbuiltin;

ith_jval ith_jbuiltin_call(ith_jrun *run, const ith_jbuiltin *builtin, ith_jval self,
                           const ith_jargs *args);

/* NULL: there is none. */
const ith_jbuiltin *ith_jfilter(const ith_jstr *name);
const ith_jbuiltin *ith_jtest(const ith_jstr *name);
/* The same, but fails by name. */
const ith_jbuiltin *ith_jneed_filter(ith_jrun *run, const ith_jstr *name);
const ith_jbuiltin *ith_jneed_test(ith_jrun *run, const ith_jstr *name);
/* NULL: there is none. */
const ith_jbuiltin *ith_jfunction(const ith_jstr *name);
/* Also fails by name for methods that Python has and this interpreter or the sandbox has not. */
const ith_jbuiltin *ith_jmethod_of(ith_jrun *run, ith_jval owner, const ith_jstr *name);

/* Arrays that end with a NULL name. */
extern const ith_jbuiltin ith_jtext_filters[], ith_jlist_filters[], ith_jvalue_filters[];
extern const ith_jbuiltin ith_jtests[], ith_jfunctions[];
extern const ith_jbuiltin ith_jstr_methods[], ith_jsplit_methods[], ith_jcase_methods[];

/* Arguments with defaults. */
bool ith_jgiven(ith_jval v); /* neither absent nor None */
int64_t ith_jarg_int(ith_jrun *run, ith_jval v, int64_t otherwise);
bool ith_jarg_bool(ith_jrun *run, ith_jval v, bool otherwise);
ith_jstr *ith_jarg_str(ith_jrun *run, ith_jval v, const char *otherwise);

#endif
