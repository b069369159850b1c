/* jlists.c - filters of lists. Those that Python writes as generators give iterators, which are
 * true even if empty and can be read once. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jcase.h"
#include "text/jinja/jprint.h"

#include <string.h>

static ith_jlist *fresh(ith_jrun *run, const ith_jlist *like)
{
    return ith_jlist_new(run, 0, like->origin);
}

static ith_jval iterator(ith_jlist *list)
{
    return ith_jlist_value(list, ITH_J_ITERATOR);
}

static ith_jval f_length(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    int64_t n = ith_jlength(run, self);

    (void)args;
    if (n < 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s has no length", ith_jkind_name(self));
    return ith_jint(n);
}

static ith_jval f_list(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jlist_value(ith_jiterate(run, self), ITH_J_LIST);
}

static ith_jval f_first(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list;

    (void)args;
    if (self.kind == ITH_J_ITERATOR) {
        list = self.as.list;
        return list->read < list->n ? list->items[list->read++]
                                    : ith_jundefined("No first item, sequence was empty.");
    }
    list = ith_jiterate(run, self);
    return list->n > 0 ? list->items[0] : ith_jundefined("No first item, sequence was empty.");
}

static ith_jval f_last(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list;

    (void)args;
    if (self.kind == ITH_J_ITERATOR)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a generator has no last item");
    list = ith_jiterate(run, self);
    return list->n > 0 ? list->items[list->n - 1]
                       : ith_jundefined("No last item, sequence was empty.");
}

static ith_jval f_join(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list = ith_jiterate(run, self);
    ith_jval d = args->pos[0];
    ith_jbuild build = {.run = run};

    for (size_t i = 0; i < list->n; i++) {
        ith_jval item = list->items[i];
        ith_jrun_step(run, 1);
        if (i > 0 && d.kind != ITH_J_ABSENT)
            ith_jprint(&build, d);
        ith_jprint(&build, ith_jgiven(args->pos[1]) ? ith_jpath(run, item, args->pos[1]) : item);
    }
    return ith_jstring(ith_jbuild_end(&build));
}

static ith_jval f_items(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    if (self.kind == ITH_J_UNDEFINED)
        return iterator(ith_jlist_new(run, 0, ITH_JTEMPLATE));
    if (self.kind != ITH_J_DICT)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "only a dict has items, not a %s", ith_jkind_name(self));
    return iterator(ith_jdict_view(run, self.as.dict, "dict_items"));
}

static ith_jval f_reverse(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval all = ith_jlist_value(ith_jiterate(run, self), ITH_J_LIST);

    (void)args;
    if (self.kind == ITH_J_STRING)
        return ith_jslice(run, self, (ith_jval){0}, (ith_jval){0}, ith_jint(-1));
    return iterator(ith_jslice(run, all, (ith_jval){0}, (ith_jval){0}, ith_jint(-1)).as.list);
}

/* ---- map, select, reject ---- */

static ith_jargs rest_of(const ith_jargs *args, size_t skip)
{
    return (ith_jargs){.pos = args->n > skip ? args->pos + skip : NULL,
                       .n = args->n > skip ? args->n - skip : 0,
                       .named = args->named,
                       .n_named = args->n_named};
}

static ith_jval map_attribute(ith_jrun *run, ith_jlist *list, const ith_jargs *args)
{
    ith_jlist *out = fresh(run, list);
    ith_jval attribute = {0}, otherwise = {0};

    for (size_t i = 0; i < args->n_named; i++)
        if (ith_jstr_is(args->named[i].name, "attribute"))
            attribute = args->named[i].value;
        else if (ith_jstr_is(args->named[i].name, "default"))
            otherwise = args->named[i].value;
    if (attribute.kind == ITH_J_ABSENT)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "map requires a filter or an attribute");
    for (size_t i = 0; i < list->n; i++) {
        ith_jval v = ith_jpath(run, list->items[i], attribute);
        ith_jlist_add(run, out, v.kind == ITH_J_UNDEFINED && ith_jgiven(otherwise) ? otherwise : v);
    }
    return iterator(out);
}

static ith_jval f_map(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list, *out;
    const ith_jbuiltin *filter;
    ith_jargs rest = rest_of(args, 1);

    if (!ith_jtruth(run, self))
        return iterator(ith_jlist_new(run, 0, ITH_JTEMPLATE));
    list = ith_jiterate(run, self);
    if (args->n == 0)
        return map_attribute(run, list, args);
    filter = ith_jneed_filter(run, ith_jarg_str(run, args->pos[0], NULL));
    out = fresh(run, list);
    for (size_t i = 0; i < list->n; i++)
        ith_jlist_add(run, out, ith_jbuiltin_call(run, filter, list->items[i], &rest));
    return iterator(out);
}

