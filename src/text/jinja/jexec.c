/* jexec.c - statements, loops and macros. */
#include "text/jinja/jaccess.h"
#include "text/jinja/jeval.h"
#include "text/jinja/jloop.h"
#include "text/jinja/jprint.h"

#include <string.h>

/* ---- Assignment ---- */

static void assign_attr(ith_jrun *run, const ith_jnode *target, ith_jval value)
{
    ith_jval owner = ith_jeval(run, target->a);

    if (owner.kind != ITH_J_NAMESPACE)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "only attributes of a namespace can be set");
    if (target->name->data[0] == '_')
        ith_jrun_fail(run, ITH_E_ARGUMENT, "names in a namespace may not begin with \"_\"");
    ith_jdict_set(run, owner.as.dict, ith_jstring((ith_jstr *)target->name), value);
}

static void assign(ith_jrun *run, ith_jscope *scope, const ith_jnode *target, ith_jval value)
{
    const ith_jlist *list;

    if (target->kind == ITH_JN_ATTR) {
        assign_attr(run, target, value);
    } else if (target->kind == ITH_JN_NAME) {
        ith_jscope_set(run, scope, target->name, value);
    } else {
        list = ith_jiterate(run, value);
        if (list->n != target->items.n)
            ith_jrun_fail(run, ITH_E_ARGUMENT, "%zu values cannot be unpacked to %zu names",
                          list->n, target->items.n);
        for (size_t i = 0; i < list->n; i++)
            assign(run, scope, target->items.nodes[i], list->items[i]);
    }
}

/* ---- Scopes ---- */

static ith_jflow exec_in(ith_jrun *run, const ith_jbody *body, ith_jscope *scope)
{
    ith_jscope *outer = run->scope;
    ith_jflow flow;

    ith_jscope_hide(run, scope, body);
    run->scope = scope;
    flow = ith_jexec(run, body);
    run->scope = outer;
    return flow;
}

/* Runs a body in a scope, and gives what it writes. */
static ith_jval capture(ith_jrun *run, const ith_jbody *body, ith_jscope *scope)
{
    ith_jbuild build = {.run = run}, *outer = run->out;

    run->out = &build;
    exec_in(run, body, scope);
    run->out = outer;
    return ith_jstring(ith_jbuild_end(&build));
}

/* ---- Loops ---- */

/* The items for which the condition holds; it sees the target's names, but no `loop`. */
static ith_jlist *filtered(ith_jrun *run, const ith_jnode *node, ith_jlist *list)
{
    ith_jlist *out = ith_jlist_new(run, 0, list->origin);
    ith_jscope *outer = run->scope;

    for (size_t i = 0; i < list->n; i++) {
        run->scope = ith_jscope_new(run, outer);
        assign(run, run->scope, node->a, list->items[i]);
        if (ith_jtruth(run, ith_jeval(run, node->c)))
            ith_jlist_add(run, out, list->items[i]);
    }
    run->scope = outer;
    return out;
}

static void run_loop(ith_jrun *run, const ith_jnode *node, ith_jval items, int64_t depth0)
{
    ith_jlist *list = ith_jiterate(run, items);
    const ith_jstr *name = ith_jstr_text(run, "loop");
    ith_jloop *loop = ith_jrun_alloc(run, 1, sizeof *loop);
    ith_jval value = {.kind = ITH_J_LOOP, .as.loop = loop};
    bool completed = false;

    if (node->c != NULL)
        list = filtered(run, node, list);
    *loop = (ith_jloop){.list = list, .depth0 = depth0, .scope = run->scope};
    loop->node = node->recursive ? node : NULL;
    for (; loop->index0 < list->n; loop->index0++) {
        ith_jscope *scope = ith_jscope_new(run, run->scope);
        ith_jflow flow;
        ith_jscope_set(run, scope, name, value);
        assign(run, scope, node->a, list->items[loop->index0]);
        flow = exec_in(run, &node->body, scope);
        completed = completed || flow == ITH_JNEXT;
        if (flow == ITH_JBREAK)
            break;
    }
    /* As in Jinja2: also if no turn reached its end. */
    if (!completed)
        exec_in(run, &node->otherwise, ith_jscope_new(run, run->scope));
}

ith_jval ith_jloop_call(ith_jrun *run, ith_jval v, const ith_jargs *args)
{
    const ith_jloop *loop = v.as.loop;
    ith_jbuild build = {.run = run}, *out = run->out;
    ith_jscope *scope = run->scope;

    if (loop->node == NULL || args->n != 1 || args->n_named > 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "only a recursive loop can be called, with one list");
    ith_jrun_enter(run);
    run->out = &build;
    run->scope = loop->scope;
    run_loop(run, loop->node, args->pos[0], loop->depth0 + 1);
    run->scope = scope;
    run->out = out;
    ith_jrun_exit(run);
    return ith_jstring(ith_jbuild_end(&build));
}

/* ---- Macros ---- */

static ith_jval make_macro(ith_jrun *run, const ith_jnode *node)
{
    ith_jmacro *macro = ith_jrun_alloc(run, 1, sizeof *macro);

    *macro = (ith_jmacro){.node = node, .scope = run->scope};
    return (ith_jval){.kind = ITH_J_MACRO, .as.macro = macro};
}

/* The argument of this name, which is marked as taken. NULL: it is not given. */
static ith_jnamed *take_named(const ith_jargs *args, bool *taken, const ith_jstr *name)
{
    for (size_t i = 0; i < args->n_named; i++)
        if (!taken[i] && ith_jstr_equal(args->named[i].name, name)) {
            taken[i] = true;
            return &args->named[i];
        }
    return NULL;
}

