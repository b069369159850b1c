/* jparser.h - tokens to a tree. */
#ifndef ITH_TEXT_JINJA_JPARSER_H
#define ITH_TEXT_JINJA_JPARSER_H

#include "text/jinja/jast.h"
#include "text/jinja/jlexer.h"

typedef struct ith_jparser {
    ith_jrun *run;
    ith_jtokens tokens;
    size_t at;
    int loops;      /* loops around the statement, for break and continue */
    unsigned reads; /* ITH_JREADS_* of the variables since the body of a macro began */
} ith_jparser;

ith_jbody ith_jparse(ith_jrun *run, ith_jtokens tokens);

/* ---- Between the files of the parser ---- */

const ith_jtoken *ith_jparser_peek(const ith_jparser *parser);
bool ith_jparser_is(const ith_jparser *parser, ith_jtoken_kind kind, const char *text);
bool ith_jparser_accept(ith_jparser *parser, ith_jtoken_kind kind, const char *text);
void ith_jparser_expect(ith_jparser *parser, ith_jtoken_kind kind, const char *text);
const ith_jstr *ith_jparser_name(ith_jparser *parser);
/* Names a node of ITH_JN_NAME. */
void ith_jparser_set_name(ith_jparser *parser, ith_jnode *node, const ith_jstr *name);
_Noreturn void ith_jparser_unexpected(const ith_jparser *parser);
ith_jnode *ith_jparser_node(ith_jparser *parser, ith_jnode_kind kind);
void ith_jbody_add(ith_jparser *parser, ith_jbody *body, ith_jnode *node);
void ith_jargs_add(ith_jparser *parser, ith_jnode *node, const ith_jstr *name, ith_jnode *value);

/* An expression with "a if b else c", or without. */
ith_jnode *ith_jparse_expression(ith_jparser *parser, bool choice);
/* Expressions with commas between them are a tuple. */
ith_jnode *ith_jparse_tuple(ith_jparser *parser, bool choice);
/* filters after `node`, which is NULL at the head of a filter block */
ith_jnode *ith_jparse_filters(ith_jparser *parser, ith_jnode *node, bool first);

#endif
