/* lookup.h - rows of a matrix that is not in memory: the embedding of a token, read where it is
 * needed. */
#ifndef ITH_WEIGHTS_LOOKUP_H
#define ITH_WEIGHTS_LOOKUP_H

#include "weights/load_plan.h"

typedef struct ith_lookup ith_lookup;

/* `plan` must outlive the lookup, which is the caller's. ITH_E_MEMORY. */
ith_status ith_lookup_open(const ith_load_plan *plan, const ith_matrix *matrix, int n_threads,
                           ith_lookup **lookup, ith_error *err);
void ith_lookup_close(ith_lookup *lookup); /* accepts NULL */

/* Row `row` into out[cols], on thread `tid` < n_threads. Zeros if it cannot be read:
 * ith_lookup_status tells. */
void ith_lookup_row(ith_lookup *lookup, int64_t row, int tid, float *out);

/* The first error of reading that a thread has met; the text is that of the lowest such thread. */
ith_status ith_lookup_status(const ith_lookup *lookup, ith_error *err);

#endif
