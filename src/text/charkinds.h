/* charkinds.h - divides characters into kinds, so that each of some sets is a union of kinds. Used
 * inside src/text only. */
#ifndef ITH_TEXT_CHARKINDS_H
#define ITH_TEXT_CHARKINDS_H

#include "text/codeset.h"

enum { ITH_MAX_KINDS = 256, ITH_MAX_SETS = 256, ITH_CODE_PAGES = (ITH_MAX_CODE + 1) / 256 };

/* Settled sets, each of them once. Starts zeroed. */
typedef struct ith_codesets {
    ith_codeset sets[ITH_MAX_SETS];
    size_t n;
} ith_codesets;

/* The kind of every character: pages[256 * page_of[code / 256] + code % 256]. */
typedef struct ith_kinds {
    uint16_t page_of[ITH_CODE_PAGES];
    uint8_t *pages;
    size_t n_pages;
    /* members[k][s / 64] bit s % 64: the characters of kind k are in set s */
    uint64_t members[ITH_MAX_KINDS][ITH_MAX_SETS / 64];
    bool used[ITH_MAX_KINDS];
} ith_kinds;

/* Takes over the set and empties it. *index: where it is, or an equal one that was there already.
 * False: there are ITH_MAX_SETS others. */
bool ith_codesets_put(ith_codesets *sets, ith_codeset *set, size_t *index);

void ith_codesets_free(ith_codesets *sets); /* frees the contents, not the struct */

/* A newline is kind '\n', and nothing else is. *many: there would be more than ITH_MAX_KINDS. Free
 * the contents with ith_kinds_free, also after a failure. */
ith_status ith_kinds_make(const ith_codesets *sets, ith_kinds *kinds, bool *many, ith_error *err);
void ith_kinds_free(ith_kinds *kinds);

#endif
