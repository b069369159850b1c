/* elementwise_avx512bw.c - norm, rotary embedding, gate and small vector operations, sixteen lanes
 * at a time. */
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

void ith_rmsnorm__avx512bw(int64_t n, const float *x, const float *w, float eps, float *out)
{
    __m512 lanes = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(keep, x + i);
        lanes = _mm512_mask3_fmadd_ps(v, v, lanes, keep);
    }
    const __m512 r = _mm512_set1_ps(1.0f / sqrtf(lanes16_sum(lanes) / (float)n + eps));
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, x + i), r);
        _mm512_mask_storeu_ps(out + i, keep, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(keep, w + i)));
    }
}

void ith_rope__avx512bw(int d, float *x, const float *cos, const float *sin)
{
    const int half = d / 2;
    for (int i = 0; i < half; i += 16) {
        const __mmask16 keep = first_lanes(half - i);
        const __m512 a = _mm512_maskz_loadu_ps(keep, x + i),
                     b = _mm512_maskz_loadu_ps(keep, x + half + i);
        const __m512 c = _mm512_maskz_loadu_ps(keep, cos + i),
                     s = _mm512_maskz_loadu_ps(keep, sin + i);
        _mm512_mask_storeu_ps(x + i, keep, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        _mm512_mask_storeu_ps(x + half + i, keep, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
    }
}

void ith_silu_mul__avx512bw(int64_t n, const float *g, const float *u, float *out)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 gate = _mm512_maskz_loadu_ps(keep, g + i),
                     up = _mm512_maskz_loadu_ps(keep, u + i);
        const __m512 e = exp2_clamped(_mm512_mul_ps(gate, _mm512_set1_ps(-ITH_LOG2E)));
        _mm512_mask_storeu_ps(out + i, keep,
                              _mm512_mul_ps(_mm512_div_ps(gate, _mm512_add_ps(one, e)), up));
    }
}

void ith_swiglu__avx512bw(int64_t n, const float *g, const float *u, const ith_swiglu *form,
                          float *out)
{
    const __m512 by = _mm512_set1_ps(-ITH_LOG2E * form->alpha), one = _mm512_set1_ps(1.0f);
    const __m512 most = _mm512_set1_ps(form->limit), least = _mm512_set1_ps(-form->limit);
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 gate = _mm512_min_ps(most, _mm512_maskz_loadu_ps(keep, g + i)), /* NaN stays */
            limited = clamped(_mm512_maskz_loadu_ps(keep, u + i), least, most);
        const __m512 up = _mm512_add_ps(limited, _mm512_set1_ps(form->plus));
        const __m512 e = exp2_clamped(_mm512_mul_ps(gate, by));
        _mm512_mask_storeu_ps(out + i, keep,
                              _mm512_mul_ps(_mm512_div_ps(gate, _mm512_add_ps(one, e)), up));
    }
}

void ith_gelu__avx512bw(int64_t n, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(keep, x + i);
        const __m512 by = _mm512_fmadd_ps(_mm512_mul_ps(v, v), _mm512_set1_ps(ITH_GELU_3),
                                          _mm512_set1_ps(ITH_GELU_1));
        const __m512 e = exp2_clamped(_mm512_mul_ps(v, by));
        _mm512_mask_storeu_ps(out + i, keep,
                              _mm512_div_ps(v, _mm512_add_ps(_mm512_set1_ps(1.0f), e)));
    }
}

void ith_gelu_erf__avx512bw(int64_t n, const float *x, float *out)
{
    static const float by[] = {ITH_ERF_5, ITH_ERF_4, ITH_ERF_3, ITH_ERF_2, ITH_ERF_1};
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(keep, x + i), a = _mm512_abs_ps(v);
        const __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(_mm512_set1_ps(ITH_ERF_T), a, one));
        const __m512 y = _mm512_mul_ps(_mm512_mul_ps(a, a), _mm512_set1_ps(ITH_ERF_E));
        __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(ITH_ERF_7), t, _mm512_set1_ps(ITH_ERF_6));
        for (int k = 0; k < 5; k++)
            p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(by[k]));
        p = _mm512_mul_ps(_mm512_mul_ps(t, p), exp2_clamped(y));
        _mm512_mask_storeu_ps(
            out + i, keep,
            _mm512_sub_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_mul_ps(a, p)));
    }
}

void ith_softcap__avx512bw(int64_t n, float *x, float cap)
{
    const __m512 by = _mm512_set1_ps(ITH_2LOG2E / cap), c = _mm512_set1_ps(cap);
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(keep, x + i);
        _mm512_mask_storeu_ps(x + i, keep, _mm512_mul_ps(c, tanh_of(_mm512_mul_ps(v, by))));
    }
}

void ith_mul__avx512bw(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 product =
            _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, x + i), _mm512_maskz_loadu_ps(keep, y + i));
        _mm512_mask_storeu_ps(x + i, keep, product);
    }
}

void ith_add__avx512bw(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 sum =
            _mm512_add_ps(_mm512_maskz_loadu_ps(keep, x + i), _mm512_maskz_loadu_ps(keep, y + i));
        _mm512_mask_storeu_ps(x + i, keep, sum);
    }
}

void ith_scale__avx512bw(int64_t n, float *x, float a)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        _mm512_mask_storeu_ps(x + i, keep,
                              _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, x + i), _mm512_set1_ps(a)));
    }
}

void ith_add_scaled__avx512bw(int64_t n, float *x, float a, const float *y)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 more = _mm512_maskz_loadu_ps(keep, y + i),
                     sum = _mm512_maskz_loadu_ps(keep, x + i);
        _mm512_mask_storeu_ps(x + i, keep, _mm512_fmadd_ps(_mm512_set1_ps(a), more, sum));
    }
}

float ith_max__avx512bw(int64_t n, const float *x)
{
    __m512 m = _mm512_set1_ps(-INFINITY);
    for (int64_t i = 0; i < n; i += 16) /* NaN: m */
        m = _mm512_max_ps(_mm512_mask_loadu_ps(m, first_lanes(n - i), x + i), m);
    return _mm512_reduce_max_ps(m) + 0.0f;
}

float ith_sum_exp__avx512bw(int64_t n, const float *x, float max)
{
    __m512 lanes = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(keep, x + i), _mm512_set1_ps(max));
        lanes = _mm512_add_ps(lanes, exp2_lanes(keep, _mm512_mul_ps(v, _mm512_set1_ps(ITH_LOG2E))));
    }
    return lanes16_sum(lanes);
}
