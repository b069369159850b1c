/* suffixes.h - a growing sequence of token ids that knows, after each token, the longest suffix of
 * the sequence that occurred before.
 *
 * It is a suffix automaton (Blumer et al. 1985, "The smallest automaton recognizing the subwords of
 * a text"), built token by token: the suffix link of the whole sequence's state is the longest
 * suffix that also occurs elsewhere. A push takes constant time on average. Memory is some 110
 * bytes per token, touched as tokens come.
 */
#ifndef ITH_ENGINE_SUFFIXES_H
#define ITH_ENGINE_SUFFIXES_H

#include "base/error.h"

typedef struct ith_suffixes ith_suffixes;

/* For up to max_tokens tokens, at most 2^27. ITH_E_MEMORY is the only error. */
ith_status ith_suffixes_open(int64_t max_tokens, ith_suffixes **suffixes, ith_error *err);
void ith_suffixes_close(ith_suffixes *suffixes); /* accepts NULL */

/* Appends a token. At most max_tokens times. */
void ith_suffixes_push(ith_suffixes *suffixes, int32_t id);

/* The number of tokens pushed. */
int64_t ith_suffixes_length(const ith_suffixes *suffixes);

/* The length of the longest suffix of the sequence that occurred before; the two occurrences may
 * overlap. 0: the last token is new. *follows: the index of the token after that earlier
 * occurrence, less than the sequence's length. Of several occurrences it is the last; or a late
 * one, if more than 16 longer sequences that end in the suffix have been repeated since. */
int64_t ith_suffixes_match(const ith_suffixes *suffixes, int64_t *follows);

#endif
