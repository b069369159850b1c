/* jparser.c - statements. */
#include "text/jinja/jparser.h"

#include <string.h>

static void end_tag(ith_jparser *parser)
{
    ith_jparser_expect(parser, ITH_JT_BLOCK_END, NULL);
}

static ith_jnode *parse_statement(ith_jparser *parser);

/* Is the tag at hand one of those that end a body? `ends` has their names with blanks between. */
static bool ends_body(const ith_jparser *parser, const char *ends)
{
    const ith_jtoken *tag = &parser->tokens.data[parser->at];

    if (tag[0].kind != ITH_JT_BLOCK_BEGIN || tag[1].kind != ITH_JT_NAME)
        return false;
    while (*ends != '\0') {
        size_t n = strcspn(ends, " ");
        if (tag[1].text->len == n && memcmp(tag[1].text->data, ends, n) == 0)
            return true;
        ends += n + (ends[n] == ' ');
    }
    return false;
}

/* Statements up to one of the tags in `ends`, whose name is the next token then; or to the end of
 * the template if `ends` is empty. */
static ith_jbody parse_body(ith_jparser *parser, const char *ends)
{
    ith_jbody body = {0};

    ith_jrun_enter(parser->run);
    while (!ends_body(parser, ends)) {
        if (ith_jparser_is(parser, ITH_JT_EOF, NULL)) {
            if (*ends == '\0')
                break;
            ith_jrun_fail(parser->run, ITH_E_FORMAT, "the template ends before %s", ends);
        }
        ith_jbody_add(parser, &body, parse_statement(parser));
    }
    if (*ends != '\0')
        parser->at++;
    ith_jrun_exit(parser->run);
    return body;
}

static ith_jbody parse_body_and_end(ith_jparser *parser, const char *end)
{
    ith_jbody body = parse_body(parser, end);

    parser->at++;
    end_tag(parser);
    return body;
}

static ith_jnode *parse_if(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_IF), *last = node;

    node->b = ith_jparse_tuple(parser, false);
    for (;;) {
        end_tag(parser);
        last->body = parse_body(parser, "elif else endif");
        if (!ith_jparser_accept(parser, ITH_JT_NAME, "elif"))
            break;
        ith_jbody_add(parser, &last->otherwise, ith_jparser_node(parser, ITH_JN_IF));
        last = last->otherwise.nodes[0];
        last->b = ith_jparse_tuple(parser, false);
    }
    if (ith_jparser_accept(parser, ITH_JT_NAME, "else")) {
        end_tag(parser);
        last->otherwise = parse_body(parser, "endif");
    }
    ith_jparser_expect(parser, ITH_JT_NAME, "endif");
    end_tag(parser);
    return node;
}

/* A name, or names with commas, with or without brackets; or namespace.name if `dotted`. */
static ith_jnode *parse_target(ith_jparser *parser, bool dotted)
{
    bool bracket = ith_jparser_accept(parser, ITH_JT_OPERATOR, "(");
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_NAME), *tuple;

    if (bracket && ith_jparser_is(parser, ITH_JT_OPERATOR, "("))
        node = parse_target(parser, dotted);
    else
        ith_jparser_set_name(parser, node, ith_jparser_name(parser));
    if (dotted && ith_jparser_accept(parser, ITH_JT_OPERATOR, ".")) {
        ith_jnode *attr = ith_jparser_node(parser, ITH_JN_ATTR);
        attr->a = node;
        attr->name = ith_jparser_name(parser);
        node = attr;
    }
    if (ith_jparser_is(parser, ITH_JT_OPERATOR, ",")) {
        tuple = ith_jparser_node(parser, ITH_JN_TUPLE);
        ith_jbody_add(parser, &tuple->items, node);
        while (ith_jparser_accept(parser, ITH_JT_OPERATOR, ",")) {
            ith_jnode *item = ith_jparser_node(parser, ITH_JN_NAME);
            if (ith_jparser_is(parser, ITH_JT_OPERATOR, "("))
                item = parse_target(parser, dotted);
            else if (ith_jparser_is(parser, ITH_JT_NAME, NULL))
                ith_jparser_set_name(parser, item, ith_jparser_name(parser));
            else
                break;
            ith_jbody_add(parser, &tuple->items, item);
        }
        node = tuple;
    }
    if (bracket)
        ith_jparser_expect(parser, ITH_JT_OPERATOR, ")");
    return node;
}

