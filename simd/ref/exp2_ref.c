/* exp2_ref.c - the exponential as a function for other rooms, and the denominator of softmax. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

float ith_exp2(float x)
{
    return x != x ? x : ith_exp2_inline(x);
}

float ith_sum_exp__ref(int64_t n, const float *x, float max)
{
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++)
        lane[i % 16] += ith_exp2_inline((x[i] - max) * ITH_LOG2E);
    return ith_lanes16_sum(lane);
}
