/* jbuiltin.c - finds and calls built-in functions. */
#include "text/jinja/jbuiltin.h"

#include <string.h>

bool ith_jgiven(ith_jval v)
{
    return v.kind != ITH_J_ABSENT && v.kind != ITH_J_NONE;
}

int64_t ith_jarg_int(ith_jrun *run, ith_jval v, int64_t otherwise)
{
    if (!ith_jgiven(v))
        return otherwise;
    if (!ith_jis_integral(v))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "expected an integer, not a %s", ith_jkind_name(v));
    return ith_jintegral(v);
}

bool ith_jarg_bool(ith_jrun *run, ith_jval v, bool otherwise)
{
    return v.kind == ITH_J_ABSENT ? otherwise : ith_jtruth(run, v);
}

ith_jstr *ith_jarg_str(ith_jrun *run, ith_jval v, const char *otherwise)
{
    if (!ith_jgiven(v) && otherwise != NULL)
        return ith_jstr_text(run, otherwise);
    if (v.kind != ITH_J_STRING)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "expected a string, not a %s", ith_jkind_name(v));
    return v.as.str;
}

/* The position of a parameter; -1: there is none of this name. */
static int param_at(const char *params, const ith_jstr *name)
{
    for (int i = 0; *params != '\0'; i++) {
        size_t n = strcspn(params, " ");
        if (n == name->len && memcmp(params, name->data, n) == 0)
            return i;
        params += n + (params[n] == ' ');
    }
    return -1;
}

static size_t count_params(const char *params)
{
    size_t n = *params != '\0';

    for (; *params != '\0'; params++)
        n += *params == ' ';
    return n;
}

ith_jval ith_jbuiltin_call(ith_jrun *run, const ith_jbuiltin *builtin, ith_jval self,
                           const ith_jargs *args)
{
    ith_jval bound[ITH_JPARAMS_MAX] = {{0}};
    size_t n = count_params(builtin->params);

    ith_jrun_step(run, 1);
    if (strcmp(builtin->params, "*") == 0)
        return builtin->call(run, self, args);
    if (args->n > n)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s takes at most %zu arguments", builtin->name, n);
    if (args->n > 0)
        memcpy(bound, args->pos, args->n * sizeof *bound);
    for (size_t i = 0; i < args->n_named; i++) {
        const ith_jstr *name = args->named[i].name;
        int at = param_at(builtin->params, name);
        if (at < 0 || bound[at].kind != ITH_J_ABSENT)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "%s does not take the argument %.*s", builtin->name,
                          (int)(name->len < 60 ? name->len : 60), name->data);
        bound[at] = args->named[i].value;
    }
    for (int i = 0; i < builtin->required; i++)
        if (bound[i].kind == ITH_J_ABSENT)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "%s lacks an argument", builtin->name);
    return builtin->call(run, self, &(ith_jargs){.pos = bound, .n = n});
}

static const ith_jbuiltin *find(const ith_jbuiltin *table, const ith_jstr *name)
{
    for (; table->name != NULL; table++)
        if (ith_jstr_is(name, table->name))
            return table;
    return NULL;
}

static const ith_jbuiltin *find_in_3(const ith_jbuiltin *a, const ith_jbuiltin *b,
                                     const ith_jbuiltin *c, const ith_jstr *name)
{
    const ith_jbuiltin *found = find(a, name);

    if (found == NULL)
        found = find(b, name);
    return found != NULL ? found : find(c, name);
}

const ith_jbuiltin *ith_jfilter(const ith_jstr *name)
{
    return find_in_3(ith_jtext_filters, ith_jlist_filters, ith_jvalue_filters, name);
}

const ith_jbuiltin *ith_jtest(const ith_jstr *name)
{
    return find(ith_jtests, name);
}

static const ith_jbuiltin *need(ith_jrun *run, const ith_jbuiltin *found, const char *kind,
                                const ith_jstr *name)
{
    if (found == NULL)
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "there is no %s \"%.*s\"", kind,
                      (int)(name->len < 60 ? name->len : 60), name->data);
    return found;
}

const ith_jbuiltin *ith_jneed_filter(ith_jrun *run, const ith_jstr *name)
{
    return need(run, ith_jfilter(name), "filter", name);
}

const ith_jbuiltin *ith_jneed_test(ith_jrun *run, const ith_jstr *name)
{
    return need(run, ith_jtest(name), "test", name);
}

const ith_jbuiltin *ith_jfunction(const ith_jstr *name)
{
    return find(ith_jfunctions, name);
}

