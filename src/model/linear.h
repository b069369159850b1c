/* linear.h - y = W x, whatever the layout of W. */
#ifndef ITH_MODEL_LINEAR_H
#define ITH_MODEL_LINEAR_H

#include "base/threads.h"
#include "model/acts.h"
#include "model/model.h"

typedef struct ith_input { /* activations in the two forms that matrices may want */
    const float *x;        /* [tokens][ld], for float matrices */
    int64_t ld;
    ith_acts acts; /* for w8, w4, w4m; valid if the model is quantized */
} ith_input;

/* Tiles `tiles` of W for tokens [t, t + n_tokens) of `in`: row j of the first tile of token t lands at out[j], the next token's
 * at out[ld_out + j]. One thread's work. */
void ith_linear_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles, const ith_input *in, int64_t t,
                      int64_t n_tokens, float *out, int64_t ld_out);

/* Called by every member. Rows `rows` of W for n_tokens tokens: whole tiles are computed, from 16 * (rows.begin / 16) on,
 * so row j of token t lands at out[t * ld_out + j - rows.begin + rows.begin % 16]; columns of out up to the tiles' edges are
 * overwritten. The members' shares are disjoint; a barrier must follow before any of it is read. */
void ith_linear(ith_member *me, const ith_model *model, const ith_matrix *w, ith_range rows, const ith_input *in,
                int64_t n_tokens, float *out, int64_t ld_out);

/* Of n tokens, how many W's rows should pass by first (blocking.h). */
int64_t ith_linear_block(const ith_model *model, const ith_matrix *w, int64_t n);

/* C[t][r] = sum_k A[t][k] W[r][k], float32 (blas.c, the only user of OpenBLAS; called by several threads at a time).
 *
 * The library is loaded when somebody asks for it: on loading it starts a thread for each core, each with memory of its own, and the
 * other paths have no use for them; it is then told that each call shall run in its caller's thread alone. ith_blas_open: before the first product.
 * ITH_E_UNSUPPORTED: it is not on this machine. */
ith_status ith_blas_open(ith_error *err);
void ith_blas_gemm(int64_t n_tokens, int64_t n_rows, int64_t n_cols, const float *a, int64_t lda, const float *w,
                   int64_t ldw, float *c, int64_t ldc);
const char *ith_blas_version(void); /* "none": not on this machine */

#endif