static ith_jval select_items(ith_jrun *run, ith_jval self, const ith_jargs *args, bool by_attribute,
                             bool keep)
{
    size_t skip = by_attribute ? 1 : 0;
    ith_jargs rest = rest_of(args, skip + 1);
    const ith_jbuiltin *test = NULL;
    ith_jlist *list, *out;

    if (!ith_jtruth(run, self))
        return iterator(ith_jlist_new(run, 0, ITH_JTEMPLATE));
    if (args->n < skip)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "the name of the attribute is missing");
    if (args->n > skip)
        test = ith_jneed_test(run, ith_jarg_str(run, args->pos[skip], NULL));
    list = ith_jiterate(run, self);
    out = fresh(run, list);
    for (size_t i = 0; i < list->n; i++) {
        ith_jval v = by_attribute ? ith_jpath(run, list->items[i], args->pos[0]) : list->items[i];
        if (test != NULL)
            v = ith_jbuiltin_call(run, test, v, &rest);
        if (ith_jtruth(run, v) == keep)
            ith_jlist_add(run, out, list->items[i]);
    }
    return iterator(out);
}

static ith_jval f_select(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return select_items(run, self, args, false, true);
}

static ith_jval f_reject(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return select_items(run, self, args, false, false);
}

static ith_jval f_selectattr(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return select_items(run, self, args, true, true);
}

static ith_jval f_rejectattr(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return select_items(run, self, args, true, false);
}

/* ---- Order ---- */

typedef struct ordering {
    ith_jval attribute;
    ith_jval otherwise; /* for what has no such attribute */
    bool case_counts, reverse;
    bool in_lists; /* ith_jsort */
} ordering;

static ith_jval attribute_of(ith_jrun *run, ith_jval item, const ordering *how)
{
    item = ith_jpath(run, item, how->attribute);
    return item.kind == ITH_J_UNDEFINED && ith_jgiven(how->otherwise) ? how->otherwise : item;
}

/* What an item is ordered by: its attribute, in lower case unless case counts. */
static ith_jval sort_key(ith_jrun *run, ith_jval item, const ordering *how)
{
    item = attribute_of(run, item, how);
    if (item.kind == ITH_J_STRING && !how->case_counts)
        return ith_jstring(ith_jstr_case(run, item.as.str, ITH_JCASE_LOWER));
    return item;
}

static ith_jlist *sorted(ith_jrun *run, const ith_jlist *list, const ordering *how)
{
    ith_jval attribute = how->attribute;
    ith_jentry *items = ith_jrun_alloc(run, list->n, sizeof *items);
    ith_jlist *out = fresh(run, list);

    if (attribute.kind == ITH_J_STRING &&
        memchr(attribute.as.str->data, ',', attribute.as.str->len) != NULL)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "sorting by several attributes is not supported");
    for (size_t i = 0; i < list->n; i++)
        items[i] = (ith_jentry){.key = sort_key(run, list->items[i], how), .value = list->items[i]};
    ith_jsort(run, items, list->n, how->reverse, how->in_lists);
    for (size_t i = 0; i < list->n; i++)
        ith_jlist_add(run, out, items[i].value);
    return out;
}

static ith_jval f_sort(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ordering how = {.attribute = args->pos[2],
                    .case_counts = ith_jarg_bool(run, args->pos[1], false),
                    .reverse = ith_jarg_bool(run, args->pos[0], false),
                    .in_lists = true};

    return ith_jlist_value(sorted(run, ith_jiterate(run, self), &how), ITH_J_LIST);
}

static ith_jval f_dictsort(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jstr *by = ith_jarg_str(run, args->pos[1], "key");
    ordering how;

    if (self.kind != ITH_J_DICT)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "dictsort takes a dict, not a %s", ith_jkind_name(self));
    if (!ith_jstr_is(by, "key") && !ith_jstr_is(by, "value"))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "dictsort sorts by \"key\" or \"value\"");
    how = (ordering){.attribute = ith_jint(ith_jstr_is(by, "value")),
                     .case_counts = ith_jarg_bool(run, args->pos[0], false),
                     .reverse = ith_jarg_bool(run, args->pos[2], false)};
    return ith_jlist_value(sorted(run, ith_jdict_view(run, self.as.dict, "dict_items"), &how),
                           ITH_J_LIST);
}

