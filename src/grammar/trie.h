/* trie.h - the tokens of a vocabulary as a tree of their bytes.
 *
 * Which tokens a grammar allows is found by one walk over the tree: what begins with bytes that do
 * not fit is skipped at once. Nodes lie in preorder, so that a walk is a loop over arrays.
 */
#ifndef ITH_GRAMMAR_TRIE_H
#define ITH_GRAMMAR_TRIE_H

#include "text/tokenizer.h"

typedef struct ith_trie {
    const ith_tokenizer *tok;
    int32_t n_ids;  /* the vocabulary: ids 0 to n_ids - 1 */
    size_t n_nodes; /* node 0 is the root */

    /* [n_nodes]: the node's byte; how many bytes lead to it; the first node that is not below
     * it. */
    uint8_t *byte;
    uint16_t *depth;
    uint32_t *skip;

    /* The tokens that end at node i: ids[first[i]] to ids[first[i + 1] - 1]. */
    uint32_t *first; /* [n_nodes + 1] */
    int32_t *ids;
    size_t longest; /* token, in bytes */

    /* Tokens that are other bytes at the beginning of a text. */
    int32_t *odd; /* [n_odd] */
    size_t n_odd;
} ith_trie;

/* Of all tokens but special ones and those without bytes. The tokenizer must outlive the trie.
 * ITH_E_MEMORY. */
ith_status ith_trie_open(const ith_tokenizer *tok, ith_trie **trie, ith_error *err);
void ith_trie_close(ith_trie *trie); /* accepts NULL */

#endif
