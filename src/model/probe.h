/* probe.h - looking into a pass: for what is measured on the way, such as the keys' mean or the
 * activations that matrices read.
 *
 * A probe hangs on a pass and is called for each matrix of each layer. Who sees what depends on the
 * way of the pass: `rows` shows all of its tokens to every rank, `ulysses` those that the rank
 * holds; one rank alone sees all.
 */
#ifndef ITH_MODEL_PROBE_H
#define ITH_MODEL_PROBE_H

#include "base/threads.h"
#include "weights/load_plan.h"

/* [tokens][cols], in floats, or where only those exist, in groups: scale * quant. */
typedef struct ith_seen {
    int64_t tokens, cols;
    const float *x; /* [tokens][ld], or NULL */
    int64_t ld;
    ith_acts acts; /* if x is NULL */
} ith_seen;

/* Columns [cols.begin, cols.end) of a token to out. */
static inline void ith_seen_get(const ith_seen *seen, int64_t token, ith_range cols, float *out)
{
    for (int64_t c = cols.begin; c < cols.end; c++) {
        int64_t group = token * seen->acts.groups + c / ITH_GROUP;
        *out++ = seen->x != NULL ? seen->x[token * seen->ld + c]
                                 : seen->acts.scales[group] *
                                       (float)seen->acts.quants[group * ITH_GROUP + c % ITH_GROUP];
    }
}

/* Both are called by every member of the team, each at its own time: it takes its share (by
 * columns, say), only reads `seen`, and waits for nobody. NULL: not wanted. */
typedef struct ith_probe {
    /* What `readers` [n_readers], matrices with one input, are about to read: some or all of the
     * pass's tokens. Of alternatives such as experts, each matrix is shown that tokens go to. */
    void (*reads)(void *user, const ith_matrix *const *readers, int n_readers, const ith_seen *seen,
                  const ith_member *me);
    /* Keys after norm and RoPE, of the heads that this rank projects. */
    void (*keys)(void *user, int layer, const ith_seen *seen, const ith_member *me);
    void *user;
} ith_probe;

#endif
