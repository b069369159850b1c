/* ulysses.c - passes by tokens: a rank computes all rows of every matrix for its tokens, so nothing
 * is gathered. How heads travel: blocks/heads_ulysses.c. */
#include "model/pass.h"

static ith_range all_rows(const ith_pass *p, int64_t n_rows)
{
    (void)p;
    return (ith_range){0, n_rows};
}

static void nothing_to_gather_mid(ith_pass *p, ith_member *me, const ith_input *mid, int64_t n,
                                  const ith_matrix *down)
{
    (void)p, (void)me, (void)mid, (void)n, (void)down;
}

static void nothing_to_gather(ith_pass *p, ith_member *me)
{
    (void)p, (void)me;
}

const ith_way ith_way_ulysses = {
    .name = "ulysses",
    .rows = all_rows,
    .gather_mid = nothing_to_gather_mid,
    .gather_y = nothing_to_gather,
};
