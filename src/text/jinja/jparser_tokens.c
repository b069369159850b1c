/* jparser_tokens.c - the next tokens of a parser, and the nodes that it makes. */
#include "text/jinja/jparser.h"

#include <string.h>

const ith_jtoken *ith_jparser_peek(const ith_jparser *parser)
{
    return &parser->tokens.data[parser->at];
}

bool ith_jparser_is(const ith_jparser *parser, ith_jtoken_kind kind, const char *text)
{
    const ith_jtoken *token = ith_jparser_peek(parser);

    return token->kind == kind && (text == NULL || ith_jstr_is(token->text, text));
}

bool ith_jparser_accept(ith_jparser *parser, ith_jtoken_kind kind, const char *text)
{
    bool is = ith_jparser_is(parser, kind, text);

    parser->at += is;
    return is;
}

_Noreturn void ith_jparser_unexpected(const ith_jparser *parser)
{
    const ith_jtoken *token = ith_jparser_peek(parser);

    parser->run->line = token->line;
    if (token->text == NULL)
        ith_jrun_fail(parser->run, ITH_E_FORMAT, "unexpected %s",
                      token->kind == ITH_JT_EOF      ? "end of the template"
                      : token->kind == ITH_JT_NUMBER ? "number"
                                                     : "end of a tag");
    ith_jrun_fail(parser->run, ITH_E_FORMAT, "unexpected \"%.*s\"",
                  (int)(token->text->len < 60 ? token->text->len : 60), token->text->data);
}

void ith_jparser_expect(ith_jparser *parser, ith_jtoken_kind kind, const char *text)
{
    if (!ith_jparser_accept(parser, kind, text))
        ith_jparser_unexpected(parser);
}

const ith_jstr *ith_jparser_name(ith_jparser *parser)
{
    if (!ith_jparser_is(parser, ITH_JT_NAME, NULL))
        ith_jparser_unexpected(parser);
    return parser->tokens.data[parser->at++].text;
}

void ith_jparser_set_name(ith_jparser *parser, ith_jnode *node, const ith_jstr *name)
{
    node->name = name;
    if (ith_jstr_is(name, "caller"))
        parser->reads |= ITH_JREADS_CALLER;
    else if (ith_jstr_is(name, "varargs"))
        parser->reads |= ITH_JREADS_VARARGS;
    else if (ith_jstr_is(name, "kwargs"))
        parser->reads |= ITH_JREADS_KWARGS;
}

ith_jnode *ith_jparser_node(ith_jparser *parser, ith_jnode_kind kind)
{
    ith_jnode *node = ith_jrun_alloc(parser->run, 1, sizeof *node);

    node->kind = kind;
    node->line = ith_jparser_peek(parser)->line;
    return node;
}

void ith_jbody_add(ith_jparser *parser, ith_jbody *body, ith_jnode *node)
{
    if (body->n == body->cap) {
        size_t cap = body->cap == 0 ? 4 : 2 * body->cap;
        ith_jnode **nodes = ith_jrun_alloc(parser->run, cap, sizeof(ith_jnode *));
        if (body->n > 0)
            memcpy(nodes, body->nodes, body->n * sizeof(ith_jnode *));
        body->nodes = nodes;
        body->cap = cap;
    }
    body->nodes[body->n++] = node;
}

void ith_jargs_add(ith_jparser *parser, ith_jnode *node, const ith_jstr *name, ith_jnode *value)
{
    if (node->n_args == node->cap_args) {
        size_t cap = node->cap_args == 0 ? 4 : 2 * node->cap_args;
        ith_jarg *args = ith_jrun_alloc(parser->run, cap, sizeof *args);
        if (node->n_args > 0)
            memcpy(args, node->args, node->n_args * sizeof *args);
        node->args = args;
        node->cap_args = cap;
    }
    node->args[node->n_args++] = (ith_jarg){name, value};
}
