/* elementwise_ref.c - norm, rotary embedding, gate and small vector operations. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

void ith_rmsnorm__ref(int64_t n, const float *x, const float *w, float eps, float *out)
{
    float r = 1.0f / sqrtf(ith_sum_squares__ref(n, x) / (float)n + eps);
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] * r * w[i];
}

void ith_rope__ref(int d, float *x, const float *cos, const float *sin)
{
    const int half = d / 2;
    for (int i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        x[i] = fmaf(a, cos[i], -(b * sin[i]));
        x[i + half] = fmaf(b, cos[i], a * sin[i]);
    }
}

void ith_silu_mul__ref(int64_t n, const float *g, const float *u, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float e = ith_exp2_clamped(g[i] * -ITH_LOG2E);
        out[i] = g[i] / (1.0f + e) * u[i];
    }
}

void ith_swiglu__ref(int64_t n, const float *g, const float *u, const ith_swiglu *form, float *out)
{
    const float by = -ITH_LOG2E * form->alpha, limit = form->limit;
    for (int64_t i = 0; i < n; i++) {
        float gate = g[i] > limit ? limit : g[i]; /* NaN stays */
        float up = u[i] > limit ? limit : u[i] < -limit ? -limit : u[i];
        out[i] = gate / (1.0f + ith_exp2_clamped(gate * by)) * (up + form->plus);
    }
}

void ith_layernorm__ref(int64_t n, const float *x, const float *w, const float *b, float eps,
                        float *out)
{
    float lane[16] = {0}, squares[16] = {0};
    for (int64_t i = 0; i < n; i++)
        lane[i % 16] += x[i];
    float mean = ith_lanes16_sum(lane) / (float)n;
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] - mean;
        squares[i % 16] = fmaf(v, v, squares[i % 16]);
    }
    float r = 1.0f / sqrtf(ith_lanes16_sum(squares) / (float)n + eps);
    for (int64_t i = 0; i < n; i++) {
        float v = (x[i] - mean) * r * w[i];
        out[i] = b != NULL ? v + b[i] : v;
    }
}

float ith_sum_squares__ref(int64_t n, const float *x)
{
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++)
        lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    return ith_lanes16_sum(lane);
}

void ith_gelu__ref(int64_t n, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float e = x[i] * fmaf(x[i] * x[i], ITH_GELU_3, ITH_GELU_1);
        out[i] = x[i] / (1.0f + ith_exp2_clamped(e));
    }
}

void ith_relu2__ref(int64_t n, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float r = x[i] < 0 ? 0 : x[i]; /* NaN stays */
        out[i] = r * r;
    }
}

void ith_gelu_erf__ref(int64_t n, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float a = fabsf(x[i]), r = x[i] > 0 ? x[i] : 0, t = 1.0f / fmaf(ITH_ERF_T, a, 1.0f);
        float p = fmaf(ITH_ERF_7, t, ITH_ERF_6);
        p = fmaf(p, t, ITH_ERF_5);
        p = fmaf(p, t, ITH_ERF_4);
        p = fmaf(p, t, ITH_ERF_3);
        p = fmaf(p, t, ITH_ERF_2);
        p = fmaf(p, t, ITH_ERF_1);
        out[i] = r - a * (t * p * ith_exp2_clamped(a * a * ITH_ERF_E));
    }
}

void ith_softcap__ref(int64_t n, float *x, float cap)
{
    const float by = ITH_2LOG2E / cap;
    for (int64_t i = 0; i < n; i++)
        x[i] = cap * ith_tanh_of(x[i] * by);
}

void ith_mul__ref(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= y[i];
}

void ith_add__ref(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

void ith_scale__ref(int64_t n, float *x, float a)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= a;
}

void ith_add_scaled__ref(int64_t n, float *x, float a, const float *y)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = fmaf(a, y[i], x[i]);
}

float ith_max__ref(int64_t n, const float *x)
{
    float m = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m; /* NaN: m */
    return m + 0.0f; /* -0 becomes +0: the result cannot depend on the order of comparisons */
}
