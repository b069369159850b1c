/* number_range.h - JSON numbers within bounds, exactly, as edges of a grammar. */
#ifndef ITH_GRAMMAR_NUMBER_RANGE_H
#define ITH_GRAMMAR_NUMBER_RANGE_H

#include "base/json.h"
#include "grammar/rules.h"

/* NULL: no bound. */
typedef struct ith_bounds {
    const json_t *min, *max;                     /* as they are or larger, smaller */
    const json_t *exclusive_min, *exclusive_max; /* larger, smaller */
} ith_bounds;

/* From one state to another, a whole number of up to 18 digits, or of as many as a bound has. If
 * there is none within the bounds, nothing leads there (ith_rules_nothing). */
void ith_integer_range(ith_rules *g, int32_t from, int32_t to, const ith_bounds *bounds);

/* The same for any number, in decimals without an exponent: with up to 15 digits, so that no two
 * are the same double, or as many behind the point as a bound has.
 * ITH_E_UNSUPPORTED: a bound has more than 60 digits. */
void ith_decimal_range(ith_rules *g, int32_t from, int32_t to, const ith_bounds *bounds);

#endif