static ith_jnode *parse_for(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_FOR);

    node->a = parse_target(parser, false);
    ith_jparser_expect(parser, ITH_JT_NAME, "in");
    node->b = ith_jparse_tuple(parser, false);
    if (ith_jparser_accept(parser, ITH_JT_NAME, "if"))
        node->c = ith_jparse_expression(parser, true);
    node->recursive = ith_jparser_accept(parser, ITH_JT_NAME, "recursive");
    end_tag(parser);
    parser->loops++;
    node->body = parse_body(parser, "else endfor");
    parser->loops--;
    if (ith_jparser_accept(parser, ITH_JT_NAME, "else")) {
        end_tag(parser);
        node->otherwise = parse_body(parser, "endfor");
    }
    ith_jparser_expect(parser, ITH_JT_NAME, "endfor");
    end_tag(parser);
    return node;
}

/* A body that Jinja2 compiles to a function: break and continue cannot leave it. */
static ith_jbody parse_closed_body(ith_jparser *parser, const char *end)
{
    int loops = parser->loops;
    ith_jbody body;

    parser->loops = 0;
    body = parse_body_and_end(parser, end);
    parser->loops = loops;
    return body;
}

/* The body of a macro, and what it reads. The macro around it reads that too. */
static void parse_macro_body(ith_jparser *parser, ith_jnode *node, const char *end)
{
    unsigned outer = parser->reads;

    parser->reads = 0;
    node->body = parse_closed_body(parser, end);
    node->reads = parser->reads;
    parser->reads |= outer;
}

static ith_jnode *parse_set(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_SET);

    node->a = parse_target(parser, true);
    if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "=")) {
        node->b = ith_jparse_tuple(parser, true);
        end_tag(parser);
        return node;
    }
    node->kind = ITH_JN_SETBLOCK;
    node->b = ith_jparse_filters(parser, NULL, false);
    end_tag(parser);
    node->body = parse_body_and_end(parser, "endset");
    return node;
}

static ith_jnode *parse_with(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_WITH);

    while (!ith_jparser_is(parser, ITH_JT_BLOCK_END, NULL)) {
        const ith_jstr *name;
        if (node->n_args > 0)
            ith_jparser_expect(parser, ITH_JT_OPERATOR, ",");
        name = ith_jparser_name(parser);
        ith_jparser_expect(parser, ITH_JT_OPERATOR, "=");
        ith_jargs_add(parser, node, name, ith_jparse_expression(parser, true));
    }
    end_tag(parser);
    node->body = parse_body_and_end(parser, "endwith");
    return node;
}

static void parse_parameters(ith_jparser *parser, ith_jnode *node)
{
    ith_jparser_expect(parser, ITH_JT_OPERATOR, "(");
    while (!ith_jparser_is(parser, ITH_JT_OPERATOR, ")")) {
        const ith_jstr *name;
        ith_jnode *value = NULL;
        if (node->n_args > 0)
            ith_jparser_expect(parser, ITH_JT_OPERATOR, ",");
        name = ith_jparser_name(parser);
        if (ith_jparser_accept(parser, ITH_JT_OPERATOR, "="))
            value = ith_jparse_expression(parser, true);
        else if (node->n_args > 0 && node->args[node->n_args - 1].value != NULL)
            ith_jrun_fail(parser->run, ITH_E_FORMAT,
                          "a parameter without default follows one with default");
        ith_jargs_add(parser, node, name, value);
    }
    parser->at++;
}

static ith_jnode *parse_macro(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_MACRO);

    node->name = ith_jparser_name(parser);
    parse_parameters(parser, node);
    end_tag(parser);
    parse_macro_body(parser, node, "endmacro");
    return node;
}

