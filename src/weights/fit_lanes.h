/* fit_lanes.h - arithmetic on vectors of four floats, one row a lane, for fit_w8.c and fit_w4m.c
 * only.
 *
 * Vector types are GNU C's; SSE2 and NEON hold one in a register. Each operation is the IEEE
 * operation of each lane; none is fused or reordered.
 */
#ifndef ITH_WEIGHTS_FIT_LANES_H
#define ITH_WEIGHTS_FIT_LANES_H

#include "weights/fit.h"

#include <string.h>

enum { ITH_LANES = 4 };

typedef float ith_lanes __attribute__((vector_size(4 * ITH_LANES)));
/* The result of a comparison: -1 true, 0 false. */
typedef int32_t ith_lanes_mask __attribute__((vector_size(4 * ITH_LANES)));

/* An error counts as smaller only if it is smaller by more than the rounding of its sum. */
#define ITH_FIT_BETTER 0.99999f

static inline ith_lanes ith_lanes_all(float x)
{
    return (ith_lanes){x, x, x, x};
}

static inline ith_lanes ith_lanes_select(ith_lanes_mask m, ith_lanes yes, ith_lanes no)
{
    return (ith_lanes)((m & (ith_lanes_mask)yes) | (~m & (ith_lanes_mask)no));
}

static inline ith_lanes ith_lanes_min(ith_lanes a, ith_lanes b)
{
    ith_lanes out;
    for (int i = 0; i < ITH_LANES; i++)
        out[i] = a[i] < b[i] ? a[i] : b[i];
    return out;
}

static inline ith_lanes ith_lanes_max(ith_lanes a, ith_lanes b)
{
    ith_lanes out;
    for (int i = 0; i < ITH_LANES; i++)
        out[i] = a[i] > b[i] ? a[i] : b[i];
    return out;
}

static inline ith_lanes ith_lanes_abs(ith_lanes x)
{
    return (ith_lanes)((ith_lanes_mask)x & 0x7fffffff);
}

/* x clamped to [low, high], within 2^22, and rounded to nearest even: the sum has no room for a
 * fraction. */
static inline ith_lanes ith_lanes_round(ith_lanes x, float low, float high)
{
    x = ith_lanes_min(ith_lanes_max(x, ith_lanes_all(low)), ith_lanes_all(high));
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* x rounded to f16, clamped to 65504. Normal numbers: Veltkamp's splitting at 11 bits. Below 2^-14:
 * adding 0.5 leaves a multiple of 2^-24. */
static inline ith_lanes ith_lanes_round_half(ith_lanes x)
{
    ith_lanes a = ith_lanes_min(ith_lanes_abs(x), ith_lanes_all(65504)), split = a * 8193.0f;
    ith_lanes out = ith_lanes_select(a < 0x1p-14f, (a + 0.5f) - 0.5f, split - (split - a));
    return (ith_lanes)((ith_lanes_mask)out | ((ith_lanes_mask)x & INT32_MIN));
}

/* 1 / x, and 0 for x <= 0. */
static inline ith_lanes ith_lanes_inverse(ith_lanes x)
{
    return ith_lanes_select(x > 0.0f, 1.0f / x, ith_lanes_all(0));
}

/* Rows first_row to first_row + 3 of a group. */
static inline void ith_lanes_load(const ith_fit_group *g, int first_row, ith_lanes x[ITH_GROUP])
{
    for (int c = 0; c < ITH_GROUP; c++)
        memcpy(&x[c], &g->x[c][first_row], sizeof x[c]);
}

/* The weights scaled so that the largest is 1 and no product overflows or vanishes; all 1 if all
 * are 0. */
static inline void ith_fit_weights(const float weight[ITH_GROUP], float out[ITH_GROUP])
{
    float largest = 0;
    for (int c = 0; c < ITH_GROUP; c++)
        largest = weight[c] > largest ? weight[c] : largest;
    for (int c = 0; c < ITH_GROUP; c++)
        out[c] = largest > 0 ? weight[c] / largest : 1;
}

#endif
