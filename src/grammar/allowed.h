/* allowed.h - which tokens a configuration allows.
 *
 * As in XGrammar (Dong et al. 2024, arXiv:2411.15100) most tokens are looked at once for a state
 * and not for a stack: a token that stays inside the state's rule is allowed or not, whoever called
 * the rule. A table holds these, and the nodes of the vocabulary's tree at which the rule can end;
 * what follows below them depends on the callers and is looked at for each configuration. Inside
 * a string that is all but the few hundred tokens that begin with text, end it, and go on.
 *
 * Of a rule that counts characters, a table holds how many characters each token adds, so that it
 * serves any count.
 *
 * A table costs what it cost when it was made, each time that it serves, whether it was kept or not
 * (automaton.h).
 */
#ifndef ITH_GRAMMAR_ALLOWED_H
#define ITH_GRAMMAR_ALLOWED_H

#include "grammar/automaton.h"
#include "grammar/trie.h"

typedef struct ith_allowed ith_allowed;

/* Both must outlive it. */
ith_status ith_allowed_open(ith_automaton *a, const ith_trie *trie, ith_allowed **out,
                            ith_error *err);
void ith_allowed_close(ith_allowed *allowed); /* accepts NULL */

/* Words of a mask: token id is bit id % 64 of word id / 64. */
size_t ith_allowed_words(const ith_allowed *allowed);

/* Writes the mask of a configuration. Not of tokens that end an answer, which no text has. False:
 * the automaton has failed. */
bool ith_allowed_mask(ith_allowed *allowed, int32_t config, uint64_t *mask);

/* Configurations have other numbers now. */
void ith_allowed_forget(ith_allowed *allowed);

/* Bytes that it takes. */
size_t ith_allowed_bytes(const ith_allowed *allowed);

#endif
