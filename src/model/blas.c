#include "model/linear.h"

#include <cblas.h>

void ith_blas_open(void)
{
    openblas_set_num_threads(1);
}

void ith_blas_gemm(int64_t n_tokens, int64_t n_rows, int64_t n_cols, const float *a, int64_t lda, const float *w,
                   int64_t ldw, float *c, int64_t ldc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n_tokens, (blasint)n_rows, (blasint)n_cols, 1.0f, a,
                (blasint)lda, w, (blasint)ldw, 0.0f, c, (blasint)ldc);
}

const char *ith_blas_version(void)
{
    return openblas_get_config();
}
