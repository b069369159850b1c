/* gbnf.h - grammars in GBNF, the notation of llama.cpp: rules of literals, sets of characters,
 * groups, alternatives and repetitions.
 *
 *     root  ::= "[" (item ("," item)*)? "]"        # a comment
 *     item  ::= [0-9]{1,4} | "\"" [^"\x00-\x1f]* "\""
 *
 * Supported: "literals" and [sets] with \n \r \t \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH; [^sets];
 * . (any character); (groups); | * + ? {N} {N,} {N,M} {,M}; names of letters, digits and - and _.
 * A rule ends with its line, except inside parentheses, after ::= and after |. The text begins with
 * the rule `root`. Tokens by number or name (<[1]>, <|x|>) are refused, and so is a rule that
 * begins with itself.
 */
#ifndef ITH_GRAMMAR_GBNF_H
#define ITH_GRAMMAR_GBNF_H

#include "grammar/rules.h"

/* *rules is the caller's, freed by ith_rules_free, also after a failure. Errors name the line.
 * ITH_E_FORMAT: the text is not GBNF; others as of ith_rules_finish. */
ith_status ith_gbnf_compile(const char *text, size_t len, ith_rules *rules, ith_error *err);

#endif
