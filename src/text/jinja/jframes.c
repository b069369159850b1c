/* jframes.c - follows the names of each frame in the order in which Jinja2 sees them. */
#include "text/jinja/jframes.h"

typedef struct frame {
    const struct frame *outer;
    ith_jrun *run;
    ith_jdict *names; /* that it mentions */
    ith_jbody *body;
} frame;

static ith_jval key_of(const ith_jstr *name)
{
    return ith_jstring((ith_jstr *)name);
}

static bool knows(const frame *f, const ith_jstr *name)
{
    for (; f != NULL; f = f->outer)
        if (ith_jdict_get(f->run, f->names, key_of(name)) != NULL)
            return true;
    return false;
}

static void mention(const frame *f, const ith_jstr *name)
{
    ith_jdict_set(f->run, f->names, key_of(name), ith_jnone());
}

static void load(const frame *f, const ith_jstr *name)
{
    if (!knows(f, name))
        mention(f, name);
}

static void store(const frame *f, const ith_jstr *name, bool inside_if)
{
    if (ith_jdict_get(f->run, f->names, key_of(name)) != NULL)
        return;
    if (!inside_if && !knows(f->outer, name)) {
        if (f->body->hidden == NULL)
            f->body->hidden = ith_jdict_new(f->run, ITH_JTEMPLATE);
        ith_jdict_set(f->run, f->body->hidden, key_of(name), ith_jundefined_name(f->run, name));
    }
    mention(f, name);
}

static void load_all(const frame *f, const ith_jnode *node)
{
    if (node == NULL)
        return;
    if (node->kind == ITH_JN_NAME)
        load(f, node->name);
    load_all(f, node->a);
    load_all(f, node->b);
    load_all(f, node->c);
    for (size_t i = 0; i < node->n_args; i++)
        load_all(f, node->args[i].value);
    for (size_t i = 0; i < node->items.n; i++)
        load_all(f, node->items.nodes[i]);
}

/* A target of an assignment; of a loop, whose names are there from the beginning. */
static void store_target(const frame *f, const ith_jnode *target, bool inside_if)
{
    if (target->kind == ITH_JN_NAME)
        store(f, target->name, inside_if);
    else if (target->kind == ITH_JN_ATTR)
        load_all(f, target->a);
    for (size_t i = 0; i < target->items.n; i++)
        store_target(f, target->items.nodes[i], inside_if);
}

static void mention_target(const frame *f, const ith_jnode *target)
{
    if (target->kind == ITH_JN_NAME)
        mention(f, target->name);
    for (size_t i = 0; i < target->items.n; i++)
        mention_target(f, target->items.nodes[i]);
}

/* ---- The statements of a frame, without those of the frames inside ---- */

static void visit_body(const frame *f, const ith_jbody *body, bool inside_if);

static void visit(const frame *f, const ith_jnode *node, bool inside_if)
{
    switch (node->kind) {
    case ITH_JN_PRINT:
    case ITH_JN_CALLBLOCK:
        load_all(f, node->a);
        break;
    case ITH_JN_IF:
        load_all(f, node->b);
        visit_body(f, &node->body, true);
        visit_body(f, &node->otherwise, true);
        break;
    case ITH_JN_FOR:
    case ITH_JN_FILTERBLOCK:
        load_all(f, node->b);
        break;
    case ITH_JN_SET:
        load_all(f, node->b);
        store_target(f, node->a, inside_if);
        break;
    case ITH_JN_SETBLOCK:
        store_target(f, node->a, inside_if);
        break;
    case ITH_JN_WITH:
        for (size_t i = 0; i < node->n_args; i++)
            load_all(f, node->args[i].value);
        break;
    case ITH_JN_MACRO:
        store(f, node->name, inside_if);
        break;
    default:
        break;
    }
}

static void visit_body(const frame *f, const ith_jbody *body, bool inside_if)
{
    for (size_t i = 0; i < body->n; i++)
        visit(f, body->nodes[i], inside_if);
}

/* ---- Frames ---- */

static void find_inside(const frame *f, const ith_jbody *body);

/* The frame of a body of `node`, which has names and expressions of its own. */
static void find(const frame *outer, const ith_jnode *node, ith_jbody *body)
{
    frame f = {.outer = outer,
               .run = outer->run,
               .names = ith_jdict_new(outer->run, ITH_JTEMPLATE),
               .body = body};

    if (node->kind == ITH_JN_FOR && body == &node->body)
        mention_target(&f, node->a);
    for (size_t i = 0; i < node->n_args; i++)
        mention(&f, node->args[i].name);
    for (size_t i = 0; i < node->n_args && node->kind != ITH_JN_WITH; i++)
        load_all(&f, node->args[i].value);
    visit_body(&f, body, false);
    if (node->kind == ITH_JN_FILTERBLOCK)
        load_all(&f, node->b);
    find_inside(&f, body);
}

static void find_inside(const frame *f, const ith_jbody *body)
{
    for (size_t i = 0; i < body->n; i++) {
        ith_jnode *node = body->nodes[i];
        if (node->kind == ITH_JN_IF) {
            find_inside(f, &node->body);
            find_inside(f, &node->otherwise);
        } else if (node->kind >= ITH_JN_FOR && node->kind <= ITH_JN_SCOPE) {
            find(f, node, &node->body);
            find(f, node, &node->otherwise);
        }
    }
}

void ith_jframes_find(ith_jrun *run, ith_jbody *template)
{
    frame f = {.run = run, .names = ith_jdict_new(run, ITH_JTEMPLATE), .body = template};

    visit_body(&f, template, false);
    find_inside(&f, template);
}