static ith_jnode *parse_call_block(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_CALLBLOCK);

    if (ith_jparser_is(parser, ITH_JT_OPERATOR, "("))
        parse_parameters(parser, node);
    node->a = ith_jparse_expression(parser, true);
    if (node->a->kind != ITH_JN_CALL)
        ith_jrun_fail(parser->run, ITH_E_FORMAT, "{%% call %%} expects a call");
    end_tag(parser);
    parse_macro_body(parser, node, "endcall");
    return node;
}

static ith_jnode *parse_filter_block(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_FILTERBLOCK);

    node->b = ith_jparse_filters(parser, NULL, true);
    end_tag(parser);
    node->body = parse_body_and_end(parser, "endfilter");
    return node;
}

static ith_jnode *parse_generation(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_SCOPE);

    end_tag(parser);
    node->body = parse_closed_body(parser, "endgeneration");
    return node;
}

static ith_jnode *parse_print(ith_jparser *parser)
{
    ith_jnode *node = ith_jparser_node(parser, ITH_JN_PRINT);

    node->a = ith_jparse_tuple(parser, true);
    return node;
}

static ith_jnode *parse_print_tag(ith_jparser *parser)
{
    ith_jnode *node = parse_print(parser);

    end_tag(parser);
    return node;
}

static ith_jnode *parse_jump(ith_jparser *parser, ith_jnode_kind kind)
{
    if (parser->loops == 0)
        ith_jrun_fail(parser->run, ITH_E_FORMAT, "break or continue outside a loop");
    end_tag(parser);
    return ith_jparser_node(parser, kind);
}

static ith_jnode *parse_break(ith_jparser *parser)
{
    return parse_jump(parser, ITH_JN_BREAK);
}

static ith_jnode *parse_continue(ith_jparser *parser)
{
    return parse_jump(parser, ITH_JN_CONTINUE);
}

static _Noreturn void refuse(const ith_jparser *parser, const ith_jstr *name)
{
    static const char *const known[] = {"block",      "extends", "include", "import", "from",
                                        "autoescape", "trans",   "do",      "debug"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ith_jstr_is(name, known[i]))
            ith_jrun_fail(parser->run, ITH_E_UNSUPPORTED, "{%% %s %%} is not supported", known[i]);
    ith_jrun_fail(parser->run, ITH_E_FORMAT, "unknown tag \"%.*s\"",
                  (int)(name->len < 60 ? name->len : 60), name->data);
}

static ith_jnode *parse_tag(ith_jparser *parser)
{
    static const struct {
        const char *name;
        ith_jnode *(*parse)(ith_jparser *parser);
    } tags[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"with", parse_with},
        {"macro", parse_macro},
        {"call", parse_call_block},
        {"filter", parse_filter_block},
        {"generation", parse_generation},
        {"break", parse_break},
        {"continue", parse_continue},
        {"print", parse_print_tag},
    };
    const ith_jstr *name = ith_jparser_name(parser);

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (ith_jstr_is(name, tags[i].name))
            return tags[i].parse(parser);
    refuse(parser, name);
}

static ith_jnode *parse_statement(ith_jparser *parser)
{
    const ith_jtoken *token = ith_jparser_peek(parser);
    ith_jnode *node;

    parser->run->line = token->line;
    if (token->kind == ITH_JT_DATA) {
        node = ith_jparser_node(parser, ITH_JN_DATA);
        node->value = ith_jstring(token->text);
        parser->at++;
        return node;
    }
    if (ith_jparser_accept(parser, ITH_JT_BLOCK_BEGIN, NULL))
        return parse_tag(parser);
    ith_jparser_expect(parser, ITH_JT_PRINT_BEGIN, NULL);
    node = parse_print(parser);
    ith_jparser_expect(parser, ITH_JT_PRINT_END, NULL);
    return node;
}

ith_jbody ith_jparse(ith_jrun *run, ith_jtokens tokens)
{
    ith_jparser parser = {.run = run, .tokens = tokens};

    return parse_body(&parser, "");
}
