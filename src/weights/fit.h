/* fit.h - floats to integers with little squared error: a short search for the scale of a group,
 * and for w4m its minimum.
 *
 * Sixteen rows are fitted at once, one group of 32 columns of each: lane r of everything belongs to
 * row r, so that the compiler vectorizes the inner loops. Every lane goes through the same
 * operations in the same order, none fused: the result depends neither on the instruction set, nor
 * on the threads, nor on the other rows.
 *
 * The error is the sum over columns c of weight[c] * (x[c] - value[c])^2, where value is what the
 * stored quants, and scale and minimum rounded to f16, stand for. It is never larger than with
 * plain rounding to nearest (scale max|x| / 127, or (max - min) / 15 above min), because that is
 * among the candidates.
 *
 * x must be finite; huge values are limited to the reach of f16 scales. weight must be >= 0; only
 * ratios matter, and all 0 count as equal.
 */
#ifndef ITH_WEIGHTS_FIT_H
#define ITH_WEIGHTS_FIT_H

#include "simd/kernels.h"

typedef struct ith_fit_group {
    float x[ITH_GROUP][ITH_TILE_ROWS]; /* [column][row] */
    float weight[ITH_GROUP];           /* of the columns */
} ith_fit_group;

typedef struct ith_fit {
    uint16_t scale[ITH_TILE_ROWS], min[ITH_TILE_ROWS]; /* f16; min: w4m only */
    int8_t quants[ITH_GROUP][ITH_TILE_ROWS]; /* [column][row] w8: [-127, 127]; w4m: [0, 15] */
} ith_fit;

/* Fits all rows of a group. */
void ith_fit_w8(const ith_fit_group *group, ith_fit *fit);
void ith_fit_w4m(const ith_fit_group *group, ith_fit *fit);

#endif
