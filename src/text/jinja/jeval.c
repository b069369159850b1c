/* jeval.c - expressions, and calls. */
#include "text/jinja/jeval.h"
#include "text/jinja/jaccess.h"
#include "text/jinja/jloop.h"
#include "text/jinja/jprint.h"

#include <stdio.h>
#include <string.h>

/* ---- Names ---- */

ith_jscope *ith_jscope_new(ith_jrun *run, ith_jscope *outer)
{
    ith_jscope *scope = ith_jrun_alloc(run, 1, sizeof *scope);

    scope->outer = outer;
    return scope;
}

static ith_jvar *find_var(const ith_jscope *scope, const ith_jstr *name)
{
    for (size_t i = 0; i < scope->n; i++)
        if (scope->vars[i].name == name || ith_jstr_equal(scope->vars[i].name, name))
            return &scope->vars[i];
    return NULL;
}

void ith_jscope_set(ith_jrun *run, ith_jscope *scope, const ith_jstr *name, ith_jval value)
{
    ith_jvar *var = find_var(scope, name);

    ith_jrun_step(run, scope->n / 8);
    if (var != NULL) {
        var->value = value;
        return;
    }
    if (scope->n == scope->cap) {
        size_t cap = scope->cap == 0 ? 4 : 2 * scope->cap;
        ith_jvar *vars = ith_jrun_alloc(run, cap, sizeof *vars);
        if (scope->n > 0)
            memcpy(vars, scope->vars, scope->n * sizeof *vars);
        scope->vars = vars;
        scope->cap = cap;
    }
    scope->vars[scope->n++] = (ith_jvar){name, value};
}

void ith_jscope_hide(ith_jrun *run, ith_jscope *scope, const ith_jbody *body)
{
    for (size_t i = 0; body->hidden != NULL && i < body->hidden->n; i++) {
        const ith_jstr *name = body->hidden->entries[i].key.as.str;
        if (find_var(scope, name) == NULL)
            ith_jscope_set(run, scope, name, body->hidden->entries[i].value);
    }
}

static ith_jval eval_name(ith_jrun *run, const ith_jstr *name)
{
    const ith_jbuiltin *function;

    for (const ith_jscope *scope = run->scope; scope != NULL; scope = scope->outer) {
        const ith_jvar *var = find_var(scope, name);
        ith_jrun_step(run, 1 + scope->n / 8);
        if (var != NULL)
            return var->value;
    }
    function = ith_jfunction(name);
    if (function != NULL)
        return (ith_jval){.kind = ITH_J_FUNCTION, .as.function = function};
    return ith_jundefined_name(run, name);
}

/* ---- Calls ---- */

static void add_named(ith_jrun *run, ith_jargs *args, size_t *cap, ith_jnamed named)
{
    ith_jrun_step(run, 1 + args->n_named / 4);
    for (size_t i = 0; i < args->n_named; i++)
        if (ith_jstr_equal(args->named[i].name, named.name))
            ith_jrun_fail(run, ITH_E_ARGUMENT, "an argument is given twice");
    if (args->n_named == *cap) {
        *cap = *cap == 0 ? 4 : 2 * *cap;
        ith_jnamed *more = ith_jrun_alloc(run, *cap, sizeof *more);
        if (args->n_named > 0)
            memcpy(more, args->named, args->n_named * sizeof *more);
        args->named = more;
    }
    args->named[args->n_named++] = named;
}

static void spread_named(ith_jrun *run, ith_jargs *args, size_t *cap, ith_jval v)
{
    if (v.kind != ITH_J_DICT)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "only a dict can follow ** in a call");
    for (size_t i = 0; i < v.as.dict->n; i++) {
        const ith_jentry *entry = &v.as.dict->entries[i];
        add_named(run, args, cap, (ith_jnamed){ith_jarg_str(run, entry->key, NULL), entry->value});
    }
}

