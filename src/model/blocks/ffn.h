/* ffn.h - what an MLP and an expert have in common: down(act(gate x) * up x), or without a gate
 * down(act(up x)). */
#ifndef ITH_MODEL_BLOCKS_FFN_H
#define ITH_MODEL_BLOCKS_FFN_H

#include "model/blocks/block.h"
#include "model/pass.h"

/* Width f, hidden h. */
typedef struct ith_ffn {
    const ith_matrix *gate; /* [f, h]; NULL: none */
    const ith_matrix *up;   /* [f, h]; NULL: likewise */
    /* While the block runs, [my tokens][ld_given]: what stands for the products of up, or without a
     * gate, for act(gate x). NULL: nothing does. */
    const float *given;
    int64_t ld_given;
    const ith_matrix *down; /* [h, f] */
    const float *gate_bias; /* [f]; NULL: none, or not loaded yet */
    const float *up_bias;   /* [f]; likewise */
} ith_ffn;

/* The matrix that says how wide it is. */
static inline const ith_matrix *ith_ffn_wide(const ith_ffn *ffn)
{
    return ffn->up != NULL ? ffn->up : ffn->gate;
}

/* Floats per thread of ith_ffn_block's scratch. */
int64_t ith_ffn_scratch(const ith_caches *caches);

/* One thread's work: act(gate x) * up x of rows `rows`, from a group's first on, of tokens
 * [t, t + n) of `in`, to tokens [to, to + n) of `mid`, as ffn->down reads it. */
void ith_ffn_block(ith_pass *pass, const ith_ffn *ffn, ith_range rows, const ith_input *in,
                   int64_t t, int64_t n, const ith_input *mid, int64_t to, float *scratch);

/* All members: the product of a small matrix that every rank has whole (ith_bind_whole_matrix) with
 * h of all my tokens, [tokens][ld]. Ends with a barrier. */
void ith_small_product(ith_pass *pass, const ith_matrix *w, float *out, int64_t ld, ith_member *me);

/* Calls see() for the matrices. */
void ith_ffn_each_matrix(const ith_ffn *ffn, double share, ith_use_fn see, void *user);

/* Bytes that a rank sends in passes by rows: its rows of an intermediate of `width` columns, for
 * each of n tokens. */
int64_t ith_ffn_sends_by_rows(const ith_wire *wire, int64_t width, int64_t n);

#endif
