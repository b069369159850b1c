/* jaccess.c - attributes, items and slices. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jloop.h"
#include "text/jinja/jprint.h"

static void refuse_undefined(ith_jrun *run, ith_jval v)
{
    if (v.kind == ITH_J_UNDEFINED)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s", v.as.missing);
}

/* What Python's getattr gives; absent: nothing. */
static ith_jval attribute(ith_jrun *run, ith_jval owner, const ith_jstr *name)
{
    const ith_jbuiltin *found;
    ith_jval *value;

    if (owner.kind == ITH_J_LOOP)
        return ith_jloop_attr(run, owner, name);
    if (owner.kind == ITH_J_CYCLER)
        return ith_jcycle_attr(run, owner, name);
    if (name->len > 1 && name->data[0] == '_' && name->data[1] == '_')
        ith_jrun_fail(run, ITH_E_ARGUMENT, "access to the attribute %.*s is unsafe",
                      (int)(name->len < 60 ? name->len : 60), name->data);
    if (owner.kind == ITH_J_NAMESPACE) {
        value = ith_jdict_get(run, owner.as.dict, ith_jstring((ith_jstr *)name));
        return value != NULL ? *value : (ith_jval){0};
    }
    found = ith_jmethod_of(run, owner, name);
    return found != NULL ? ith_jbound(run, owner, found) : (ith_jval){0};
}

/* What owner[key] gives; absent: nothing. */
static ith_jval subscript(ith_jrun *run, ith_jval owner, ith_jval key)
{
    int64_t i, n = ith_jlength(run, owner);
    ith_jval *value;
    size_t begin;

    if (owner.kind == ITH_J_DICT) {
        value = ith_jhashable(run, key) ? ith_jdict_get(run, owner.as.dict, key) : NULL;
        return value != NULL ? *value : (ith_jval){0};
    }
    if (!ith_jis_integral(key) || (owner.kind != ITH_J_STRING && owner.kind != ITH_J_LIST &&
                                   owner.kind != ITH_J_TUPLE && owner.kind != ITH_J_RANGE))
        return (ith_jval){0};
    i = ith_jintegral(key);
    i += i < 0 ? n : 0;
    if (i < 0 || i >= n)
        return (ith_jval){0};
    if (owner.kind != ITH_J_STRING)
        return owner.as.list->items[i];
    ith_jrun_step(run, owner.as.str->len / 64);
    begin = ith_jstr_offset(run, owner.as.str, (size_t)i);
    return ith_jstring(ith_jstr_slice(run, owner.as.str, begin,
                                      ith_jstr_offset(run, owner.as.str, (size_t)i + 1)));
}

ith_jval ith_jattr(ith_jrun *run, ith_jval owner, const ith_jstr *name)
{
    ith_jval key = ith_jstring((ith_jstr *)name), out;

    refuse_undefined(run, owner);
    out = attribute(run, owner, name);
    if (out.kind == ITH_J_ABSENT)
        out = subscript(run, owner, key);
    return out.kind == ITH_J_ABSENT ? ith_jmissing(run, owner, key) : out;
}

ith_jval ith_jitem(ith_jrun *run, ith_jval owner, ith_jval key)
{
    ith_jval out;

    refuse_undefined(run, owner);
    out = subscript(run, owner, key);
    if (out.kind == ITH_J_ABSENT && key.kind == ITH_J_STRING)
        out = attribute(run, owner, key.as.str);
    return out.kind == ITH_J_ABSENT ? ith_jmissing(run, owner, key) : out;
}

/* Python's slice.indices for a start or stop. */
static int64_t bound(ith_jrun *run, ith_jval v, int64_t n, int64_t step, int64_t otherwise)
{
    int64_t i, low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;

    if (!ith_jgiven(v))
        return otherwise;
    i = ith_jarg_int(run, v, 0);
    if (i < 0)
        i += n;
    return i < low ? low : i > high ? high : i;
}

