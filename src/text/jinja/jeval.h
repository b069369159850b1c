/* jeval.h - runs a tree. */
#ifndef ITH_TEXT_JINJA_JEVAL_H
#define ITH_TEXT_JINJA_JEVAL_H

#include "text/jinja/jast.h"
#include "text/jinja/jbuiltin.h"

typedef struct ith_jvar {
    const ith_jstr *name;
    ith_jval value;
} ith_jvar;

/* The names of a loop's turn, a macro's call, a block. What is not found is looked for in the one
 * around it, last among the built-in functions. */
typedef struct ith_jscope {
    struct ith_jscope *outer;
    ith_jvar *vars;
    size_t n, cap;
} ith_jscope;

typedef struct ith_jmacro {
    const ith_jnode *node; /* its parameters and body */
    ith_jscope *scope;     /* where it was defined */
} ith_jmacro;

typedef enum ith_jflow { ITH_JNEXT, ITH_JBREAK, ITH_JCONTINUE } ith_jflow;

/* Statements write to run->out, and set names in run->scope. */
ith_jflow ith_jexec(ith_jrun *run, const ith_jbody *body);

/* ---- Between the files of the evaluator ---- */

ith_jval ith_jeval(ith_jrun *run, const ith_jnode *node);
void ith_jscope_set(ith_jrun *run, ith_jscope *scope, const ith_jstr *name, ith_jval value);
ith_jscope *ith_jscope_new(ith_jrun *run, ith_jscope *outer);
/* Makes undefined what the body hides, in its scope, which may have parameters. */
void ith_jscope_hide(ith_jrun *run, ith_jscope *scope, const ith_jbody *body);
/* Evaluates arguments and calls. `caller`, of a call block, is passed by that name if present. */
ith_jval ith_jeval_call(ith_jrun *run, const ith_jnode *call, const ith_jval *caller);
ith_jval ith_jeval_filter(ith_jrun *run, const ith_jnode *filter, ith_jval self);
ith_jval ith_jmacro_call(ith_jrun *run, const ith_jmacro *macro, const ith_jargs *args);
/* A turn of a recursive loop with other items. */
ith_jval ith_jloop_call(ith_jrun *run, ith_jval loop, const ith_jargs *args);

#endif