/* Arguments beyond the parameters: varargs, kwargs and caller, if the body asks for them. */
static void bind_rest(ith_jrun *run, const ith_jnode *node, const ith_jargs *args, bool *taken,
                      ith_jscope *scope)
{
    const ith_jstr *caller = ith_jstr_text(run, "caller");
    bool called = node->reads & ITH_JREADS_CALLER;
    ith_jnamed *given = called ? take_named(args, taken, caller) : NULL;
    ith_jlist *rest = ith_jlist_new(run, 0, ITH_JTEMPLATE);
    ith_jdict *named = ith_jdict_new(run, ITH_JTEMPLATE);

    if (given != NULL)
        ith_jscope_set(run, scope, caller, given->value);
    else if (called)
        ith_jscope_set(run, scope, caller, ith_jundefined("No caller defined"));
    for (size_t i = node->n_args; i < args->n; i++)
        ith_jlist_add(run, rest, args->pos[i]);
    for (size_t i = 0; i < args->n_named; i++)
        if (!taken[i])
            ith_jdict_set(run, named, ith_jstring((ith_jstr *)args->named[i].name),
                          args->named[i].value);
    if (node->reads & ITH_JREADS_VARARGS)
        ith_jscope_set(run, scope, ith_jstr_text(run, "varargs"),
                       ith_jlist_value(rest, ITH_J_TUPLE));
    else if (rest->n > 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a macro gets more than its %zu arguments",
                      node->n_args);
    if (node->reads & ITH_JREADS_KWARGS)
        ith_jscope_set(run, scope, ith_jstr_text(run, "kwargs"), ith_jdict_value(named));
    else if (named->n > 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a macro gets an argument that it does not take");
}

ith_jval ith_jmacro_call(ith_jrun *run, const ith_jmacro *macro, const ith_jargs *args)
{
    const ith_jnode *node = macro->node;
    ith_jscope *scope = ith_jscope_new(run, macro->scope), *outer = run->scope;
    bool *taken = ith_jrun_alloc(run, args->n_named, sizeof *taken);
    ith_jval out;

    ith_jrun_enter(run);
    run->scope = scope;
    for (size_t i = 0; i < node->n_args; i++) {
        ith_jval v = ith_jundefined("a parameter of a macro was not given");
        ith_jnamed *named = i < args->n ? NULL : take_named(args, taken, node->args[i].name);
        ith_jrun_step(run, 1 + args->n_named / 4);
        if (i < args->n)
            v = args->pos[i];
        else if (named != NULL)
            v = named->value;
        else if (node->args[i].value != NULL)
            v = ith_jeval(run, node->args[i].value);
        ith_jscope_set(run, scope, node->args[i].name, v);
    }
    bind_rest(run, node, args, taken, scope);
    run->scope = outer;
    out = capture(run, &node->body, scope);
    ith_jrun_exit(run);
    return out;
}

/* ---- Statements ---- */

static void exec_with(ith_jrun *run, const ith_jnode *node)
{
    ith_jscope *scope = ith_jscope_new(run, run->scope);

    for (size_t i = 0; i < node->n_args; i++)
        ith_jscope_set(run, scope, node->args[i].name, ith_jeval(run, node->args[i].value));
    exec_in(run, &node->body, scope);
}

static ith_jval capture_filtered(ith_jrun *run, const ith_jnode *node)
{
    ith_jval text = capture(run, &node->body, ith_jscope_new(run, run->scope));

    return node->b != NULL ? ith_jeval_filter(run, node->b, text) : text;
}

static ith_jflow exec_node(ith_jrun *run, const ith_jnode *node)
{
    ith_jval v;

    switch (node->kind) {
    case ITH_JN_DATA:
        ith_jbuild_str(run->out, node->value.as.str);
        return ITH_JNEXT;
    case ITH_JN_PRINT:
        ith_jprint(run->out, ith_jeval(run, node->a));
        return ITH_JNEXT;
    case ITH_JN_IF:
        return ith_jexec(run,
                         ith_jtruth(run, ith_jeval(run, node->b)) ? &node->body : &node->otherwise);
    case ITH_JN_FOR:
        run_loop(run, node, ith_jeval(run, node->b), 0);
        return ITH_JNEXT;
    case ITH_JN_SET:
        assign(run, run->scope, node->a, ith_jeval(run, node->b));
        return ITH_JNEXT;
    case ITH_JN_SETBLOCK:
        assign(run, run->scope, node->a, capture_filtered(run, node));
        return ITH_JNEXT;
    case ITH_JN_WITH:
        exec_with(run, node);
        return ITH_JNEXT;
    case ITH_JN_MACRO:
        ith_jscope_set(run, run->scope, node->name, make_macro(run, node));
        return ITH_JNEXT;
    case ITH_JN_CALLBLOCK:
        v = make_macro(run, node);
        ith_jprint(run->out, ith_jeval_call(run, node->a, &v));
        return ITH_JNEXT;
    case ITH_JN_FILTERBLOCK:
        ith_jprint(run->out, capture_filtered(run, node));
        return ITH_JNEXT;
    case ITH_JN_SCOPE:
        exec_in(run, &node->body, ith_jscope_new(run, run->scope));
        return ITH_JNEXT;
    case ITH_JN_BREAK:
        return ITH_JBREAK;
    default:
        return ITH_JCONTINUE;
    }
}

ith_jflow ith_jexec(ith_jrun *run, const ith_jbody *body)
{
    ith_jflow flow = ITH_JNEXT;

    ith_jrun_enter(run);
    for (size_t i = 0; i < body->n && flow == ITH_JNEXT; i++) {
        ith_jrun_step(run, 1);
        run->line = body->nodes[i]->line;
        flow = exec_node(run, body->nodes[i]);
    }
    ith_jrun_exit(run);
    return flow;
}