static ith_jval slice_string(ith_jrun *run, ith_jstr *s, int64_t start, int64_t stop, int64_t step)
{
    ith_jbuild build = {.run = run};

    ith_jrun_step(run, s->len / 64);
    if (step == 1) {
        size_t begin = ith_jstr_offset(run, s, (size_t)start);
        size_t end = ith_jstr_offset(run, s, (size_t)(stop > start ? stop : start));
        return ith_jstring(ith_jstr_slice(run, s, begin, end));
    }
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        size_t begin = ith_jstr_offset(run, s, (size_t)i),
               end = ith_jstr_offset(run, s, (size_t)i + 1);
        ith_jrun_step(run, 1 + (ith_jstr_chars(run, s) == s->len ? 0 : s->len / 32));
        ith_jbuild_slice(&build, s, begin, end);
    }
    return ith_jstring(ith_jbuild_end(&build));
}

ith_jval ith_jslice(ith_jrun *run, ith_jval owner, ith_jval start, ith_jval stop, ith_jval step)
{
    int64_t n = ith_jlength(run, owner), by = ith_jarg_int(run, step, 1), from, to;
    ith_jlist *out;

    refuse_undefined(run, owner);
    if (owner.kind != ITH_J_STRING && owner.kind != ITH_J_LIST && owner.kind != ITH_J_TUPLE &&
        owner.kind != ITH_J_RANGE)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be sliced", ith_jkind_name(owner));
    if (by == 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "the step of a slice is 0");
    by = by > n + 1 ? n + 1 : by < -n - 1 ? -n - 1 : by;
    from = bound(run, start, n, by, by < 0 ? n - 1 : 0);
    to = bound(run, stop, n, by, by < 0 ? -1 : n);
    if (owner.kind == ITH_J_STRING)
        return slice_string(run, owner.as.str, from, to, by);
    if (owner.kind == ITH_J_RANGE)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "slices of a range are not supported");
    out = ith_jlist_new(run, 0, owner.as.list->origin);
    for (int64_t i = from; by > 0 ? i < to : i > to; i += by)
        ith_jlist_add(run, out, owner.as.list->items[i]);
    return ith_jlist_value(out, owner.kind);
}

ith_jval ith_jpath(ith_jrun *run, ith_jval owner, ith_jval path)
{
    const ith_jstr *s;
    size_t begin = 0;

    if (path.kind != ITH_J_STRING)
        return ith_jgiven(path) ? ith_jitem(run, owner, path) : owner;
    s = path.as.str;
    for (size_t at = 0; at <= s->len; at++) {
        ith_jstr *name;
        int64_t number = 0;
        bool digits = at > begin && at - begin < 10;
        if (at < s->len && s->data[at] != '.')
            continue;
        name = ith_jstr_slice(run, s, begin, at);
        for (size_t i = 0; i < name->len && digits; i++) {
            digits = name->data[i] >= '0' && name->data[i] <= '9';
            number = number * 10 + (name->data[i] - '0');
        }
        owner = ith_jitem(run, owner, digits ? ith_jint(number) : ith_jstring(name));
        begin = at + 1;
    }
    return owner;
}

bool ith_jcontains(ith_jrun *run, ith_jval container, ith_jval item)
{
    ith_jlist *list;

    if (container.kind == ITH_J_STRING) {
        if (item.kind != ITH_J_STRING)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be in a string", ith_jkind_name(item));
        ith_jrun_step(run, container.as.str->len / 64);
        return ith_jstr_find(container.as.str, item.as.str, 0) != SIZE_MAX;
    }
    if (container.kind == ITH_J_DICT)
        return ith_jdict_get(run, container.as.dict, item) != NULL;
    list = ith_jiterate(run, container);
    for (size_t i = 0; i < list->n; i++)
        if (ith_jequal(run, list->items[i], item))
            return true;
    return false;
}
