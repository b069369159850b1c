/* choose_avx512bw.c - finding the largest logits, and their weights in sampling.
 *
 * _mm512_max_ps(v, m) gives m where v is NaN.
 */
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

#include <math.h>

/* The largest of n <= ITH_MAXIMA values, -INFINITY if none is a number. */
ITH_INLINE float block_max(int64_t n, const float *x)
{
    const __m512 lowest = _mm512_set1_ps(-INFINITY);
    __m512 m[4] = {lowest, lowest, lowest, lowest};
    int64_t i = 0;
    for (; i + 64 <= n; i += 64)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            m[k] = _mm512_max_ps(_mm512_loadu_ps(x + i + 16 * k), m[k]);
    for (; i < n; i += 16)
        m[0] = _mm512_max_ps(_mm512_mask_loadu_ps(lowest, first_lanes(n - i), x + i), m[0]);
    return _mm512_reduce_max_ps(
        _mm512_max_ps(_mm512_max_ps(m[0], m[1]), _mm512_max_ps(m[2], m[3])));
}

#include "simd/choose_blocks.h"

int64_t ith_argmax__avx512bw(int64_t n, const float *x)
{
    float largest;
    int64_t at = best_block(n, x, &largest);
    for (; largest > -INFINITY; at += 16) {
        const __m512 v = _mm512_maskz_loadu_ps(first_lanes(n - at), x + at);
        const __mmask16 equal =
            _mm512_mask_cmp_ps_mask(first_lanes(n - at), v, _mm512_set1_ps(largest), _CMP_EQ_OQ);
        if (equal != 0)
            return at + __builtin_ctz(equal);
    }
    return 0;
}

void ith_maxima__avx512bw(int64_t n, const float *x, float *out)
{
    all_maxima(n, x, out);
}

int64_t ith_select__avx512bw(int64_t n, const float *x, float limit, int32_t *ids)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        __mmask16 found = _mm512_mask_cmp_ps_mask(keep, _mm512_maskz_loadu_ps(keep, x + i),
                                                  _mm512_set1_ps(limit), _CMP_GE_OQ);
        for (; found != 0; found &= (__mmask16)(found - 1))
            ids[count++] = (int32_t)i + __builtin_ctz(found);
    }
    return count;
}

void ith_weights__avx512bw(int64_t n, const float *x, float max, float t, float *out)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 below = _mm512_sub_ps(_mm512_maskz_loadu_ps(keep, x + i), _mm512_set1_ps(max));
        const __m512 power =
            _mm512_mul_ps(_mm512_div_ps(below, _mm512_set1_ps(t)), _mm512_set1_ps(ITH_LOG2E));
        const __mmask16 seen = _mm512_cmp_ps_mask(power, _mm512_set1_ps(-126.0f), _CMP_GE_OQ);
        _mm512_mask_storeu_ps(out + i, keep, exp2_kept(seen, power));
    }
}
