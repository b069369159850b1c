/* jast.h - the tree of a template. One struct serves all kinds of nodes; the enum says what each
 * kind keeps in it. */
#ifndef ITH_TEXT_JINJA_JAST_H
#define ITH_TEXT_JINJA_JAST_H

#include "text/jinja/jvalue.h"

typedef enum ith_jnode_kind {
    /* expressions */
    ITH_JN_CONST,   /* value */
    ITH_JN_NAME,    /* name */
    ITH_JN_LIST,    /* items */
    ITH_JN_TUPLE,   /* items */
    ITH_JN_DICT,    /* items: key, value, key, value... */
    ITH_JN_ATTR,    /* a.name */
    ITH_JN_ITEM,    /* a[b] */
    ITH_JN_SLICE,   /* a[items[0]:items[1]:items[2]], each may be NULL */
    ITH_JN_CALL,    /* a(args) */
    ITH_JN_FILTER,  /* a|name(args); a is NULL at the head of a filter block */
    ITH_JN_TEST,    /* a is name(args) */
    ITH_JN_NOT,     /* not a */
    ITH_JN_NEGATE,  /* -a */
    ITH_JN_PLUS,    /* +a */
    ITH_JN_AND,     /* a and b */
    ITH_JN_OR,      /* a or b */
    ITH_JN_BINARY,  /* a name b: + - * / // % ** */
    ITH_JN_CONCAT,  /* items joined by ~ */
    ITH_JN_COMPARE, /* a, then args: operator in args[i].name, operand in args[i].value */
    ITH_JN_CHOICE,  /* a if b else c; c may be NULL */
    /* statements */
    ITH_JN_DATA,      /* value */
    ITH_JN_PRINT,     /* a */
    ITH_JN_IF,        /* b: condition, body, otherwise */
    ITH_JN_FOR,       /* a: target, b: iterable, c: condition or NULL, body, otherwise; recursive */
    ITH_JN_SET,       /* a: target, b: value */
    ITH_JN_SETBLOCK,  /* a: target, b: filters or NULL, body */
    ITH_JN_WITH,      /* args: name and value each, body */
    ITH_JN_MACRO,     /* name, args: parameters and defaults or NULL, body */
    ITH_JN_CALLBLOCK, /* a: call, args: parameters of the caller, body */
    ITH_JN_FILTERBLOCK, /* b: filters, body */
    ITH_JN_SCOPE,       /* body in a scope of its own: {% generation %} */
    ITH_JN_BREAK,
    ITH_JN_CONTINUE
} ith_jnode_kind;

typedef struct ith_jnode ith_jnode;

/* Names that a macro gives its body if the body reads them. */
enum { ITH_JREADS_CALLER = 1, ITH_JREADS_VARARGS = 2, ITH_JREADS_KWARGS = 4 };

typedef struct ith_jarg {
    const ith_jstr *name; /* NULL: by position; "*" and "**": spread; or an operator */
    ith_jnode *value;
} ith_jarg;

typedef struct ith_jbody {
    ith_jnode **nodes;
    size_t n, cap;
    ith_jdict *hidden; /* names that are undefined at its beginning (jframes.h); NULL: none */
} ith_jbody;

struct ith_jnode {
    ith_jnode_kind kind;
    int line;
    bool recursive;
    unsigned reads; /* macro, call block: ITH_JREADS_* */
    const ith_jstr *name;
    ith_jval value;
    ith_jnode *a, *b, *c;
    ith_jbody items, body, otherwise;
    ith_jarg *args;
    size_t n_args, cap_args;
};

#endif
