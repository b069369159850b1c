/* codeset.h - sets of characters. Used inside src/text and src/grammar only. */
#ifndef ITH_TEXT_CODESET_H
#define ITH_TEXT_CODESET_H

#include "base/error.h"

#include <stdint.h>

enum { ITH_MAX_CODE = 0x10ffff };

typedef struct ith_code_range {
    uint32_t first, last;
} ith_code_range;

/* Ranges that ascend and do not touch, once the set is settled. Starts zeroed: empty. */
typedef struct ith_codeset {
    ith_code_range *ranges;
    size_t n, cap;
} ith_codeset;

void ith_codeset_free(ith_codeset *set); /* frees the contents, not the struct */

/* Adds first .. last. The set must be settled before it is used. ITH_E_MEMORY is the only error of
 * this file. */
ith_status ith_codeset_add(ith_codeset *set, uint32_t first, uint32_t last, ith_error *err);

/* Sorts the ranges and joins those that touch. */
void ith_codeset_settle(ith_codeset *set);

/* Of settled sets; the results are settled. Only `set` changes. */
ith_status ith_codeset_unite(ith_codeset *set, const ith_codeset *other, ith_error *err);
ith_status ith_codeset_intersect(ith_codeset *set, const ith_codeset *other, ith_error *err);
ith_status ith_codeset_complement(ith_codeset *set, ith_error *err);

bool ith_codeset_equal(const ith_codeset *a, const ith_codeset *b);

#endif
