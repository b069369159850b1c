/* linear.h - y = W x, in any layout of W. */
#ifndef ITH_MODEL_LINEAR_H
#define ITH_MODEL_LINEAR_H

#include "base/threads.h"
#include "model/acts.h"
#include "model/model.h"

/* The activations of some tokens, in both forms that matrices read. */
typedef struct ith_input {
    const float *x; /* [tokens][ld], for float matrices */
    int64_t ld;
    ith_acts acts; /* for quantized layouts; valid if the model is quantized */
} ith_input;

/* One thread: multiplies tiles `tiles` of W with tokens [t, t + n_tokens) of `in`. Row j of the
 * first tile for token t goes to out[j], for the next token to out[ld_out + j]. */
void ith_linear_tiles(const ith_kernels *kernels, const ith_matrix *w, ith_range tiles,
                      const ith_input *in, int64_t t, int64_t n_tokens, float *out, int64_t ld_out);

/* All members: multiplies rows `rows` of W with n_tokens tokens. Whole tiles are computed, from row
 * 16 * (rows.begin / 16) on, so row j of token t goes to
 * out[t * ld_out + j - rows.begin + rows.begin % 16], and columns up to the edges of tiles are
 * overwritten. Each member writes its own share; a barrier must follow before any of it is read. */
void ith_linear(ith_member *me, const ith_model *model, const ith_matrix *w, ith_range rows,
                const ith_input *in, int64_t n_tokens, float *out, int64_t ld_out);

/* The number of tokens, of n, to multiply with W as one block (blocking.h). */
int64_t ith_linear_block(const ith_model *model, const ith_matrix *w, int64_t n);

#endif
