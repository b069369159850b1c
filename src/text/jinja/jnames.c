/* jnames.c - the names in a tree. */
#include "text/jinja/jnames.h"
#include "text/jinja/jbuiltin.h"

static bool node_reads(const ith_jnode *node, const char *name)
{
    if (node == NULL)
        return false;
    if (node->kind == ITH_JN_NAME && ith_jstr_is(node->name, name))
        return true;
    if (node_reads(node->a, name) || node_reads(node->b, name) || node_reads(node->c, name))
        return true;
    for (size_t i = 0; i < node->n_args; i++)
        if (node_reads(node->args[i].value, name))
            return true;
    return ith_jbody_reads(&node->items, name) || ith_jbody_reads(&node->body, name) ||
           ith_jbody_reads(&node->otherwise, name);
}

bool ith_jbody_reads(const ith_jbody *body, const char *name)
{
    for (size_t i = 0; i < body->n; i++)
        if (node_reads(body->nodes[i], name))
            return true;
    return false;
}

/* ---- Filters and tests ---- */

static void check_body(ith_jrun *run, const ith_jbody *body, bool inside_if);

static void check_name(ith_jrun *run, const ith_jnode *node)
{
    run->line = node->line;
    if (node->kind == ITH_JN_FILTER)
        ith_jneed_filter(run, node->name);
    else
        ith_jneed_test(run, node->name);
}

/* Does the node's body begin a frame of its own in Jinja2, in which an "if" around it does not
 * count? */
static bool begins_frame(ith_jnode_kind kind)
{
    return kind == ITH_JN_FOR || kind == ITH_JN_MACRO || kind == ITH_JN_CALLBLOCK ||
           kind == ITH_JN_WITH || kind == ITH_JN_FILTERBLOCK || kind == ITH_JN_SETBLOCK ||
           kind == ITH_JN_SCOPE;
}

static void check_node(ith_jrun *run, const ith_jnode *node, bool inside_if)
{
    bool inside = inside_if, inner;

    if (node == NULL)
        return;
    if (node->kind == ITH_JN_IF || node->kind == ITH_JN_CHOICE)
        inside = true;
    inner = inside && !begins_frame(node->kind);
    if (!inside && (node->kind == ITH_JN_FILTER || node->kind == ITH_JN_TEST))
        check_name(run, node);
    check_node(run, node->a, inside);
    /* the filters of a block belong to its frame, the list of a loop does not */
    check_node(run, node->b,
               node->kind == ITH_JN_FOR || node->kind == ITH_JN_WITH ? inside : inner);
    check_node(run, node->c, inner);
    for (size_t i = 0; i < node->n_args; i++)
        check_node(run, node->args[i].value, node->kind == ITH_JN_WITH ? inside : inner);
    check_body(run, &node->items, inside);
    check_body(run, &node->body, inner);
    check_body(run, &node->otherwise, inner);
}

static void check_body(ith_jrun *run, const ith_jbody *body, bool inside_if)
{
    for (size_t i = 0; i < body->n; i++)
        check_node(run, body->nodes[i], inside_if);
}

void ith_jbody_check_names(ith_jrun *run, const ith_jbody *body)
{
    check_body(run, body, false);
}
