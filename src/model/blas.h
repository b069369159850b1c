/* blas.h - f32 products by OpenBLAS, for the exact path. blas.c is the only user of OpenBLAS.
 *
 * The library is loaded on demand: on loading it starts a thread per core, each with memory of its
 * own, and the other paths do not need it. Once loaded, it is told to run every call in the thread
 * of its caller.
 */
#ifndef ITH_MODEL_BLAS_H
#define ITH_MODEL_BLAS_H

#include "base/error.h"

/* Loads the library, for products on so many threads at once; call it before the first product.
 * ITH_E_UNSUPPORTED: the machine does not have it; ITH_E_MEMORY: a limit on the address space
 * leaves no room for its buffers. */
ith_status ith_blas_open(int threads, ith_error *err);

/* C[t][r] = sum over k of A[t][k] * W[r][k], for t < n_tokens, r < n_rows, k < n_cols; row-major,
 * with leading dimensions lda, ldw and ldc. Several threads may call it at the same time. */
void ith_blas_gemm(int64_t n_tokens, int64_t n_rows, int64_t n_cols, const float *a, int64_t lda,
                   const float *w, int64_t ldw, float *c, int64_t ldc);

/* Version and configuration; "none" if the machine does not have the library. */
const char *ith_blas_version(void);

#endif
