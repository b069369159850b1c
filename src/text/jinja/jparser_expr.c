/* jparser_expr.c - expressions. */
#include "text/jinja/jparser.h"

static const char *const additive[] = {"+", "-", NULL};
static const char *const multiplicative[] = {"*", "/", "//", "%", NULL};
static const char *const comparisons[] = {"==", "!=", "<=", ">=", "<", ">", NULL};

static const ith_jstr *accept_operator(ith_jparser *parser, const char *const *operators)
{
    for (; *operators != NULL; operators++)
        if (ith_jparser_is(parser, ITH_JT_OPERATOR, *operators))
            return parser->tokens.data[parser->at++].text;
    return NULL;
}

static ith_jnode *binary(ith_jparser *parser, ith_jnode_kind kind, ith_jnode *a, ith_jnode *b)
{
    ith_jnode *node = ith_jparser_node(parser, kind);

    node->a = a;
    node->b = b;
    return node;
}

static bool tuple_ends(const ith_jparser *parser)
{
    return ith_jparser_is(parser, ITH_JT_PRINT_END, NULL) ||
           ith_jparser_is(parser, ITH_JT_BLOCK_END, NULL) ||
           ith_jparser_is(parser, ITH_JT_OPERATOR, ")");
}

/* What stands between ( and ), which may be nothing. */
static ith_jnode *parse_parenthesis(ith_jparser *parser)
{
    ith_jnode *node;

    if (ith_jparser_is(parser, ITH_JT_OPERATOR, ")"))
        node = ith_jparser_node(parser, ITH_JN_TUPLE);
    else
        node = ith_jparse_tuple(parser, true);
    ith_jparser_expect(parser, ITH_JT_OPERATOR, ")");
    return node;
}

static ith_jnode *parse_list(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_LIST);

    while (!ith_jparser_is(parser, ITH_JT_OPERATOR, "]")) {
        if (node->items.n > 0)
            ith_jparser_expect(parser, ITH_JT_OPERATOR, ",");
        if (!ith_jparser_is(parser, ITH_JT_OPERATOR, "]"))
            ith_jbody_add(parser, &node->items, ith_jparse_expression(parser, true));
    }
    parser->at++;
    return node;
}

static ith_jnode *parse_dict(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_DICT);

    while (!ith_jparser_is(parser, ITH_JT_OPERATOR, "}")) {
        if (node->items.n > 0)
            ith_jparser_expect(parser, ITH_JT_OPERATOR, ",");
        if (ith_jparser_is(parser, ITH_JT_OPERATOR, "}"))
            break;
        ith_jbody_add(parser, &node->items, ith_jparse_expression(parser, true));
        ith_jparser_expect(parser, ITH_JT_OPERATOR, ":");
        ith_jbody_add(parser, &node->items, ith_jparse_expression(parser, true));
    }
    parser->at++;
    return node;
}

static ith_jnode *constant(ith_jparser *parser, ith_jval value)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_CONST);

    node->value = value;
    return node;
}

static ith_jnode *parse_name(ith_jparser *parser)
{
    const ith_jstr *name = ith_jparser_name(parser);
    ith_jnode *node;

    if (ith_jstr_is(name, "true") || ith_jstr_is(name, "True"))
        return constant(parser, ith_jbool(true));
    if (ith_jstr_is(name, "false") || ith_jstr_is(name, "False"))
        return constant(parser, ith_jbool(false));
    if (ith_jstr_is(name, "none") || ith_jstr_is(name, "None"))
        return constant(parser, ith_jnone());
    node = ith_jparser_node(parser, ITH_JN_NAME);
    ith_jparser_set_name(parser, node, name);
    return node;
}

