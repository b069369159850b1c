/* altup.h - what the two blocks of alternating updates (arXiv 2301.13310, as in Gemma 3n) have in
 * common. The residual stream x is stream 0; the others lie beside it (ith_pass_stream).
 *
 *     predict   before a layer: each stream gets a mixture of all
 *     correct   after it: each gets a share of what the layer has changed in stream 0
 *
 * The mixture and the shares depend on the token: products of small matrices with
 * m = tanh(router norm(x) / hidden). In bits: the router's product is that of any small matrix
 * (ith_small_product), tanh the kernel softcap at 1, sums over streams ascend. */
#ifndef ITH_MODEL_BLOCKS_ALTUP_H
#define ITH_MODEL_BLOCKS_ALTUP_H

#include "model/blocks/block.h"
#include "model/pass.h"

/* The weights of a predict block; n streams with x, hidden h. */
typedef struct ith_altup {
    const ith_matrix *router; /* [n, h] */
    const float *predict;     /* [to][from][n] */
    const float *correct;     /* [to][n] */
    /* Of the model; in the first layer's block: [h, h] each. */
    const ith_matrix *begin[ITH_MAX_STREAMS], *end[ITH_MAX_STREAMS];
} ith_altup;

/* Its buffers. */
typedef struct ith_altup_work {
    float *routed; /* [T][ld]: m of each token */
    int64_t ld;
    float *x; /* [T][hidden]: stream 0 as it was predicted */
} ith_altup_work;

/* All members, after a barrier: m of my tokens, of which each member may read its own share (
 * ith_my_share). Reads h = norm(x). */
void ith_altup_route(ith_pass *pass, const ith_altup *w, ith_member *me);

/* The product of a row of a small matrix with m. */
float ith_altup_dot(int64_t n, const float *row, const float *m);

#endif
