/* vectors.h - the element-wise kernels of the table, each ready to be called repeatedly. */
#ifndef ITH_TOOLS_VECTORS_H
#define ITH_TOOLS_VECTORS_H

#include "base/error.h"
#include "formats/source.h"
#include "simd/kernels.h"

/* Operands of n elements, rounded up to a multiple of 32. */
typedef struct ith_vector_buffers {
    float *x, *y, *z;
    ith_acts acts; /* one token */
    int8_t *head;
    void *block; /* of a q8 cache */
    void *memory;
} ith_vector_buffers;

typedef struct ith_vector_kernel {
    const char *kernel;
    const char *operand; /* the vector of a model that has this length, such as "hidden" or "ffn" */
    int64_t (*elements)(const ith_hparams *hp);
    void (*run)(const ith_kernels *k, const ith_vector_buffers *b, int64_t n);
} ith_vector_kernel;

extern const ith_vector_kernel ith_vector_kernels[];
extern const size_t ith_n_vector_kernels;

ith_status ith_vector_buffers_open(int64_t n, ith_vector_buffers *buffers, ith_error *err);
void ith_vector_buffers_close(ith_vector_buffers *buffers);

#endif
