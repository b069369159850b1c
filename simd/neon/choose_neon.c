/* choose_neon.c - finding the largest logits, and their weights in sampling. */
#include "simd/neon/vec_neon.h"
#include "simd/variants.h"

#include <math.h>

/* The largest of n <= ITH_MAXIMA values, -INFINITY if none is a number. */
ITH_INLINE float block_max(int64_t n, const float *x)
{
    const float32x4_t lowest = vdupq_n_f32(-INFINITY);
    float32x4_t m[4] = {lowest, lowest, lowest, lowest};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            m[k] = larger(vld1q_f32(x + i + 4 * k), m[k]);
    for (; i < n; i += 4)
        m[0] = larger(vbslq_f32(first_lanes(n - i), load_first(x + i, n - i), lowest), m[0]);
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(m[0], m[1]), vmaxq_f32(m[2], m[3])));
}

#include "simd/choose_blocks.h"

int64_t ith_argmax__neon(int64_t n, const float *x)
{
    float largest;
    int64_t at = best_block(n, x, &largest);
    if (largest == -INFINITY)
        return 0;
    while (x[at] != largest)
        at++;
    return at;
}

void ith_maxima__neon(int64_t n, const float *x, float *out)
{
    all_maxima(n, x, out);
}

int64_t ith_select__neon(int64_t n, const float *x, float limit, int32_t *ids)
{
    int64_t count = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        uint32x4_t found = vdupq_n_u32(0);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            found = vorrq_u32(found, vcgeq_f32(vld1q_f32(x + i + 4 * k), vdupq_n_f32(limit)));
        if (vmaxvq_u32(found) == 0)
            continue;
        for (int64_t j = i; j < i + 16; j++)
            if (x[j] >= limit)
                ids[count++] = (int32_t)j;
    }
    for (; i < n; i++)
        if (x[i] >= limit)
            ids[count++] = (int32_t)i;
    return count;
}

void ith_weights__neon(int64_t n, const float *x, float max, float t, float *out)
{
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t below = vsubq_f32(load_first(x + i, n - i), vdupq_n_f32(max));
        const float32x4_t power = vmulq_n_f32(vdivq_f32(below, vdupq_n_f32(t)), ITH_LOG2E);
        store_first(out + i, n - i, exp2_lanes(power));
    }
}
