/* jcompare.c - truth, equality, order and length, as Python has them. */
#include "text/jinja/jvalue.h"

#include <math.h>
#include <string.h>

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

int64_t ith_jlength(ith_jrun *run, ith_jval v)
{
    switch (v.kind) {
    case ITH_J_UNDEFINED:
        return 0;
    case ITH_J_STRING:
        return (int64_t)ith_jstr_chars(run, v.as.str);
    case ITH_J_LIST:
    case ITH_J_TUPLE:
    case ITH_J_RANGE:
    case ITH_J_VIEW:
        return (int64_t)v.as.list->n;
    case ITH_J_DICT:
        return (int64_t)v.as.dict->n;
    default:
        return -1;
    }
}

bool ith_jtruth(ith_jrun *run, ith_jval v)
{
    switch (v.kind) {
    case ITH_J_NONE:
        return false;
    case ITH_J_BOOL:
        return v.as.truth;
    case ITH_J_INT:
        return v.as.i != 0;
    case ITH_J_FLOAT:
        return v.as.f != 0;
    case ITH_J_STRING:
        return v.as.str->len != 0;
    default:
        return ith_jlength(run, v) != 0;
    }
}

/* Exactly, though a double cannot hold every integer. nan compares as 2. */
static int compare_int_float(int64_t i, double f)
{
    double whole;

    if (isnan(f))
        return 2;
    if (f >= 0x1p63)
        return -1;
    if (f < -0x1p63)
        return 1;
    whole = floor(f);
    if (i != (int64_t)whole)
        return i < (int64_t)whole ? -1 : 1;
    return f > whole ? -1 : 0;
}

static int compare_numbers(ith_jval a, ith_jval b)
{
    int order;

    if (ith_jis_integral(a) && ith_jis_integral(b))
        return (ith_jintegral(a) > ith_jintegral(b)) - (ith_jintegral(a) < ith_jintegral(b));
    if (a.kind == ITH_J_FLOAT && b.kind == ITH_J_FLOAT)
        return isnan(a.as.f) || isnan(b.as.f) ? 2 : (a.as.f > b.as.f) - (a.as.f < b.as.f);
    if (b.kind == ITH_J_FLOAT)
        return compare_int_float(ith_jintegral(a), b.as.f);
    order = compare_int_float(ith_jintegral(b), a.as.f);
    return order == 2 ? 2 : -order;
}

static bool equal_lists(ith_jrun *run, const ith_jlist *a, const ith_jlist *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!ith_jequal(run, a->items[i], b->items[i]))
            return false;
    return true;
}

static bool equal_dicts(ith_jrun *run, const ith_jdict *a, const ith_jdict *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        ith_jval *other = ith_jdict_get(run, b, a->entries[i].key);
        if (other == NULL || !ith_jequal(run, a->entries[i].value, *other))
            return false;
    }
    return true;
}

