/* jfunctions.c - tests, and the functions that every template can call. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jcase.h"
#include "text/jinja/jprint.h"

#include <string.h>

/* ---- Tests ---- */

#define TEST(name, condition)                                                                      \
    static ith_jval name(ith_jrun *run, ith_jval v, const ith_jargs *args)                         \
    {                                                                                              \
        (void)run;                                                                                 \
        (void)args;                                                                                \
        return ith_jbool(condition);                                                               \
    }

#define COMPARE(name, operator)                                                                    \
    static ith_jval name(ith_jrun *run, ith_jval v, const ith_jargs *args)                         \
    {                                                                                              \
        return ith_jbool(ith_jholds(run, ith_jstr_text(run, operator), v, args->pos[0]));          \
    }

static bool has_remainder(ith_jrun *run, ith_jval v, ith_jval by, int64_t remainder)
{
    ith_jval rest = ith_jbinary(run, ith_jstr_text(run, "%"), v, by);

    return ith_jequal(run, rest, ith_jint(remainder));
}

static bool is_iterable(ith_jval v)
{
    return v.kind == ITH_J_UNDEFINED || v.kind == ITH_J_STRING || v.kind == ITH_J_DICT ||
           v.kind == ITH_J_LOOP || ith_jis_list(v);
}

static bool is_callable(ith_jval v)
{
    return v.kind == ITH_J_UNDEFINED || v.kind == ITH_J_MACRO || v.kind == ITH_J_FUNCTION ||
           v.kind == ITH_J_METHOD || v.kind == ITH_J_LOOP || v.kind == ITH_J_JOINER;
}

/* `is`. Whether equal texts and numbers are one object depends on Python's implementation, but for
 * integers from -5 to 256, which always are. */
static bool is_same(ith_jrun *run, ith_jval a, ith_jval b)
{
    if (a.kind != b.kind)
        return false;
    if (a.kind == ITH_J_NONE || a.kind == ITH_J_BOOL)
        return ith_jequal(run, a, b);
    if (a.kind == ITH_J_STRING ? a.as.str == b.as.str
                               : !ith_jis_number(a) && a.as.list == b.as.list)
        return true;
    if (a.kind == ITH_J_INT && a.as.i >= -5 && a.as.i <= 256)
        return a.as.i == b.as.i;
    if (a.kind == ITH_J_UNDEFINED ||
        ((ith_jis_number(a) || a.kind == ITH_J_STRING) && ith_jequal(run, a, b)))
        ith_jrun_fail(run, ITH_E_UNSUPPORTED,
                      "sameas: only none, truth values, small integers, lists and dicts");
    return false;
}

TEST(t_defined, v.kind != ITH_J_UNDEFINED)
TEST(t_undefined, v.kind == ITH_J_UNDEFINED)
TEST(t_none, v.kind == ITH_J_NONE)
TEST(t_boolean, v.kind == ITH_J_BOOL)
TEST(t_true, v.kind == ITH_J_BOOL && v.as.truth)
TEST(t_false, v.kind == ITH_J_BOOL && !v.as.truth)
TEST(t_integer, v.kind == ITH_J_INT)
TEST(t_float, v.kind == ITH_J_FLOAT)
TEST(t_number, ith_jis_number(v))
TEST(t_string, v.kind == ITH_J_STRING)
TEST(t_mapping, v.kind == ITH_J_DICT)
TEST(t_iterable, is_iterable(v))
TEST(t_sequence, ith_jlength(run, v) >= 0 && v.kind != ITH_J_VIEW)
TEST(t_callable, is_callable(v))
TEST(t_lower, ith_jstr_is_case(run, ith_jtext(run, v), false))
TEST(t_upper, ith_jstr_is_case(run, ith_jtext(run, v), true))
TEST(t_escaped, v.kind == ITH_J_STRING && v.as.str->safe)
TEST(t_odd, has_remainder(run, v, ith_jint(2), 1))
TEST(t_even, has_remainder(run, v, ith_jint(2), 0))
TEST(t_divisibleby, has_remainder(run, v, args->pos[0], 0))
TEST(t_sameas, is_same(run, v, args->pos[0]))
TEST(t_in, ith_jcontains(run, args->pos[0], v))
TEST(t_filter, v.kind == ITH_J_STRING && ith_jfilter(v.as.str) != NULL)
TEST(t_test, v.kind == ITH_J_STRING && ith_jtest(v.as.str) != NULL)
COMPARE(t_eq, "==")
COMPARE(t_ne, "!=")
COMPARE(t_lt, "<")
COMPARE(t_le, "<=")
COMPARE(t_gt, ">")
COMPARE(t_ge, ">=")

