/* jvalue.c - making values, lists and dicts. */
#include "text/jinja/jvalue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

ith_jval ith_jnone(void)
{
    return (ith_jval){.kind = ITH_J_NONE};
}

ith_jval ith_jbool(bool truth)
{
    return (ith_jval){.kind = ITH_J_BOOL, .as.truth = truth};
}

ith_jval ith_jint(int64_t i)
{
    return (ith_jval){.kind = ITH_J_INT, .as.i = i};
}

ith_jval ith_jfloat(double f)
{
    return (ith_jval){.kind = ITH_J_FLOAT, .as.f = f};
}

ith_jval ith_jstring(ith_jstr *s)
{
    return (ith_jval){.kind = ITH_J_STRING, .as.str = s};
}

ith_jval ith_jbound(ith_jrun *run, ith_jval self, const struct ith_jbuiltin *function)
{
    ith_jmethod *method = ith_jrun_alloc(run, 1, sizeof *method);

    *method = (ith_jmethod){self, function};
    return (ith_jval){.kind = ITH_J_METHOD, .as.method = method};
}

ith_jval ith_jundefined(const char *missing)
{
    return (ith_jval){.kind = ITH_J_UNDEFINED, .as.missing = missing};
}

ith_jval ith_jundefined_name(ith_jrun *run, const ith_jstr *name)
{
    char *text = ith_jrun_alloc(run, 100, 1);

    snprintf(text, 100, "'%.*s' is undefined", (int)(name->len < 80 ? name->len : 80), name->data);
    return ith_jundefined(text);
}

ith_jval ith_jmissing(ith_jrun *run, ith_jval owner, ith_jval name)
{
    char *text = ith_jrun_alloc(run, 160, 1);

    if (name.kind == ITH_J_STRING)
        snprintf(text, 160, "'%s object' has no attribute '%.*s'", ith_jkind_name(owner),
                 (int)(name.as.str->len < 80 ? name.as.str->len : 80), name.as.str->data);
    else
        snprintf(text, 160, "%s object has no such element", ith_jkind_name(owner));
    return ith_jundefined(text);
}

ith_jlist *ith_jlist_new(ith_jrun *run, size_t cap, ith_jorigin origin)
{
    ith_jlist *list = ith_jrun_alloc(run, 1, sizeof *list);

    list->cap = cap;
    list->items = ith_jrun_alloc(run, cap, sizeof *list->items);
    list->origin = (unsigned char)origin;
    return list;
}

void ith_jlist_add(ith_jrun *run, ith_jlist *list, ith_jval item)
{
    ith_jrun_step(run, 1);
    if (list->n == list->cap) {
        size_t cap = list->cap < 4 ? 8 : 2 * list->cap;
        ith_jval *items = ith_jrun_alloc(run, cap, sizeof *items);
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = item;
}

ith_jval ith_jlist_value(ith_jlist *list, ith_jkind kind)
{
    return (ith_jval){.kind = (unsigned char)kind, .as.list = list};
}

ith_jval ith_jpair(ith_jrun *run, ith_jval a, ith_jval b, ith_jorigin origin)
{
    ith_jlist *pair = ith_jlist_new(run, 2, origin);

    ith_jlist_add(run, pair, a);
    ith_jlist_add(run, pair, b);
    return ith_jlist_value(pair, ITH_J_TUPLE);
}

bool ith_jis_list(ith_jval v)
{
    return v.kind >= ITH_J_LIST && v.kind <= ITH_J_ITERATOR;
}

/* ---- Kinds ---- */

bool ith_jis_number(ith_jval v)
{
    return v.kind == ITH_J_BOOL || v.kind == ITH_J_INT || v.kind == ITH_J_FLOAT;
}

bool ith_jis_integral(ith_jval v)
{
    return v.kind == ITH_J_BOOL || v.kind == ITH_J_INT;
}

int64_t ith_jintegral(ith_jval v)
{
    return v.kind == ITH_J_BOOL ? v.as.truth : v.as.i;
}

double ith_jreal(ith_jval v)
{
    return v.kind == ITH_J_FLOAT ? v.as.f : (double)ith_jintegral(v);
}

const char *ith_jkind_name(ith_jval v)
{
    static const char *const names[] = {
        [ITH_J_ABSENT] = "nothing",    [ITH_J_UNDEFINED] = "Undefined",
        [ITH_J_NONE] = "NoneType",     [ITH_J_BOOL] = "bool",
        [ITH_J_INT] = "int",           [ITH_J_FLOAT] = "float",
        [ITH_J_STRING] = "str",        [ITH_J_LIST] = "list",
        [ITH_J_TUPLE] = "tuple",       [ITH_J_RANGE] = "range",
        [ITH_J_VIEW] = "dict view",    [ITH_J_ITERATOR] = "generator",
        [ITH_J_DICT] = "dict",         [ITH_J_NAMESPACE] = "Namespace",
        [ITH_J_LOOP] = "LoopContext",  [ITH_J_MACRO] = "Macro",
        [ITH_J_FUNCTION] = "function", [ITH_J_METHOD] = "method",
        [ITH_J_CYCLER] = "Cycler",     [ITH_J_JOINER] = "Joiner",
    };

    return names[v.kind];
}
