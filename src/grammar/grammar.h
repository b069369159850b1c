/* grammar.h - a grammar for a vocabulary, and the answers that follow it.
 *
 *     ith_gbnf_compile(text, len, &rules, &err);        or ith_schema_compile
 *     ith_grammar_make(&rules, &how, source, &grammar, &err);
 *     ith_follower_open(grammar, false, &follower, &err);
 *     while (more) {
 *         ith_follower_mask(follower, &mask, &err);       the tokens that may come next
 *         ith_follower_accept(follower, id, &complete, &err);
 *     }
 *
 * A grammar may have any number of followers, used by any threads; each follower by one at a time.
 *
 * A mask, and a token, has a budget of work, so that nobody else waits long; see automaton.h. What
 * is beyond it ends this follower and no other. It does not matter what others have followed.
 */
#ifndef ITH_GRAMMAR_GRAMMAR_H
#define ITH_GRAMMAR_GRAMMAR_H

#include "grammar/rules.h"
#include "grammar/trie.h"

typedef struct ith_follower ith_follower;

/* Steps of some nanoseconds, of one mask or token: a tenth of a second at most. */
enum { ITH_GRAMMAR_WORK = 1 << 25 };

typedef struct ith_grammar_how {
    const ith_trie *trie; /* must outlive the grammar */
    const int32_t *stops; /* [n_stops] tokens that end an answer; copied */
    int n_stops;
    int64_t work; /* the budget, such as ITH_GRAMMAR_WORK */
} ith_grammar_how;

/* Finished rules, which are taken over and emptied, also after a failure. source: what they were
 * made of. */
ith_status ith_grammar_make(ith_rules *rules, const ith_grammar_how *how, ith_bytes source,
                            ith_grammar **grammar, ith_error *err);

void ith_grammar_free(ith_grammar *grammar); /* accepts NULL */

/* What the owner of a grammar puts there; NULL at first. */
void ith_grammar_set_home(ith_grammar *grammar, void *home);
void *ith_grammar_home(const ith_grammar *grammar);

/* Bytes that it takes. */
size_t ith_grammar_bytes(ith_grammar *grammar);

/* The SHA-256 of the source, in hexadecimal: of two grammars with the same key one follows for the
 * other. */
const char *ith_grammar_key(const ith_grammar *grammar);

/* At the beginning of an answer, which is that of a text, or goes on in one, inside of which
 * SentencePiece's tokens are other bytes. The grammar must outlive it. */
ith_status ith_follower_open(ith_grammar *grammar, bool continues, ith_follower **follower,
                             ith_error *err);
void ith_follower_close(ith_follower *follower); /* accepts NULL */

/* The mask of the tokens that may come next: token id is bit id % 64 of word id / 64. Tokens that
 * end an answer are among them where the grammar may end. Valid until the next call on the
 * follower; *n_ids: how many bits there are.
 * ITH_E_UNSUPPORTED: no token of the vocabulary can go on, or it is beyond the budget.
 * ITH_E_MEMORY. After these the follower can only be closed. */
ith_status ith_follower_mask(ith_follower *follower, const uint64_t **mask, int32_t *n_ids,
                             ith_error *err);

/* The token was chosen. *complete: nothing can follow. ITH_E_FORMAT: it does not fit. Else as
 * above. */
ith_status ith_follower_accept(ith_follower *follower, int32_t id, bool *complete, ith_error *err);

/* May the text end here? */
bool ith_follower_may_end(ith_follower *follower);

#endif
