/* recur.h - what recurrent blocks have in common: how their heads travel, and how states go through
 * the tokens of a pass.
 *
 * A rank holds the states of some heads (state/recurrent.h) and takes them through all tokens of
 * the pass, one after another. A token's inputs for the heads of a rank, its row, are the floats of
 * ith_recurrent_width. They are made where the token is projected; by tokens (Ulysses) an
 * all-to-all of all ranks brings them to the heads' holders, another takes the results back. By
 * rows every rank makes the rows of its own heads, and the results are gathered.
 *
 * What a kind computes before the recurrence (convolutions, norms of heads), it computes for each
 * token alone, of the rows of that token and of a few before it.
 */
#ifndef ITH_MODEL_BLOCKS_RECUR_H
#define ITH_MODEL_BLOCKS_RECUR_H

#include "model/blocks/block.h"
#include "model/pass.h"

#include <string.h>

/* The limit of numbers that a norm might lose. */
#define ITH_RECUR_VALUE_MOST 0x1p48f

typedef struct ith_recur ith_recur;

/* What distinguishes a kind. Each is called by one member, for one token or some columns. */
typedef struct ith_recur_ops {
    /* The row of my token t for those heads and groups, which this rank has projected. */
    void (*make)(const ith_recur *r, int64_t t, ith_range heads, ith_range groups, float *row);

    /* What convolutions and norms make of rows[taps], the row of a token, and of those before it:
     * for my heads, r->mixed floats. Where a head's state has no matrix: their results. */
    void (*mix)(const ith_recur *r, const float *const *rows, float *mixed);

    /* Takes columns `cols` of my head `head` (counted from my first), whose state begins at
     * `state`, through n tokens that are mixed: a row each. Results to out[n], ld_out apart. */
    void (*advance)(const ith_recur *r, int64_t head, ith_range cols, float *state,
                    const float *mixed, int64_t n, float *out, int64_t ld_out);

    /* The result x of head `head` for my token t, to the input of the output matrix. `to` may be
     * x. */
    void (*finish)(const ith_recur *r, int64_t t, int64_t head, const float *x, float *to);

    /* What is done to the finished results of all heads, in place. NULL: nothing. */
    void (*close)(const ith_recur *r, float *x);
} ith_recur_ops;

/* Buffers. T, C: see ith_work_sizes. */
typedef struct ith_recur_work {
    float *rows_out; /* several ranks: [ranks][T][row] */
    float *rows;     /* [C][row] of my heads, in the order of slots */
    float *mixed;   /* [C][ith_recur.mixed], in the order of tokens; C at least ITH_RECURRENT_LOG */
    float *results; /* [C][my heads * shape.out] */
    float *back;    /* several ranks: [T][all heads * shape.out], rank by rank */
} ith_recur_work;

/* A recurrent block in one pass. */
struct ith_recur {
    ith_pass *pass;
    const ith_recur_ops *ops;
    const void *weights; /* the kind's */
    void *own;           /* the kind's buffers */
    ith_recur_work *work;
    int layer;
    ith_recurrent_shape shape;
    int64_t state_rows; /* of a head's matrix, which has shape.out columns */
    int64_t tiles;      /* see ith_recur_place; 0: heads are in order */
    int64_t more;       /* floats that are mixed beyond those of a row, for each head */
    int64_t width;      /* floats of a row for my heads; of what is mixed from it */
    int64_t mixed;
    ith_range heads, groups;           /* mine */
    ith_range made_heads, made_groups; /* those that this rank projects for its tokens */
};

/* Fills in what follows from shape and pass. */
void ith_recur_open(ith_recur *r);

static inline const ith_kernels *ith_recur_kernels(const ith_recur *r)
{
    return r->pass->model->kernels;
}

/* Appends n floats to a row; returns its new end. */
static inline float *ith_recur_put(float *to, const float *from, int64_t n)
{
    memcpy(to, from, (size_t)n * sizeof *to);
    return to + n;
}

/* Where head `head` begins in the input of the output matrix, in floats: if `tiles`, the first head
 * of each of so many groups comes first, then the second of each. */
static inline int64_t ith_recur_place(const ith_recur *r, int64_t head)
{
    int64_t each = r->tiles == 0 ? 1 : r->shape.heads / r->tiles;
    return (head % each * (r->shape.heads / each) + head / each) * r->shape.out;
}

/* Where item `at` of those that this rank projects, of `each` rows of a matrix, is in a row of
 * projections. */
static inline const float *ith_recur_projected(const float *row, ith_range made, int64_t at,
                                               int64_t each)
{
    return row + made.begin * each % ITH_TILE_ROWS + (at - made.begin) * each;
}

/* n channels of a short convolution and SiLU: of the rows of a token and of r->shape.taps before
 * it, from `at` on, to the same place in `mixed`. w: [taps + 1][ld_w] */
void ith_recur_convolve(const ith_recur *r, const float *const *rows, int64_t at, int64_t n,
                        const float *w, int64_t ld_w, float *mixed);

/* Makes each of n heads of d channels as long as `length`. */
void ith_recur_normalize(const ith_recur *r, int64_t n, int64_t d, double length, float *x);

/* x[i] = 1 / (1 + e^-x[i]) */
void ith_recur_sigmoid(const ith_recur *r, int64_t n, float *x);

/* All members, without a barrier: these items of a matrix times my tokens, to such rows. */
void ith_recur_project(const ith_recur *r, ith_member *me, const ith_matrix *w, ith_range items,
                       int64_t each, float *out, int64_t ld);

/* All members, after ith_recur_run: the block's output. Ends with a barrier. */
void ith_recur_project_out(const ith_recur *r, const ith_block *block, int stage,
                           const ith_matrix *w, ith_member *me);

/* All members, after a barrier: what is projected becomes the input of the output matrix for my
 * tokens, h and acts; the states of the pass's timelines go on. Ends with a barrier. */
void ith_recur_run(const ith_recur *r, ith_member *me);

/* ---- Sizes; pure functions ---- */

/* more: see ith_recur. */
void ith_recur_request(ith_requests *requests, const ith_work_sizes *sizes,
                       const ith_recurrent_shape *shape, int64_t more, ith_recur_work *work);

/* What block.h has of any kind: the shape says it. */
void ith_recur_needs(const ith_work_sizes *sizes, const ith_block *block, ith_work_needs *needs);
int64_t ith_recur_sends_by_tokens(const ith_wire *wire, int layer, int64_t depth, int64_t n);
int64_t ith_recur_sends_by_rows(const ith_wire *wire, int layer, int64_t n);
int64_t ith_recur_exchange_most(const ith_wire *wire, int layer, int64_t n);

/* For the table of a kind. */
#define ITH_RECUR_KIND                                                                             \
    .needs = ith_recur_needs, .sends_by_tokens = ith_recur_sends_by_tokens,                        \
    .sends_by_rows = ith_recur_sends_by_rows, .exchange_most = ith_recur_exchange_most

#endif
