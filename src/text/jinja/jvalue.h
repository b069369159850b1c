/* jvalue.h - the values of the language, as Python's: small structs passed by value, whose contents
 * lie in the arena. Lists and dicts never change once a template sees them; namespaces do. */
#ifndef ITH_TEXT_JINJA_JVALUE_H
#define ITH_TEXT_JINJA_JVALUE_H

#include "base/json.h"
#include "text/jinja/jstring.h"

typedef enum ith_jkind {
    ITH_J_ABSENT, /* an argument that was not given; never seen by templates */
    ITH_J_UNDEFINED,
    ITH_J_NONE,
    ITH_J_BOOL,
    ITH_J_INT,
    ITH_J_FLOAT,
    ITH_J_STRING,
    ITH_J_LIST,
    ITH_J_TUPLE,
    ITH_J_RANGE,
    ITH_J_VIEW,     /* keys, values or items of a dict */
    ITH_J_ITERATOR, /* what generators give: true, without length, used up once read */
    ITH_J_DICT,
    ITH_J_NAMESPACE,
    ITH_J_LOOP,
    ITH_J_MACRO,
    ITH_J_FUNCTION,
    ITH_J_METHOD,
    ITH_J_CYCLER,
    ITH_J_JOINER
} ith_jkind;

typedef struct ith_jval {
    unsigned char kind;
    unsigned char origin; /* who wrote a number, truth value or none */
    union {
        bool truth;
        int64_t i;
        double f;
        ith_jstr *str;
        struct ith_jlist *list; /* list, tuple, range, view, iterator */
        struct ith_jdict *dict; /* dict, namespace */
        struct ith_jloop *loop;
        struct ith_jmacro *macro;
        const struct ith_jbuiltin *function;
        struct ith_jmethod *method;
        struct ith_jcycle *cycle;
        const char *missing; /* what is undefined, for errors */
    } as;
} ith_jval;

typedef struct ith_jlist {
    ith_jval *items;
    size_t n, cap;
    size_t read;               /* iterator: items used up */
    unsigned char origin;      /* who wrote brackets and commas */
    const char *view;          /* "dict_keys", "dict_values" or "dict_items" */
    int64_t start, stop, step; /* range */
} ith_jlist;

typedef struct ith_jentry {
    ith_jval key, value;
    uint64_t hash;
} ith_jentry;

/* In order of insertion. */
typedef struct ith_jdict {
    ith_jentry *entries;
    size_t n, cap;
    uint32_t *index; /* [n_index] entry + 1; NULL while small */
    size_t n_index;
    unsigned char origin;
} ith_jdict;

/* cycler and joiner */
typedef struct ith_jcycle {
    ith_jval *items;
    size_t n, at;
    bool used;
} ith_jcycle;

typedef struct ith_jmethod {
    ith_jval self;
    const struct ith_jbuiltin *function;
} ith_jmethod;

ith_jval ith_jnone(void);
ith_jval ith_jbool(bool truth);
ith_jval ith_jint(int64_t i);
ith_jval ith_jfloat(double f);
ith_jval ith_jstring(ith_jstr *s);
ith_jval ith_jbound(ith_jrun *run, ith_jval self, const struct ith_jbuiltin *function);
ith_jval ith_jundefined(const char *missing); /* a text in the arena, or a constant */
ith_jval ith_jundefined_name(ith_jrun *run, const ith_jstr *name); /* "'x' is undefined" */
/* "'dict object' has no attribute 'x'" */
ith_jval ith_jmissing(ith_jrun *run, ith_jval owner, ith_jval name);

ith_jlist *ith_jlist_new(ith_jrun *run, size_t cap, ith_jorigin origin);
void ith_jlist_add(ith_jrun *run, ith_jlist *list, ith_jval item);
ith_jval ith_jlist_value(ith_jlist *list, ith_jkind kind);
ith_jval ith_jpair(ith_jrun *run, ith_jval a, ith_jval b, ith_jorigin origin); /* a tuple */
bool ith_jis_list(ith_jval v); /* list, tuple, range, view or iterator */

ith_jdict *ith_jdict_new(ith_jrun *run, ith_jorigin origin);
ith_jval ith_jdict_value(ith_jdict *dict);
void ith_jdict_set(ith_jrun *run, ith_jdict *dict, ith_jval key, ith_jval value);
/* NULL: there is none. A key that cannot be hashed is an error. */
ith_jval *ith_jdict_get(ith_jrun *run, const ith_jdict *dict, ith_jval key);
bool ith_jhashable(ith_jrun *run, ith_jval v);
ith_jlist *ith_jdict_view(ith_jrun *run, const ith_jdict *dict, const char *view);

bool ith_jtruth(ith_jrun *run, ith_jval v);
bool ith_jequal(ith_jrun *run, ith_jval a, ith_jval b);

/* The order of two numbers, exactly; 2: one is nan. */
int ith_jcompare_numbers(ith_jval a, ith_jval b);
/* <0, 0, >0; fails where Python has no order, and for nan */
int ith_jcompare(ith_jrun *run, ith_jval a, ith_jval b);
/* Sorts by keys; equal ones stay in their order. in_lists: keys are compared as lists of one key,
 * so that equal ones need no order. */
void ith_jsort(ith_jrun *run, ith_jentry *entries, size_t n, bool reverse, bool in_lists);
bool ith_jis_number(ith_jval v);        /* bool, int or float */
bool ith_jis_integral(ith_jval v);      /* bool or int */
int64_t ith_jintegral(ith_jval v);      /* of a bool or int */
double ith_jreal(ith_jval v);           /* of a number */
const char *ith_jkind_name(ith_jval v); /* Python's name of the type */

/* The items that iteration gives; an iterator is used up. Fails for what is not iterable. */
ith_jlist *ith_jiterate(ith_jrun *run, ith_jval v);
/* len(): -1: it has none. */
int64_t ith_jlength(ith_jrun *run, ith_jval v);

ith_jval ith_jfrom_json(ith_jrun *run, const json_t *json, ith_jorigin origin);
/* The conversation's, but for the role of each message: own_roles in jinja.h. */
ith_jval ith_jfrom_messages(ith_jrun *run, const json_t *json);

#endif
