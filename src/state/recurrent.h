/* recurrent.h - recurrent states of one rank: of fixed size, however long the timeline is.
 *
 * The state of a layer consists of heads, which ranks share out (ith_recurrent_heads). A head's is
 * a matrix of `cells` floats that each token changes in turn (simd/kernels.h, ith_recurrence); it
 * cannot be cut back by tokens. So a timeline holds two: `now`, and `saved`, which is a few tokens
 * behind, and between them the inputs of these tokens. A timeline that is cut back to one of them
 * goes on from `saved` by their inputs, without the products that made them: what speculation needs
 * after wrong guesses.
 *
 * A short convolution needs the inputs of `taps` tokens more; they lie before the others. At the
 * beginning of a timeline both are zeros.
 *
 * All functions are local. A pass changes the state in blocks/recur.c; nothing else does.
 */
#ifndef ITH_STATE_RECURRENT_H
#define ITH_STATE_RECURRENT_H

#include "base/error.h"
#include "base/range.h"
#include "base/threads.h"

/* Of one layer, over all ranks. */
typedef struct ith_recurrent_shape {
    int64_t heads, groups;             /* heads; heads / groups of them share a group's inputs */
    int64_t head_inputs, group_inputs; /* floats of a token for each head, for each group */
    int64_t cells;                     /* floats of a head's matrix; may be 0 */
    int64_t taps;                      /* earlier tokens whose inputs the next one needs */
} ith_recurrent_shape;

enum {
    ITH_RECURRENT_BACK = 16, /* a timeline can be cut back by so many tokens at least */
    ITH_RECURRENT_LOG = 64   /* the tokens between `saved` and `now`, at most */
};

/* The heads whose state rank r of `ranks` holds, and the groups that they are of. */
ith_range ith_recurrent_heads(const ith_recurrent_shape *shape, int ranks, int r);
ith_range ith_recurrent_groups(const ith_recurrent_shape *shape, int ranks, int r);

/* Floats of a token's inputs for rank r. */
int64_t ith_recurrent_width(const ith_recurrent_shape *shape, int ranks, int r);

/* Bytes that rank r holds of a layer. */
int64_t ith_recurrent_bytes(const ith_recurrent_shape *shape, int ranks, int r);

typedef struct ith_recurrent_layer {
    ith_recurrent_shape shape; /* heads 0: the layer has no such state */
    int64_t heads;             /* held here; perhaps none */
    int64_t width;             /* floats of a token's inputs */
    float *now, *saved;        /* [heads][cells] */
    float *log;                /* [taps + ITH_RECURRENT_LOG][width] from token saved_at - taps on */
    int64_t at, saved_at;      /* tokens that `now` and `saved` have seen */
} ith_recurrent_layer;

typedef struct ith_recurrent {
    int n_layers;
    ith_recurrent_layer *layers; /* [n_layers] */
    bool reserved, populated;
} ith_recurrent;

/* Of rank `rank` of `ranks`; shapes [n_layers]. Allocates tables only. ITH_E_MEMORY. */
ith_status ith_recurrent_open(const ith_recurrent_shape *shapes, int n_layers, int ranks, int rank,
                              ith_recurrent **out, ith_error *err);
void ith_recurrent_close(ith_recurrent *r); /* accepts NULL */

/* Allocates the states; ITH_E_MEMORY leaves nothing. populate: brings them into memory. */
ith_status ith_recurrent_reserve(ith_recurrent *r, ith_error *err);
ith_status ith_recurrent_populate(ith_recurrent *r, ith_error *err);

/* Can a pass follow the first n_tokens tokens? */
bool ith_recurrent_resumes(const ith_recurrent *r, int64_t n_tokens);

/* The least n for which that is true of n and all up to where the states are now; of 0 it always
 * is. */
int64_t ith_recurrent_least(const ith_recurrent *r);

/* Says that the states, whatever they are, have seen n_tokens tokens: for benchmarks. */
void ith_recurrent_claim(ith_recurrent *r, int64_t n_tokens);

/* Calls see() for each allocation. */
void ith_recurrent_regions(const ith_recurrent *r,
                           void (*see)(void *user, const void *at, size_t bytes, int node),
                           void *user);

#endif
