/* grammar.h - a grammar for a vocabulary, and the answers that follow it.
 *
 *     ith_gbnf_compile(text, len, &rules, &err);        or ith_schema_compile
 *     ith_grammar_make(&rules, trie, stops, n, &grammar, &err);
 *     ith_follower_open(grammar, &follower, &err);
 *     while (more) {
 *         ith_follower_mask(follower, &mask, &err);       the tokens that may come next
 *         ith_follower_accept(follower, id, &complete, &err);
 *     }
 *
 * A grammar may have any number of followers, used by any threads; each follower by one at a time.
 */
#ifndef ITH_GRAMMAR_GRAMMAR_H
#define ITH_GRAMMAR_GRAMMAR_H

#include "grammar/rules.h"
#include "grammar/trie.h"

typedef struct ith_follower ith_follower;

/* Finished rules, which are taken over and emptied, also after a failure. The trie must outlive the
 * grammar. stops: tokens that end an answer, [n_stops]. source: what the rules were made of. */
ith_status ith_grammar_make(ith_rules *rules, const ith_trie *trie, const int32_t *stops,
                            int n_stops, ith_bytes source, ith_grammar **grammar, ith_error *err);

void ith_grammar_free(ith_grammar *grammar); /* accepts NULL */

/* What the owner of a grammar puts there; NULL at first. */
void ith_grammar_set_home(ith_grammar *grammar, void *home);
void *ith_grammar_home(const ith_grammar *grammar);

/* Did an answer meet what cannot be followed? Then no other can go on, either. */
bool ith_grammar_has_failed(ith_grammar *grammar);

/* The SHA-256 of the source, in hexadecimal: of two grammars with the same key one follows for the
 * other. */
const char *ith_grammar_key(const ith_grammar *grammar);

/* At the beginning of a text. The grammar must outlive it. */
ith_status ith_follower_open(ith_grammar *grammar, ith_follower **follower, ith_error *err);
void ith_follower_close(ith_follower *follower); /* accepts NULL */

/* The mask of the tokens that may come next: token id is bit id % 64 of word id / 64. Tokens that
 * end an answer are among them where the grammar may end. Valid until the next call on the
 * follower; *n_ids: how many bits there are.
 * ITH_E_UNSUPPORTED: no token of the vocabulary can go on, or there is too much to follow. */
ith_status ith_follower_mask(ith_follower *follower, const uint64_t **mask, int32_t *n_ids,
                             ith_error *err);

/* The token was chosen. *complete: nothing can follow. ITH_E_FORMAT: it does not fit. */
ith_status ith_follower_accept(ith_follower *follower, int32_t id, bool *complete, ith_error *err);

/* May the text end here? */
bool ith_follower_may_end(ith_follower *follower);

#endif
