/* choose_avx2.c - finding the largest logits, and their weights in sampling.
 *
 * _mm256_max_ps(v, m) gives m where v is NaN.
 */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

#include <math.h>

/* The first n lanes at p, -INFINITY in the others. */
ITH_INLINE __m256 load_or_lowest(const float *p, int64_t n)
{
    const __m256 keep = _mm256_castsi256_ps(first_lanes(n));
    return _mm256_blendv_ps(_mm256_set1_ps(-INFINITY), load_first(p, n), keep);
}

/* The largest of n <= ITH_MAXIMA values, -INFINITY if none is a number. */
ITH_INLINE float block_max(int64_t n, const float *x)
{
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 m[4] = {lowest, lowest, lowest, lowest};
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            m[k] = _mm256_max_ps(_mm256_loadu_ps(x + i + 8 * k), m[k]);
    for (; i < n; i += 8)
        m[0] = _mm256_max_ps(load_or_lowest(x + i, n - i), m[0]);
    return max_of_lanes(_mm256_max_ps(_mm256_max_ps(m[0], m[1]), _mm256_max_ps(m[2], m[3])));
}

#include "simd/choose_blocks.h"

int64_t ith_argmax__avx2(int64_t n, const float *x)
{
    float largest;
    int64_t at = best_block(n, x, &largest);
    for (; largest > -INFINITY; at += 8) {
        const __m256 equal =
            _mm256_cmp_ps(load_or_lowest(x + at, n - at), _mm256_set1_ps(largest), _CMP_EQ_OQ);
        const int found = _mm256_movemask_ps(equal);
        if (found != 0)
            return at + __builtin_ctz((unsigned)found);
    }
    return 0;
}

void ith_maxima__avx2(int64_t n, const float *x, float *out)
{
    all_maxima(n, x, out);
}

int64_t ith_select__avx2(int64_t n, const float *x, float limit, int32_t *ids)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 keep = _mm256_castsi256_ps(first_lanes(n - i));
        const __m256 enough =
            _mm256_cmp_ps(load_first(x + i, n - i), _mm256_set1_ps(limit), _CMP_GE_OQ);
        unsigned found = (unsigned)_mm256_movemask_ps(_mm256_and_ps(enough, keep));
        for (; found != 0; found &= found - 1)
            ids[count++] = (int32_t)i + __builtin_ctz(found);
    }
    return count;
}

void ith_weights__avx2(int64_t n, const float *x, float max, float t, float *out)
{
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 below = _mm256_sub_ps(load_first(x + i, n - i), _mm256_set1_ps(max));
        const __m256 power =
            _mm256_mul_ps(_mm256_div_ps(below, _mm256_set1_ps(t)), _mm256_set1_ps(ITH_LOG2E));
        store_first(out + i, n - i, exp2_lanes(power));
    }
}