/* ---- Methods of lists and dicts ---- */

static ith_jval dict_items(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jlist_value(ith_jdict_view(run, self.as.dict, "dict_items"), ITH_J_VIEW);
}

static ith_jval dict_keys(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jlist_value(ith_jdict_view(run, self.as.dict, "dict_keys"), ITH_J_VIEW);
}

static ith_jval dict_values(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)args;
    return ith_jlist_value(ith_jdict_view(run, self.as.dict, "dict_values"), ITH_J_VIEW);
}

static ith_jval dict_get(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jval *value = ith_jdict_get(run, self.as.dict, args->pos[0]);

    if (value != NULL)
        return *value;
    return args->pos[1].kind == ITH_J_ABSENT ? ith_jnone() : args->pos[1];
}

/* Dicts and lists never change, so a copy is the same. */
static ith_jval same(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)run;
    (void)args;
    return self;
}

static ith_jval list_count(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    int64_t n = 0;

    for (size_t i = 0; i < self.as.list->n; i++)
        n += ith_jequal(run, self.as.list->items[i], args->pos[0]);
    return ith_jint(n);
}

static ith_jval list_index(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    for (size_t i = 0; i < self.as.list->n; i++)
        if (ith_jequal(run, self.as.list->items[i], args->pos[0]))
            return ith_jint((int64_t)i);
    ith_jrun_fail(run, ITH_E_ARGUMENT, "index: the value is not in the list");
}

static const ith_jbuiltin dict_methods[] = {
    {"items", dict_items, "", 0},        {"keys", dict_keys, "", 0}, {"values", dict_values, "", 0},
    {"get", dict_get, "key default", 1}, {"copy", same, "", 0},      {NULL, NULL, NULL, 0},
};

static const ith_jbuiltin list_methods[] = {
    {"count", list_count, "value", 1},
    {"index", list_index, "value", 1},
    {NULL, NULL, NULL, 0},
};

static const ith_jbuiltin copy_method = {"copy", same, "", 0};

/* Methods and attributes that Python has beyond those above. */
static const char *names_beyond(ith_jval owner)
{
    switch (owner.kind) {
    case ITH_J_DICT:
        return " fromkeys ";
    case ITH_J_STRING:
        return " casefold encode expandtabs format_map isidentifier isprintable maketrans "
               "translate ";
    case ITH_J_INT:
    case ITH_J_BOOL:
        return " real imag numerator denominator bit_length bit_count conjugate to_bytes "
               "from_bytes as_integer_ratio ";
    case ITH_J_FLOAT:
        return " real imag is_integer conjugate hex fromhex as_integer_ratio ";
    case ITH_J_VIEW:
        return " mapping isdisjoint ";
    default:
        return "";
    }
}

static const char *names_that_modify(ith_jval owner)
{
    if (owner.kind == ITH_J_DICT)
        return " clear pop popitem setdefault update ";
    return owner.kind == ITH_J_LIST ? " append clear pop reverse insert sort extend remove " : "";
}

static bool lists(const char *names, const ith_jstr *name)
{
    char word[40];

    if (name->len > sizeof word - 3 || memchr(name->data, ' ', name->len) != NULL)
        return false;
    word[0] = ' ';
    memcpy(word + 1, name->data, name->len);
    memcpy(word + 1 + name->len, " ", 2);
    return name->len > 0 && strstr(names, word) != NULL;
}

const ith_jbuiltin *ith_jmethod_of(ith_jrun *run, ith_jval owner, const ith_jstr *name)
{
    const ith_jbuiltin *found = NULL;

    if (owner.kind == ITH_J_DICT)
        found = find(dict_methods, name);
    else if (owner.kind == ITH_J_STRING)
        found = find_in_3(ith_jstr_methods, ith_jsplit_methods, ith_jcase_methods, name);
    else if (owner.kind == ITH_J_LIST || owner.kind == ITH_J_TUPLE || owner.kind == ITH_J_RANGE)
        found = find(list_methods, name);
    if (owner.kind == ITH_J_LIST && ith_jstr_is(name, "copy"))
        found = &copy_method;
    if (lists(names_that_modify(owner), name))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s.%.*s would modify it, which templates may not",
                      ith_jkind_name(owner), (int)name->len, name->data);
    if (lists(names_beyond(owner), name))
        ith_jrun_fail(run, ITH_E_UNSUPPORTED, "%s.%.*s is not supported", ith_jkind_name(owner),
                      (int)name->len, name->data);
    return found;
}