const ith_jbuiltin ith_jtests[] = {
    {"defined", t_defined, "", 0},
    {"undefined", t_undefined, "", 0},
    {"none", t_none, "", 0},
    {"boolean", t_boolean, "", 0},
    {"true", t_true, "", 0},
    {"false", t_false, "", 0},
    {"integer", t_integer, "", 0},
    {"float", t_float, "", 0},
    {"number", t_number, "", 0},
    {"string", t_string, "", 0},
    {"mapping", t_mapping, "", 0},
    {"iterable", t_iterable, "", 0},
    {"sequence", t_sequence, "", 0},
    {"callable", t_callable, "", 0},
    {"lower", t_lower, "", 0},
    {"upper", t_upper, "", 0},
    {"escaped", t_escaped, "", 0},
    {"odd", t_odd, "", 0},
    {"even", t_even, "", 0},
    {"divisibleby", t_divisibleby, "num", 1},
    {"sameas", t_sameas, "other", 1},
    {"in", t_in, "seq", 1},
    {"filter", t_filter, "", 0},
    {"test", t_test, "", 0},
    {"eq", t_eq, "b", 1},
    {"==", t_eq, "b", 1},
    {"equalto", t_eq, "b", 1},
    {"ne", t_ne, "b", 1},
    {"!=", t_ne, "b", 1},
    {"lt", t_lt, "b", 1},
    {"<", t_lt, "b", 1},
    {"lessthan", t_lt, "b", 1},
    {"le", t_le, "b", 1},
    {"<=", t_le, "b", 1},
    {"gt", t_gt, "b", 1},
    {">", t_gt, "b", 1},
    {"greaterthan", t_gt, "b", 1},
    {"ge", t_ge, "b", 1},
    {">=", t_ge, "b", 1},
    {NULL, NULL, NULL, 0},
};

/* ---- Functions ---- */

/* As in Jinja2's sandbox. */
enum { RANGE_MAX = 100000 };

static ith_jval g_range(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *out = ith_jlist_new(run, 0, ITH_JTEMPLATE);
    int64_t bound[3] = {0, 0, 1}, i;

    (void)self;
    if (args->n < 1 || args->n > 3 || args->n_named > 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "range takes one to three integers");
    for (size_t k = 0; k < args->n; k++) {
        if (!ith_jis_integral(args->pos[k]))
            ith_jrun_fail(run, ITH_E_ARGUMENT, "range takes one to three integers");
        bound[args->n == 1 ? 1 : k] = ith_jintegral(args->pos[k]);
    }
    if (bound[2] == 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "the step of a range is 0");
    out->start = bound[0];
    out->stop = bound[1];
    out->step = bound[2];
    i = bound[0];
    while (bound[2] > 0 ? i < bound[1] : i > bound[1]) {
        if (out->n == RANGE_MAX)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "a range has more than %d items", RANGE_MAX);
        ith_jlist_add(run, out, ith_jint(i));
        if (__builtin_add_overflow(i, bound[2], &i))
            break;
    }
    return ith_jlist_value(out, ITH_J_RANGE);
}

