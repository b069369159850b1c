/* similar.h - "did you mean": the known word that is closest to a mistyped one. */
#ifndef ITH_CLI_SIMILAR_H
#define ITH_CLI_SIMILAR_H

#include <stddef.h>

/* Zeroed by the caller, except for `typed` and `len`. */
typedef struct ith_similar {
    const char *typed;
    size_t len;
    const char *best; /* the closest so far; NULL: none is close */
    size_t distance;
} ith_similar;

/* Considers a known word. It is close if at most a third of the letters, or one, must be inserted,
 * dropped, replaced or swapped with a neighbour; or if one of the two, of three letters or more, is
 * the beginning of the other. */
void ith_similar_try(ith_similar *similar, const char *known);

/* " (did you mean --BEST?)" if `before` is "--"; "" if no word is close. Returns `text`. */
const char *ith_similar_hint(const ith_similar *similar, const char *before, char *text,
                             size_t size);

#endif
