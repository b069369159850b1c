/* ithaca_grammars.h - answers that fit a JSON schema or a grammar. A section of ithaca.h, which
 * includes it after the sections that it needs.
 *
 * A grammar restricts an answer to the texts that fit it: JSON that is valid under a schema, or the
 * language of rules in GBNF. Tokens that do not fit are never chosen, greedily or at random, and
 * the answer can end only where the grammar allows. Among the other tokens, logits and sampling
 * decide as usual.
 *
 *     ith_grammar *grammar;
 *     if (ith_world_rank(world) == 0)
 *         ith_grammar_from_schema(ith_engine_vocab(engine), json, len, &grammar, &err);
 *     how.grammar = grammar;
 *     ith_generate(session, &how, &answer, &err);
 *     ith_grammar_close(grammar);
 *
 * An answer that is cut off by max_tokens, the end of the context or a stop string is usually only
 * the beginning of a text that fits; ith_generation.whole tells.
 *
 * Schemas and grammars are untrusted input. What is not supported, what is too large, and what
 * cannot be followed in bounded time and memory is refused in one line that names it. */
#ifndef ITHACA_GRAMMARS_H
#define ITHACA_GRAMMARS_H

#ifndef ITHACA_H
#error "include <ithaca.h>, which includes this header"
#endif

typedef struct ith_grammar ith_grammar;

/* Local. JSON Schema 2020-12: every complete answer is valid under it. docs/grammars.md lists the
 * keywords, and the forms of JSON that an answer may have (white space, order of properties,
 * numbers). The vocab caches grammars, so the same text again costs little. Any thread may call
 * this function and the following ones.
 * Errors: ITH_E_FORMAT: it is not JSON, or not a schema; ITH_E_UNSUPPORTED: a keyword, or a
 * combination of them; ITH_E_ARGUMENT: nothing is valid under it, or the vocab is NULL;
 * ITH_E_MEMORY. */
ith_status ith_grammar_from_schema(const ith_vocab *vocab, const char *json, size_t len,
                                   ith_grammar **grammar, ith_error *err);

/* Local. Any JSON object. */
ith_status ith_grammar_json_object(const ith_vocab *vocab, ith_grammar **grammar, ith_error *err);

/* Local. GBNF, the notation of llama.cpp (docs/grammars.md).
 * Errors: those of ith_grammar_from_schema; ITH_E_UNSUPPORTED also for left recursion. */
ith_status ith_grammar_from_gbnf(const ith_vocab *vocab, const char *text, size_t len,
                                 ith_grammar **grammar, ith_error *err);

/* Local. Values that are valid under schemas, inside other text, such as calls of functions:
 *
 *     {"begin": "[", "between": ", ", "end": "]", "frames": [
 *         {"name": "f", "before": "call f with ", "after": ".", "schema": {...}}]}
 *
 * An answer is `begin`, one of the frames (`before`, a value, `after`), and `end`; with `between`,
 * one or more frames, separated by this text. Error texts use the names. A frame may have `fields`
 * instead of a schema: values one after another, those without "required" perhaps. A field has
 * `words` or `text` instead of a schema if its value is written without quotes: one of some texts,
 * or any in which `after` does not occur.
 *
 *     {"name": "f", "before": "call f ", "after": ".", "fields": [
 *         {"name": "f.a", "before": "a=", "after": ";", "required": true, "text": true},
 *         {"name": "f.b", "before": "b=", "after": ";", "words": ["x", "y"]}]}
 *
 * Errors: those of ith_grammar_from_schema; ITH_E_FORMAT also if a member is missing. */
ith_status ith_grammar_from_frames(const ith_vocab *vocab, const char *json, size_t len,
                                   ith_grammar **grammar, ith_error *err);

/* Local. Does the whole text fit?
 * Errors: ITH_E_UNSUPPORTED: there are too many ways to parse it. ITH_E_MEMORY. */
ith_status ith_grammar_matches(ith_grammar *grammar, const char *text, size_t len, bool *matches,
                               ith_error *err);

/* Local. Call it after all answers that use the grammar, and before the vocab is closed. NULL is
 * accepted. */
void ith_grammar_close(ith_grammar *grammar);

#endif