bool ith_jequal(ith_jrun *run, ith_jval a, ith_jval b)
{
    bool equal;

    ith_jrun_step(run, 1);
    if (ith_jis_number(a) && ith_jis_number(b))
        return compare_numbers(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    ith_jrun_enter(run);
    switch (a.kind) {
    case ITH_J_UNDEFINED:
    case ITH_J_NONE:
        equal = true;
        break;
    case ITH_J_STRING:
        ith_jrun_step(run, a.as.str->len / 64);
        equal = ith_jstr_equal(a.as.str, b.as.str);
        break;
    case ITH_J_VIEW:
    case ITH_J_LIST:
    case ITH_J_TUPLE:
    case ITH_J_RANGE:
        equal = equal_lists(run, a.as.list, b.as.list);
        break;
    case ITH_J_DICT:
        equal = equal_dicts(run, a.as.dict, b.as.dict);
        break;
    default:
        equal = a.as.dict == b.as.dict;
    }
    ith_jrun_exit(run);
    return equal;
}

static int compare_strings(const ith_jstr *a, const ith_jstr *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->data, b->data, n);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

int ith_jcompare(ith_jrun *run, ith_jval a, ith_jval b)
{
    ith_jrun_step(run, 1);
    if (ith_jis_number(a) && ith_jis_number(b))
        return compare_numbers(a, b);
    if (a.kind == ITH_J_STRING && b.kind == ITH_J_STRING) {
        ith_jrun_step(run, a.as.str->len / 64);
        return compare_strings(a.as.str, b.as.str);
    }
    if (a.kind == b.kind && (a.kind == ITH_J_LIST || a.kind == ITH_J_TUPLE)) {
        const ith_jlist *x = a.as.list, *y = b.as.list;
        int order = (x->n > y->n) - (x->n < y->n);
        ith_jrun_enter(run);
        for (size_t i = 0; i < x->n && i < y->n; i++)
            if (!ith_jequal(run, x->items[i], y->items[i])) {
                order = ith_jcompare(run, x->items[i], y->items[i]);
                break;
            }
        ith_jrun_exit(run);
        return order;
    }
    if (a.kind == ITH_J_UNDEFINED || b.kind == ITH_J_UNDEFINED)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s",
                      a.kind == ITH_J_UNDEFINED ? a.as.missing : b.as.missing);
    ith_jrun_fail(run, ITH_E_ARGUMENT, "%s and %s have no order", ith_jkind_name(a),
                  ith_jkind_name(b));
}

/* ---- Sorting ---- */

typedef struct sorting {
    ith_jrun *run;
    ith_jentry *scratch;
    bool reverse, in_lists;
} sorting;

static bool before(const sorting *s, ith_jval a, ith_jval b)
{
    return !(s->in_lists && ith_jequal(s->run, a, b)) && ith_jcompare(s->run, a, b) < 0;
}

static void merge(const sorting *s, ith_jentry *entries, size_t n)
{
    size_t half = n / 2, a = 0, b = half, at = 0;

    if (n < 2)
        return;
    merge(s, entries, half);
    merge(s, entries + half, n - half);
    while (a < half && b < n) {
        bool swap = s->reverse ? before(s, entries[a].key, entries[b].key)
                               : before(s, entries[b].key, entries[a].key);
        s->scratch[at++] = swap ? entries[b++] : entries[a++];
    }
    while (a < half)
        s->scratch[at++] = entries[a++];
    memcpy(entries, s->scratch, at * sizeof *entries);
}

void ith_jsort(ith_jrun *run, ith_jentry *entries, size_t n, bool reverse, bool in_lists)
{
    sorting s = {.run = run,
                 .scratch = ith_jrun_alloc(run, n, sizeof *s.scratch),
                 .reverse = reverse,
                 .in_lists = in_lists};

    merge(&s, entries, n);
}

/* ---- Iterating ---- */

static ith_jlist *characters(ith_jrun *run, const ith_jstr *s)
{
    ith_jlist *list = ith_jlist_new(run, s->len, ITH_JTEMPLATE);
    size_t width;

    for (size_t at = 0; at < s->len; at += width) {
        ith_jstr *letter;
        ith_jstr_code(s, at, &width);
        letter = ith_jstr_slice(run, s, at, at + width);
        letter->safe = false;
        ith_jlist_add(run, list, ith_jstring(letter));
    }
    return list;
}

ith_jlist *ith_jiterate(ith_jrun *run, ith_jval v)
{
    ith_jlist *rest;

    switch (v.kind) {
    case ITH_J_UNDEFINED:
        return ith_jlist_new(run, 0, ITH_JTEMPLATE);
    case ITH_J_STRING:
        return characters(run, v.as.str);
    case ITH_J_LIST:
    case ITH_J_TUPLE:
    case ITH_J_RANGE:
    case ITH_J_VIEW:
        return v.as.list;
    case ITH_J_ITERATOR:
        rest = ith_jlist_new(run, 0, v.as.list->origin);
        rest->items = v.as.list->items + v.as.list->read;
        rest->n = rest->cap = v.as.list->n - v.as.list->read;
        v.as.list->read = v.as.list->n;
        return rest;
    case ITH_J_DICT:
        return ith_jdict_view(run, v.as.dict, "dict_keys");
    default:
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be iterated", ith_jkind_name(v));
    }
}