static ith_jnode *parse_primary(ith_jparser *parser)
{
    const ith_jtoken *token = ith_jparser_peek(parser);
    ith_jstr *text = token->text;

    switch (token->kind) {
    case ITH_JT_NAME:
        return parse_name(parser);
    case ITH_JT_NUMBER:
        parser->at++;
        return constant(parser, token->number);
    case ITH_JT_STRING:
        for (parser->at++; ith_jparser_is(parser, ITH_JT_STRING, NULL); parser->at++)
            text = ith_jstr_concat(parser->run, text, ith_jparser_peek(parser)->text);
        text->build = NULL;
        ith_jstr_chars(parser->run, text);
        return constant(parser, ith_jstring(text));
    default:
        break;
    }
    if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "("))
        return parse_parenthesis(parser);
    if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "["))
        return parse_list(parser);
    if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "{"))
        return parse_dict(parser);
    ith_jparser_unexpected(parser);
}

ith_jnode *ith_jparse_tuple(ith_jparser *parser, bool choice)
{
    ith_jnode *first = ith_jparse_expression(parser, choice), *tuple;

    if (!ith_jparser_is(parser, ITH_JT_OPERATOR, ","))
        return first;
    tuple = ith_jparser_node(parser, ITH_JN_TUPLE);
    ith_jbody_add(parser, &tuple->items, first);
    while (ith_jparser_accept(parser, ITH_JT_OPERATOR, ",") && !tuple_ends(parser))
        ith_jbody_add(parser, &tuple->items, ith_jparse_expression(parser, choice));
    return tuple;
}

static ith_jnode *parse_call(ith_jparser *parser, ith_jnode *node)
{
    static const char *const spread[] = {"**", "*", NULL};

    ith_jparser_expect(parser, ITH_JT_OPERATOR, "(");
    while (!ith_jparser_is(parser, ITH_JT_OPERATOR, ")")) {
        const ith_jstr *name = NULL;
        if (node->n_args > 0)
            ith_jparser_expect(parser, ITH_JT_OPERATOR, ",");
        if (ith_jparser_is(parser, ITH_JT_OPERATOR, ")"))
            break;
        name = accept_operator(parser, spread);
        if (name == NULL && ith_jparser_is(parser, ITH_JT_NAME, NULL) &&
            parser->tokens.data[parser->at + 1].kind == ITH_JT_OPERATOR &&
            ith_jstr_is(parser->tokens.data[parser->at + 1].text, "=")) {
            name = ith_jparser_name(parser);
            parser->at++;
        }
        ith_jargs_add(parser, node, name, ith_jparse_expression(parser, true));
    }
    parser->at++;
    return node;
}

/* What stands between [ and ]: an index, a slice, or several indices, which are a tuple. */
static ith_jnode *parse_subscript(ith_jparser *parser, ith_jnode *owner)
{
    ith_jnode *bound[3] = {NULL, NULL, NULL}, *node;
    int n = 0;

    for (;;) {
        if (!ith_jparser_is(parser, ITH_JT_OPERATOR, ":") &&
            !ith_jparser_is(parser, ITH_JT_OPERATOR, "]"))
            bound[n] = ith_jparse_tuple(parser, true);
        if (n == 2 || !ith_jparser_accept(parser, ITH_JT_OPERATOR, ":"))
            break;
        n++;
    }
    ith_jparser_expect(parser, ITH_JT_OPERATOR, "]");
    if (n == 0 && bound[0] == NULL)
        ith_jparser_unexpected(parser);
    node = binary(parser, n == 0 ? ITH_JN_ITEM : ITH_JN_SLICE, owner, bound[0]);
    for (int i = 0; n > 0 && i < 3; i++)
        ith_jbody_add(parser, &node->items, bound[i]);
    return node;
}

static ith_jnode *parse_attribute(ith_jparser *parser, ith_jnode *owner)
{
    const ith_jtoken *token = ith_jparser_peek(parser);
    ith_jnode *node;

    if (token->kind == ITH_JT_NUMBER && token->number.kind == ITH_J_INT) {
        parser->at++;
        return binary(parser, ITH_JN_ITEM, owner, constant(parser, token->number));
    }
    node = binary(parser, ITH_JN_ATTR, owner, NULL);
    node->name = ith_jparser_name(parser);
    return node;
}