static ith_jargs eval_args(ith_jrun *run, const ith_jnode *call)
{
    ith_jlist *pos = ith_jlist_new(run, call->n_args, ITH_JTEMPLATE);
    ith_jargs args = {0};
    size_t cap = 0;

    for (size_t i = 0; i < call->n_args; i++) {
        const ith_jstr *name = call->args[i].name;
        ith_jval v = ith_jeval(run, call->args[i].value);
        if (name == NULL) {
            ith_jlist_add(run, pos, v);
        } else if (ith_jstr_is(name, "*")) {
            ith_jlist *list = ith_jiterate(run, v);
            for (size_t k = 0; k < list->n; k++)
                ith_jlist_add(run, pos, list->items[k]);
        } else if (ith_jstr_is(name, "**")) {
            spread_named(run, &args, &cap, v);
        } else {
            add_named(run, &args, &cap, (ith_jnamed){name, v});
        }
    }
    args.pos = pos->items;
    args.n = pos->n;
    return args;
}

static ith_jval call_value(ith_jrun *run, ith_jval callee, const ith_jargs *args)
{
    switch (callee.kind) {
    case ITH_J_MACRO:
        return ith_jmacro_call(run, callee.as.macro, args);
    case ITH_J_FUNCTION:
        return ith_jbuiltin_call(run, callee.as.function, ith_jnone(), args);
    case ITH_J_METHOD:
        return ith_jbuiltin_call(run, callee.as.method->function, callee.as.method->self, args);
    case ITH_J_LOOP:
        return ith_jloop_call(run, callee, args);
    case ITH_J_JOINER:
        return ith_jjoiner_call(run, callee);
    case ITH_J_UNDEFINED:
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s", callee.as.missing);
    default:
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be called", ith_jkind_name(callee));
    }
}

ith_jval ith_jeval_call(ith_jrun *run, const ith_jnode *call, const ith_jval *caller)
{
    ith_jval callee = ith_jeval(run, call->a);
    ith_jargs args = eval_args(run, call);
    size_t cap = args.n_named;

    if (caller != NULL)
        add_named(run, &args, &cap, (ith_jnamed){ith_jstr_text(run, "caller"), *caller});
    run->line = call->line;
    return call_value(run, callee, &args);
}

ith_jval ith_jeval_filter(ith_jrun *run, const ith_jnode *node, ith_jval self)
{
    const ith_jbuiltin *filter = ith_jneed_filter(run, node->name);
    ith_jargs args;

    if (node->a != NULL)
        self = ith_jeval_filter(run, node->a, self);
    args = eval_args(run, node);
    return ith_jbuiltin_call(run, filter, self, &args);
}

static ith_jval eval_filter(ith_jrun *run, const ith_jnode *node)
{
    ith_jval self = ith_jeval(run, node->a);
    ith_jargs args = eval_args(run, node);

    return ith_jbuiltin_call(run, ith_jneed_filter(run, node->name), self, &args);
}

static ith_jval eval_test(ith_jrun *run, const ith_jnode *node)
{
    ith_jval self = ith_jeval(run, node->a);
    ith_jargs args = eval_args(run, node);

    return ith_jbuiltin_call(run, ith_jneed_test(run, node->name), self, &args);
}

/* ---- Expressions ---- */

static ith_jval eval_items(ith_jrun *run, const ith_jnode *node, ith_jkind kind)
{
    ith_jlist *list = ith_jlist_new(run, node->items.n, ITH_JTEMPLATE);

    for (size_t i = 0; i < node->items.n; i++)
        ith_jlist_add(run, list, ith_jeval(run, node->items.nodes[i]));
    return ith_jlist_value(list, kind);
}

static ith_jval eval_dict(ith_jrun *run, const ith_jnode *node)
{
    ith_jdict *dict = ith_jdict_new(run, ITH_JTEMPLATE);

    for (size_t i = 0; i + 1 < node->items.n; i += 2) {
        ith_jval key = ith_jeval(run, node->items.nodes[i]);
        ith_jdict_set(run, dict, key, ith_jeval(run, node->items.nodes[i + 1]));
    }
    return ith_jdict_value(dict);
}

static ith_jval eval_slice(ith_jrun *run, const ith_jnode *node)
{
    ith_jval owner = ith_jeval(run, node->a), bound[3] = {{0}};

    for (size_t i = 0; i < 3; i++)
        if (node->items.nodes[i] != NULL)
            bound[i] = ith_jeval(run, node->items.nodes[i]);
    return ith_jslice(run, owner, bound[0], bound[1], bound[2]);
}

