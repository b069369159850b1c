/* choose_ref.c - finding the largest logits, and their weights in sampling. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

int64_t ith_argmax__ref(int64_t n, const float *x)
{
    float largest = -INFINITY;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++)
        /* False for NaN. */
        if (x[i] > largest) {
            largest = x[i];
            at = i;
        }
    return at;
}

void ith_maxima__ref(int64_t n, const float *x, float *out)
{
    for (int64_t b = 0; b * ITH_MAXIMA < n; b++) {
        float m = -INFINITY;
        for (int64_t i = b * ITH_MAXIMA; i < n && i < (b + 1) * ITH_MAXIMA; i++)
            m = x[i] > m ? x[i] : m;
        out[b] = m + 0.0f;
    }
}

int64_t ith_select__ref(int64_t n, const float *x, float limit, int32_t *ids)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (x[i] >= limit)
            ids[count++] = (int32_t)i;
    return count;
}

void ith_weights__ref(int64_t n, const float *x, float max, float t, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const float power = ((x[i] - max) / t) * ITH_LOG2E;
        out[i] = power >= -126.0f ? ith_exp2_normal(power) : 0.0f; /* 0 for NaN */
    }
}