static ith_jnode *parse_postfix(ith_jparser *parser, ith_jnode *node)
{
    for (;;) {
        if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "."))
            node = parse_attribute(parser, node);
        else if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "["))
            node = parse_subscript(parser, node);
        else if (ith_jparser_is(parser, ITH_JT_OPERATOR, "("))
            node = parse_call(parser, binary(parser, ITH_JN_CALL, node, NULL));
        else
            return node;
    }
}

static bool test_has_operand(const ith_jparser *parser)
{
    const ith_jtoken *token = ith_jparser_peek(parser);

    if (token->kind == ITH_JT_NAME)
        return !ith_jstr_is(token->text, "else") && !ith_jstr_is(token->text, "or") &&
               !ith_jstr_is(token->text, "and");
    return token->kind == ITH_JT_STRING || token->kind == ITH_JT_NUMBER ||
           ith_jparser_is(parser, ITH_JT_OPERATOR, "[") ||
           ith_jparser_is(parser, ITH_JT_OPERATOR, "{");
}

static ith_jnode *parse_test(ith_jparser *parser, ith_jnode *a)
{
    bool negated = ith_jparser_accept(parser, ITH_JT_NAME, "not");
    ith_jnode *node = binary(parser, ITH_JN_TEST, a, NULL);

    node->name = ith_jparser_name(parser);
    if (ith_jparser_is(parser, ITH_JT_OPERATOR, "(")) {
        parse_call(parser, node);
    } else if (test_has_operand(parser)) {
        if (ith_jparser_is(parser, ITH_JT_NAME, "is"))
            ith_jrun_fail(parser->run, ITH_E_FORMAT, "tests cannot be chained with \"is\"");
        ith_jargs_add(parser, node, NULL, parse_postfix(parser, parse_primary(parser)));
    }
    return negated ? binary(parser, ITH_JN_NOT, node, NULL) : node;
}

ith_jnode *ith_jparse_filters(ith_jparser *parser, ith_jnode *a, bool first)
{
    while (first || ith_jparser_accept(parser, ITH_JT_OPERATOR, "|")) {
        ith_jnode *node = binary(parser, ITH_JN_FILTER, a, NULL);
        first = false;
        node->name = ith_jparser_name(parser);
        if (ith_jparser_is(parser, ITH_JT_OPERATOR, "("))
            parse_call(parser, node);
        a = node;
    }
    return a;
}

static ith_jnode *parse_filter_expression(ith_jparser *parser, ith_jnode *node)
{
    for (;;) {
        if (ith_jparser_is(parser, ITH_JT_OPERATOR, "|"))
            node = ith_jparse_filters(parser, node, false);
        else if (ith_jparser_accept(parser, ITH_JT_NAME, "is"))
            node = parse_test(parser, node);
        else if (ith_jparser_is(parser, ITH_JT_OPERATOR, "("))
            node = parse_call(parser, binary(parser, ITH_JN_CALL, node, NULL));
        else
            return node;
    }
}

static ith_jnode *parse_unary(ith_jparser *parser, bool filters)
{
    ith_jnode *node;

    ith_jrun_enter(parser->run);
    if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "-"))
        node = binary(parser, ITH_JN_NEGATE, parse_unary(parser, false), NULL);
    else if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "+"))
        node = binary(parser, ITH_JN_PLUS, parse_unary(parser, false), NULL);
    else
        node = parse_primary(parser);
    node = parse_postfix(parser, node);
    if (filters)
        node = parse_filter_expression(parser, node);
    ith_jrun_exit(parser->run);
    return node;
}

static ith_jnode *named(ith_jparser *parser, const ith_jstr *name, ith_jnode *a, ith_jnode *b)
{
    ith_jnode *node = binary(parser, ITH_JN_BINARY, a, b);

    node->name = name;
    return node;
}