static ith_jval eval_concat(ith_jrun *run, const ith_jnode *node)
{
    ith_jstr *s = ith_jtext(run, ith_jeval(run, node->items.nodes[0]));

    for (size_t i = 1; i < node->items.n; i++)
        s = ith_jstr_concat(run, s, ith_jtext(run, ith_jeval(run, node->items.nodes[i])));
    return ith_jstring(s);
}

static ith_jval eval_compare(ith_jrun *run, const ith_jnode *node)
{
    ith_jval left = ith_jeval(run, node->a);

    for (size_t i = 0; i < node->n_args; i++) {
        ith_jval right = ith_jeval(run, node->args[i].value);
        if (!ith_jholds(run, node->args[i].name, left, right))
            return ith_jbool(false);
        left = right;
    }
    return ith_jbool(true);
}

static ith_jval eval_choice(ith_jrun *run, const ith_jnode *node)
{
    if (ith_jtruth(run, ith_jeval(run, node->b)))
        return ith_jeval(run, node->a);
    if (node->c != NULL)
        return ith_jeval(run, node->c);
    return ith_jundefined("an inline if has no else");
}

static ith_jval eval_plus(ith_jrun *run, ith_jval v)
{
    if (v.kind == ITH_J_FLOAT)
        return v;
    return ith_jnegate(run, ith_jnegate(run, v));
}

/* `and` and `or` give the operand that decides. */
static ith_jval eval_logic(ith_jrun *run, const ith_jnode *node, bool stop)
{
    ith_jval a = ith_jeval(run, node->a);

    return ith_jtruth(run, a) == stop ? a : ith_jeval(run, node->b);
}

static ith_jval eval_binary(ith_jrun *run, const ith_jnode *node)
{
    ith_jval a = ith_jeval(run, node->a), b = ith_jeval(run, node->b);

    run->line = node->line;
    return ith_jbinary(run, node->name, a, b);
}

static ith_jval eval_kind(ith_jrun *run, const ith_jnode *node)
{
    ith_jval a;

    switch (node->kind) {
    case ITH_JN_CONST:
        return node->value;
    case ITH_JN_NAME:
        return eval_name(run, node->name);
    case ITH_JN_LIST:
        return eval_items(run, node, ITH_J_LIST);
    case ITH_JN_TUPLE:
        return eval_items(run, node, ITH_J_TUPLE);
    case ITH_JN_DICT:
        return eval_dict(run, node);
    case ITH_JN_ATTR:
        return ith_jattr(run, ith_jeval(run, node->a), node->name);
    case ITH_JN_ITEM:
        a = ith_jeval(run, node->a);
        return ith_jitem(run, a, ith_jeval(run, node->b));
    case ITH_JN_SLICE:
        return eval_slice(run, node);
    case ITH_JN_CALL:
        return ith_jeval_call(run, node, NULL);
    case ITH_JN_FILTER:
        return eval_filter(run, node);
    case ITH_JN_TEST:
        return eval_test(run, node);
    case ITH_JN_NOT:
        return ith_jbool(!ith_jtruth(run, ith_jeval(run, node->a)));
    case ITH_JN_NEGATE:
        return ith_jnegate(run, ith_jeval(run, node->a));
    case ITH_JN_PLUS:
        return eval_plus(run, ith_jeval(run, node->a));
    case ITH_JN_AND:
        return eval_logic(run, node, false);
    case ITH_JN_OR:
        return eval_logic(run, node, true);
    case ITH_JN_BINARY:
        return eval_binary(run, node);
    case ITH_JN_CONCAT:
        return eval_concat(run, node);
    case ITH_JN_COMPARE:
        return eval_compare(run, node);
    case ITH_JN_CHOICE:
        return eval_choice(run, node);
    default:
        ith_jrun_fail(run, ITH_E_FORMAT, "a statement stands where a value is expected");
    }
}

ith_jval ith_jeval(ith_jrun *run, const ith_jnode *node)
{
    ith_jval out;

    ith_jrun_enter(run);
    ith_jrun_step(run, 1);
    run->line = node->line;
    out = eval_kind(run, node);
    ith_jrun_exit(run);
    return out;
}