static ith_jval f_unique(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list = ith_jiterate(run, self), *out = fresh(run, list);
    ith_jdict *seen = ith_jdict_new(run, ITH_JTEMPLATE);
    ordering how = {.attribute = args->pos[1],
                    .case_counts = ith_jarg_bool(run, args->pos[0], false)};

    for (size_t i = 0; i < list->n; i++) {
        ith_jval key = sort_key(run, list->items[i], &how);
        if (ith_jdict_get(run, seen, key) != NULL)
            continue;
        ith_jdict_set(run, seen, key, ith_jnone());
        ith_jlist_add(run, out, list->items[i]);
    }
    return iterator(out);
}

static ith_jval extreme(ith_jrun *run, ith_jval self, const ith_jargs *args, int sign)
{
    ith_jlist *list = ith_jiterate(run, self);
    ordering how = {.attribute = args->pos[1],
                    .case_counts = ith_jarg_bool(run, args->pos[0], false)};
    ith_jval best, key, best_key;

    if (list->n == 0)
        return ith_jundefined("No aggregated item, sequence was empty.");
    best = list->items[0];
    best_key = sort_key(run, best, &how);
    for (size_t i = 1; i < list->n; i++) {
        key = sort_key(run, list->items[i], &how);
        if (sign < 0 ? ith_jcompare(run, key, best_key) < 0
                     : ith_jcompare(run, best_key, key) < 0) {
            best = list->items[i];
            best_key = key;
        }
    }
    return best;
}

static ith_jval f_min(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return extreme(run, self, args, -1);
}

static ith_jval f_max(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    return extreme(run, self, args, 1);
}

static ith_jval f_sum(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list = ith_jiterate(run, self);
    ith_jval sum = args->pos[1].kind == ITH_J_ABSENT ? ith_jint(0) : args->pos[1];
    const ith_jstr *plus = ith_jstr_text(run, "+");

    for (size_t i = 0; i < list->n; i++)
        sum = ith_jbinary(run, plus, sum, ith_jpath(run, list->items[i], args->pos[0]));
    return sum;
}

/* ---- Groups ---- */

static ith_jval f_batch(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *list = ith_jiterate(run, self), *out = fresh(run, list), *group = NULL;
    int64_t size = ith_jarg_int(run, args->pos[0], 0);

    for (size_t i = 0; i < list->n; i++) {
        if (group == NULL || (int64_t)group->n == size) {
            group = fresh(run, list);
            ith_jlist_add(run, out, ith_jlist_value(group, ITH_J_LIST));
        }
        ith_jlist_add(run, group, list->items[i]);
    }
    while (group != NULL && ith_jgiven(args->pos[1]) && (int64_t)group->n < size)
        ith_jlist_add(run, group, args->pos[1]);
    return iterator(out);
}

static ith_jval f_groupby(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ordering how = {.attribute = args->pos[0],
                    .otherwise = args->pos[1],
                    .case_counts = ith_jarg_bool(run, args->pos[2], false)};
    ith_jlist *list = sorted(run, ith_jiterate(run, self), &how);
    ith_jlist *out = fresh(run, list), *group = NULL;
    ith_jval last = {0};

    for (size_t i = 0; i < list->n; i++) {
        ith_jval key = sort_key(run, list->items[i], &how);
        if (group == NULL || !ith_jequal(run, key, last)) {
            group = fresh(run, list);
            ith_jlist_add(run, out,
                          ith_jpair(run, attribute_of(run, list->items[i], &how),
                                    ith_jlist_value(group, ITH_J_LIST), list->origin));
        }
        last = key;
        ith_jlist_add(run, group, list->items[i]);
    }
    return ith_jlist_value(out, ITH_J_LIST);
}

const ith_jbuiltin ith_jlist_filters[] = {
    {"length", f_length, "", 0},
    {"count", f_length, "", 0},
    {"list", f_list, "", 0},
    {"first", f_first, "", 0},
    {"last", f_last, "", 0},
    {"join", f_join, "d attribute", 0},
    {"items", f_items, "", 0},
    {"reverse", f_reverse, "", 0},
    {"map", f_map, "*", 0},
    {"select", f_select, "*", 0},
    {"reject", f_reject, "*", 0},
    {"selectattr", f_selectattr, "*", 0},
    {"rejectattr", f_rejectattr, "*", 0},
    {"sort", f_sort, "reverse case_sensitive attribute", 0},
    {"dictsort", f_dictsort, "case_sensitive by reverse", 0},
    {"unique", f_unique, "case_sensitive attribute", 0},
    {"min", f_min, "case_sensitive attribute", 0},
    {"max", f_max, "case_sensitive attribute", 0},
    {"sum", f_sum, "attribute start", 0},
    {"batch", f_batch, "linecount fill_with", 1},
    {"groupby", f_groupby, "attribute default case_sensitive", 1},
    {NULL, NULL, NULL, 0},
};