static ith_jnode *parse_power(ith_jparser *parser)
{
    static const char *const power[] = {"**", NULL};
    ith_jnode *node = parse_unary(parser, true);
    const ith_jstr *op;

    while ((op = accept_operator(parser, power)) != NULL)
        node = named(parser, op, node, parse_unary(parser, true));
    return node;
}

static ith_jnode *parse_product(ith_jparser *parser)
{
    ith_jnode *node = parse_power(parser);
    const ith_jstr *op;

    while ((op = accept_operator(parser, multiplicative)) != NULL)
        node = named(parser, op, node, parse_power(parser));
    return node;
}

static ith_jnode *parse_concat(ith_jparser *parser)
{
    ith_jnode *node = parse_product(parser), *concat;

    if (!ith_jparser_is(parser, ITH_JT_OPERATOR, "~"))
        return node;
    concat = ith_jparser_node(parser, ITH_JN_CONCAT);
    ith_jbody_add(parser, &concat->items, node);
    while (ith_jparser_accept(parser, ITH_JT_OPERATOR, "~"))
        ith_jbody_add(parser, &concat->items, parse_product(parser));
    return concat;
}

static ith_jnode *parse_sum(ith_jparser *parser)
{
    ith_jnode *node = parse_concat(parser);
    const ith_jstr *op;

    while ((op = accept_operator(parser, additive)) != NULL)
        node = named(parser, op, node, parse_concat(parser));
    return node;
}

static const ith_jstr *accept_comparison(ith_jparser *parser)
{
    const ith_jtoken *next = &parser->tokens.data[parser->at + 1];

    if (ith_jparser_accept(parser, ITH_JT_NAME, "in"))
        return ith_jstr_text(parser->run, "in");
    if (ith_jparser_is(parser, ITH_JT_NAME, "not") && next->kind == ITH_JT_NAME &&
        ith_jstr_is(next->text, "in")) {
        parser->at += 2;
        return ith_jstr_text(parser->run, "not in");
    }
    return accept_operator(parser, comparisons);
}

static ith_jnode *parse_comparison(ith_jparser *parser)
{
    ith_jnode *node = parse_sum(parser), *compare = NULL;
    const ith_jstr *op;

    while ((op = accept_comparison(parser)) != NULL) {
        if (compare == NULL)
            compare = binary(parser, ITH_JN_COMPARE, node, NULL);
        ith_jargs_add(parser, compare, op, parse_sum(parser));
    }
    return compare != NULL ? compare : node;
}

static ith_jnode *parse_not(ith_jparser *parser)
{
    ith_jnode *node;

    if (!ith_jparser_accept(parser, ITH_JT_NAME, "not"))
        return parse_comparison(parser);
    ith_jrun_enter(parser->run);
    node = binary(parser, ITH_JN_NOT, parse_not(parser), NULL);
    ith_jrun_exit(parser->run);
    return node;
}

static ith_jnode *parse_and(ith_jparser *parser)
{
    ith_jnode *node = parse_not(parser);

    while (ith_jparser_accept(parser, ITH_JT_NAME, "and"))
        node = binary(parser, ITH_JN_AND, node, parse_not(parser));
    return node;
}

static ith_jnode *parse_or(ith_jparser *parser)
{
    ith_jnode *node = parse_and(parser);

    while (ith_jparser_accept(parser, ITH_JT_NAME, "or"))
        node = binary(parser, ITH_JN_OR, node, parse_and(parser));
    return node;
}

ith_jnode *ith_jparse_expression(ith_jparser *parser, bool choice)
{
    ith_jnode *node;

    ith_jrun_enter(parser->run);
    node = parse_or(parser);
    while (choice && ith_jparser_accept(parser, ITH_JT_NAME, "if")) {
        node = binary(parser, ITH_JN_CHOICE, node, parse_or(parser));
        if (ith_jparser_accept(parser, ITH_JT_NAME, "else"))
            node->c = ith_jparse_expression(parser, true);
    }
    ith_jrun_exit(parser->run);
    return node;
}
