/* fit.h - floats to integers with little squared error: a short search for the scale, and for w4m the minimum, of a group.
 *
 * Sixteen rows are fitted at once, one group of 32 columns of each: lane r of everything belongs to row r, so that the compiler
 * turns the inner loops into vector code. Every lane goes through the same operations in the same order, without fused ones: the result
 * does not depend on the instruction set, the threads, or the rows beside it.
 *
 * What is made small is sum over columns c of weight[c] * (x[c] - value[c])^2, where value is what the stored quants, and scale and
 * minimum rounded to f16, stand for. It is never larger than that of rounding to nearest with the scale max|x| / 127, or (max - min) / 15
 * above min, because those are among what is tried.
 *
 * x must be finite; huge ones are limited to what f16 scales reach. weight: >= 0; how large they are altogether does not matter, and if all are
 * 0 they count as equal.
 */
#ifndef ITH_WEIGHTS_FIT_H
#define ITH_WEIGHTS_FIT_H

#include "simd/kernels.h"

typedef struct ith_fit_group {
    float x[ITH_GROUP][ITH_TILE_ROWS];
    float weight[ITH_GROUP];
} ith_fit_group;

typedef struct ith_fit {
    uint16_t scale[ITH_TILE_ROWS], min[ITH_TILE_ROWS]; /* f16; min is of w4m only */
    int8_t quants[ITH_GROUP][ITH_TILE_ROWS];           /* w8: [-127, 127]; w4m: [0, 15] */
} ith_fit;

void ith_fit_w8(const ith_fit_group *group, ith_fit *fit);
void ith_fit_w4m(const ith_fit_group *group, ith_fit *fit);

#endif
