/* jcompare.c - truth, order and length, as Python has them. */
#include "text/jinja/jvalue.h"

#include <math.h>
#include <string.h>

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
        return ith_jcompare_numbers(a, b);
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