/* dict(mapping or pairs, name=value, ...) */
static ith_jdict *make_dict(ith_jrun *run, const ith_jargs *args)
{
    ith_jdict *dict = ith_jdict_new(run, ITH_JTEMPLATE);

    if (args->n > 1)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a dict is made of at most one other");
    if (args->n == 1 && args->pos[0].kind == ITH_J_DICT) {
        const ith_jdict *from = args->pos[0].as.dict;
        dict->origin = from->origin;
        for (size_t i = 0; i < from->n; i++)
            ith_jdict_set(run, dict, from->entries[i].key, from->entries[i].value);
    } else if (args->n == 1) {
        const ith_jlist *pairs = ith_jiterate(run, args->pos[0]);
        dict->origin = pairs->origin;
        for (size_t i = 0; i < pairs->n; i++) {
            const ith_jlist *pair = ith_jiterate(run, pairs->items[i]);
            if (pair->n != 2)
                ith_jrun_fail(run, ITH_E_ARGUMENT, "a dict is made of pairs");
            ith_jdict_set(run, dict, pair->items[0], pair->items[1]);
        }
    }
    for (size_t i = 0; i < args->n_named; i++)
        ith_jdict_set(run, dict, ith_jstring((ith_jstr *)args->named[i].name),
                      args->named[i].value);
    return dict;
}

static ith_jval g_dict(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)self;
    return ith_jdict_value(make_dict(run, args));
}

static ith_jval g_namespace(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jdict *dict = make_dict(run, args);

    (void)self;
    for (size_t i = 0; i < dict->n; i++)
        if (dict->entries[i].key.kind == ITH_J_STRING && dict->entries[i].key.as.str->len > 0 &&
            dict->entries[i].key.as.str->data[0] == '_')
            ith_jrun_fail(run, ITH_E_ARGUMENT, "names in a namespace may not begin with \"_\"");
    return (ith_jval){.kind = ITH_J_NAMESPACE, .as.dict = dict};
}

static ith_jval g_raise_exception(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    const ith_jstr *text = ith_jtext(run, args->pos[0]);

    (void)self;
    ith_jrun_fail(run, ITH_E_ARGUMENT, "the template refuses the conversation: %.*s",
                  (int)(text->len < 500 ? text->len : 500), text->data);
}

static ith_jval g_strftime_now(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    const ith_jstr *format = ith_jarg_str(run, args->pos[0], NULL);
    char copy[200], out[1000];
    struct tm tm;
    size_t n;

    (void)self;
    if (format->len >= sizeof copy)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "the format of a date is too long");
    ith_jrun_step(run, 200);
    memcpy(copy, format->data, format->len);
    copy[format->len] = '\0';
    localtime_r(&run->now, &tm);
    n = strftime(out, sizeof out, copy, &tm);
    out[n] = '\0';
    return ith_jstring(ith_jstr_slice(
        run, ith_jstr_concat(run, ith_jstr_text(run, ""), ith_jstr_text(run, out)), 0, n));
}

static ith_jval make_cycle(ith_jrun *run, const ith_jval *items, size_t n, ith_jkind kind)
{
    ith_jcycle *cycle = ith_jrun_alloc(run, 1, sizeof *cycle);

    cycle->n = n;
    cycle->items = ith_jrun_alloc(run, n, sizeof *items);
    memcpy(cycle->items, items, n * sizeof *items);
    return (ith_jval){.kind = (unsigned char)kind, .as.cycle = cycle};
}

static ith_jval g_cycler(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)self;
    if (args->n == 0 || args->n_named > 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a cycler needs at least one item");
    return make_cycle(run, args->pos, args->n, ITH_J_CYCLER);
}

static ith_jval g_joiner(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval sep = ith_jstring(ith_jarg_str(run, args->pos[0], ", "));

    (void)self;
    return make_cycle(run, &sep, 1, ITH_J_JOINER);
}

const ith_jbuiltin ith_jfunctions[] = {
    {"range", g_range, "*", 0},
    {"dict", g_dict, "*", 0},
    {"namespace", g_namespace, "*", 0},
    {"raise_exception", g_raise_exception, "message", 1},
    {"strftime_now", g_strftime_now, "format", 1},
    {"cycler", g_cycler, "*", 0},
    {"joiner", g_joiner, "sep", 0},
    {NULL, NULL, NULL, 0},
};
