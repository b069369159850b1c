/* choose_blocks.h - finding the largest logits, for every instruction set: the maxima of blocks of
 * ITH_MAXIMA values are compared.
 *
 * The including file defines block_max() first: the largest of n <= ITH_MAXIMA values, -INFINITY if
 * none of them is a number.
 */
#ifndef ITH_SIMD_CHOOSE_BLOCKS_H
#define ITH_SIMD_CHOOSE_BLOCKS_H

#include "simd/kernels.h"

#include <math.h>

ITH_INLINE int64_t block_size(int64_t n, int64_t begin)
{
    return n - begin < ITH_MAXIMA ? n - begin : ITH_MAXIMA;
}

/* Where the first block with the largest value of all begins. */
ITH_INLINE int64_t best_block(int64_t n, const float *x, float *largest)
{
    int64_t at = 0;
    *largest = -INFINITY;
    for (int64_t begin = 0; begin < n; begin += ITH_MAXIMA) {
        const float m = block_max(block_size(n, begin), x + begin);
        if (m > *largest) {
            *largest = m;
            at = begin;
        }
    }
    return at;
}

ITH_INLINE void all_maxima(int64_t n, const float *x, float *out)
{
    for (int64_t begin = 0; begin < n; begin += ITH_MAXIMA)
        *out++ = block_max(block_size(n, begin), x + begin) + 0.0f;
}

#endif
