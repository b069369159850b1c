/* quantized_impl.h - single numbers of matrices in several tensors, for quantized.c and
 * quantized_join.c. */
#ifndef ITH_FORMATS_QUANTIZED_IMPL_H
#define ITH_FORMATS_QUANTIZED_IMPL_H

#include "formats/quantized.h"

/* Groups of columns, if they are in order. */
static inline int64_t ith_quantized_groups(const ith_quantized *q)
{
    return (q->cols + q->block_cols - 1) / q->block_cols;
}

float ith_quantized_scale_at(const ith_tensor *scales, int64_t i);

/* The zero point of a row in a group, to be subtracted from what is stored. */
int ith_quantized_zero(const ith_quantized *q, int64_t row, int64_t group);

#endif
