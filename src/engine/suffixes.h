/* suffixes.h - a growing sequence of token ids that knows, after each token, the longest ending of it that occurred before.
 *
 * A suffix automaton (Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text"), built token by token: of the
 * state of the whole sequence, the suffix link is the longest ending that is also found elsewhere. A push takes constant time on
 * average; memory is some 110 bytes a token, touched as tokens come.
 */
#ifndef ITH_ENGINE_SUFFIXES_H
#define ITH_ENGINE_SUFFIXES_H

#include "base/error.h"

typedef struct ith_suffixes ith_suffixes;

/* For up to max_tokens pushes, at most 2^27. */
ith_status ith_suffixes_open(int64_t max_tokens, ith_suffixes **suffixes, ith_error *err);
void ith_suffixes_close(ith_suffixes *suffixes); /* accepts NULL */

void ith_suffixes_push(ith_suffixes *suffixes, int32_t id);
int64_t ith_suffixes_length(const ith_suffixes *suffixes); /* tokens pushed */

/* Length of the longest ending of the sequence that occurred before (it may overlap with itself); 0: the last token is new. *follows:
 * the place after that earlier occurrence, less than the sequence's length; of several the last, or a late one if more than 16 longer sequences that
 * end in it were repeated since. */
int64_t ith_suffixes_match(const ith_suffixes *suffixes, int64_t *follows);

#endif
