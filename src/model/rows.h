/* rows.h - all-gathers of passes by rows: every rank's slice of each token becomes whole on all.
 *
 * Matrices are never cut along the summed dimension, so no partial sums travel and no sum depends
 * on the number of ranks. In ws->wire rank r's slice of all tokens is one block, [n][its bytes],
 * blocks in the order of ranks.
 */
#ifndef ITH_MODEL_ROWS_H
#define ITH_MODEL_ROWS_H

#include "model/pass.h"

/* The columns, of n, that rank r has: its rows of the matrix that made them, or those of its heads
 * (n_heads, of which the columns are n_cols / n_heads each). */
typedef struct ith_owners {
    int64_t n_cols, n_heads; /* n_heads 0: rows */
} ith_owners;

ith_range ith_rows_owned(const ith_pass *pass, const ith_owners *owners, int r);

/* All members. n tokens of floats, buf[t * ld]; my columns of a token lie at buf + t * ld + at. No
 * barrier at the end: the member whose share (ith_my_share) a token is may go on with it. */
void ith_rows_gather_floats(ith_pass *pass, ith_member *me, float *buf, int64_t ld, int64_t n,
                            int64_t at, const ith_owners *owners);

/* All members. Every rank's groups of n tokens: mine are in `acts`, the others' come. Ends with a
 * barrier. */
void ith_rows_gather_acts(ith_pass *pass, ith_member *me, const ith_acts *acts, int64_t n,
                          const ith_owners *owners);

#endif
