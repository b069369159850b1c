/* elementwise_avx2.c - norm, rotary embedding, gate and small vector operations, sixteen lanes at a
 * time. */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

void ith_rmsnorm__avx2(int64_t n, const float *x, const float *w, float eps, float *out)
{
    __m256 low = _mm256_setzero_ps(), high = low;
    /* Past the end zeros are added, which change no sum. */
    for (int64_t i = 0; i < n; i += 16) {
        const __m256 a = load_first(x + i, n - i), b = load_first(x + i + 8, n - i - 8);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    const __m256 r = _mm256_set1_ps(1.0f / sqrtf(lanes16_sum(low, high) / (float)n + eps));
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 v = _mm256_mul_ps(load_first(x + i, n - i), r);
        store_first(out + i, n - i, _mm256_mul_ps(v, load_first(w + i, n - i)));
    }
}

void ith_rope__avx2(int d, float *x, const float *cos, const float *sin)
{
    const int half = d / 2;
    for (int i = 0; i < half; i += 8) {
        const __m256 a = load_first(x + i, half - i), b = load_first(x + half + i, half - i);
        const __m256 c = load_first(cos + i, half - i), s = load_first(sin + i, half - i);
        store_first(x + i, half - i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
        store_first(x + half + i, half - i, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
    }
}

void ith_silu_mul__avx2(int64_t n, const float *g, const float *u, float *out)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 gate = load_first(g + i, n - i), up = load_first(u + i, n - i);
        const __m256 e = exp2_clamped(_mm256_mul_ps(gate, _mm256_set1_ps(-ITH_LOG2E)));
        store_first(out + i, n - i, _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(one, e)), up));
    }
}

void ith_swiglu__avx2(int64_t n, const float *g, const float *u, const ith_swiglu *form, float *out)
{
    const __m256 by = _mm256_set1_ps(-ITH_LOG2E * form->alpha), one = _mm256_set1_ps(1.0f);
    const __m256 most = _mm256_set1_ps(form->limit), least = _mm256_set1_ps(-form->limit);
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 gate = _mm256_min_ps(most, load_first(g + i, n - i)); /* NaN stays */
        const __m256 up = clamped(load_first(u + i, n - i), least, most);
        const __m256 e = exp2_clamped(_mm256_mul_ps(gate, by));
        store_first(out + i, n - i,
                    _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(one, e)),
                                  _mm256_add_ps(up, _mm256_set1_ps(form->plus))));
    }
}

void ith_gelu__avx2(int64_t n, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 v = load_first(x + i, n - i);
        const __m256 by = _mm256_fmadd_ps(_mm256_mul_ps(v, v), _mm256_set1_ps(ITH_GELU_3),
                                          _mm256_set1_ps(ITH_GELU_1));
        const __m256 e = exp2_clamped(_mm256_mul_ps(v, by));
        store_first(out + i, n - i, _mm256_div_ps(v, _mm256_add_ps(_mm256_set1_ps(1.0f), e)));
    }
}

void ith_gelu_erf__avx2(int64_t n, const float *x, float *out)
{
    static const float by[] = {ITH_ERF_5, ITH_ERF_4, ITH_ERF_3, ITH_ERF_2, ITH_ERF_1};
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 v = load_first(x + i, n - i), a = _mm256_andnot_ps(sign, v);
        const __m256 t = _mm256_div_ps(one, _mm256_fmadd_ps(_mm256_set1_ps(ITH_ERF_T), a, one));
        const __m256 y = _mm256_mul_ps(_mm256_mul_ps(a, a), _mm256_set1_ps(ITH_ERF_E));
        __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(ITH_ERF_7), t, _mm256_set1_ps(ITH_ERF_6));
        for (int k = 0; k < 5; k++)
            p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(by[k]));
        p = _mm256_mul_ps(_mm256_mul_ps(t, p), exp2_clamped(y));
        store_first(out + i, n - i,
                    _mm256_sub_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_mul_ps(a, p)));
    }
}

void ith_softcap__avx2(int64_t n, float *x, float cap)
{
    const __m256 by = _mm256_set1_ps(ITH_2LOG2E / cap), c = _mm256_set1_ps(cap);
    for (int64_t i = 0; i < n; i += 8)
        store_first(x + i, n - i,
                    _mm256_mul_ps(c, tanh_of(_mm256_mul_ps(load_first(x + i, n - i), by))));
}

void ith_mul__avx2(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i += 8)
        store_first(x + i, n - i,
                    _mm256_mul_ps(load_first(x + i, n - i), load_first(y + i, n - i)));
}

void ith_add__avx2(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i += 8)
        store_first(x + i, n - i,
                    _mm256_add_ps(load_first(x + i, n - i), load_first(y + i, n - i)));
}

void ith_scale__avx2(int64_t n, float *x, float a)
{
    for (int64_t i = 0; i < n; i += 8)
        store_first(x + i, n - i, _mm256_mul_ps(load_first(x + i, n - i), _mm256_set1_ps(a)));
}

void ith_add_scaled__avx2(int64_t n, float *x, float a, const float *y)
{
    for (int64_t i = 0; i < n; i += 8)
        store_first(
            x + i, n - i,
            _mm256_fmadd_ps(_mm256_set1_ps(a), load_first(y + i, n - i), load_first(x + i, n - i)));
}

float ith_max__avx2(int64_t n, const float *x)
{
    __m256 m = _mm256_set1_ps(-INFINITY);
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 keep = _mm256_castsi256_ps(first_lanes(n - i));
        m = _mm256_max_ps(_mm256_blendv_ps(m, load_first(x + i, n - i), keep), m); /* NaN: m */
    }
    return max_of_lanes(m) + 0.0f;
}

float ith_sum_exp__avx2(int64_t n, const float *x, float max)
{
    __m256 lanes[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (int64_t i = 0; i < n; i += 16)
        for (int k = 0; k < 2; k++) {
            const int64_t left = n - i - 8 * k;
            const __m256 v = _mm256_sub_ps(load_first(x + i + 8 * k, left), _mm256_set1_ps(max));
            const __m256 e = exp2_lanes(_mm256_mul_ps(v, _mm256_set1_ps(ITH_LOG2E)));
            lanes[k] = _mm256_add_ps(lanes[k], keep_lanes(first_lanes(left), e));
        }
    return lanes16_sum(lanes[0], lanes[1]);
}
