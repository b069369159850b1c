/* probe.h - looking into a pass: for what is measured on the way, such as the keys' mean or the activations that matrices read.
 *
 * A probe hangs on a pass and is called at each point of each layer. Who sees what depends on the way of the pass: `rows` shows all of
 * its tokens to every rank, `ulysses` those that the rank holds; one rank alone sees all.
 */
#ifndef ITH_MODEL_PROBE_H
#define ITH_MODEL_PROBE_H

#include "base/threads.h"
#include "simd/kernels.h"

typedef enum ith_probe_point {
    ITH_PROBE_ATTN,   /* what the query, key and value matrices read */
    ITH_PROBE_KEYS,   /* keys after norm and RoPE, of the heads that this rank projects */
    ITH_PROBE_O,      /* what the output matrix of attention reads */
    ITH_PROBE_MLP,    /* what gate and up read; the router and all experts' */
    ITH_PROBE_DOWN,   /* what down reads */
    ITH_PROBE_EXPERT, /* what the down of one of the layer's experts reads: once for each that tokens go to, ascending */
    ITH_PROBE_OUTPUT, /* what the vocabulary's matrix reads, for every token; layer 0 */
    ITH_PROBE_POINTS
} ith_probe_point;

typedef struct ith_seen { /* [tokens][cols], in floats, or where only those exist, in groups: scale * quant */
    int64_t tokens, cols;
    int expert;     /* at ITH_PROBE_EXPERT: which */
    const float *x; /* [tokens][ld], or NULL */
    int64_t ld;
    ith_acts acts; /* if x is NULL */
} ith_seen;

/* Columns [cols.begin, cols.end) of a token to out. */
static inline void ith_seen_get(const ith_seen *seen, int64_t token, ith_range cols, float *out)
{
    for (int64_t c = cols.begin; c < cols.end; c++) {
        int64_t group = token * seen->acts.groups + c / ITH_GROUP;
        *out++ = seen->x != NULL
                     ? seen->x[token * seen->ld + c]
                     : seen->acts.scales[group] * (float)seen->acts.quants[group * ITH_GROUP + c % ITH_GROUP];
    }
}

typedef struct ith_probe {
    /* Called by every member of the team, each at its own time: it takes its share (by columns, say), only reads `seen`, and
     * waits for nobody. */
    void (*see)(void *user, ith_probe_point point, int layer, const ith_seen *seen, const ith_member *me);
    void *user;
} ith_probe;

#endif
