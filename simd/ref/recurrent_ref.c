/* recurrent_ref.c - what recurrent blocks compute: gates, short convolutions, the recurrence. */
#include "simd/ref/exp2.h"
#include "simd/variants.h"

void ith_sigmoid_mul__ref(int64_t n, const float *g, const float *u, float *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = u[i] / (1.0f + ith_exp2_clamped(g[i] * -ITH_LOG2E));
}

void ith_softplus__ref(int64_t n, const float *a, const float *b, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float x = a[i] + b[i], u = ith_exp2_clamped(fabsf(x) * -ITH_LOG2E);
        float z = u / (2.0f + u);
        out[i] = fmaf(2.0f * z, ith_artanh_terms(z * z), x > 0.0f ? x : 0.0f);
    }
}

void ith_exponential__ref(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = ith_exp2_clamped(x[i] * ITH_LOG2E);
}

void ith_conv__ref(int64_t n, int taps, const float *const *x, const float *w, int64_t ld_w,
                   const float *bias, bool silu, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float acc = bias != NULL ? bias[i] : 0.0f;
        for (int j = 0; j < taps; j++)
            acc = fmaf(w[j * ld_w + i], x[j][i], acc);
        out[i] = silu ? acc / (1.0f + ith_exp2_clamped(acc * -ITH_LOG2E)) : acc;
    }
}

/* ---- The recurrence ---- */

static float lanes4_sum(const float p[4])
{
    return (p[0] + p[2]) + (p[1] + p[3]);
}

/* What the state of a column says of the key. */
static float expected(const ith_recurrence *r, const float *column, const float *k, const float *g)
{
    float p[4] = {0};

    for (int64_t i = 0; i < r->rows; i++)
        p[i % 4] = fmaf(column[16 * i], r->each ? g[i] * k[i] : k[i], p[i % 4]);
    return r->each ? lanes4_sum(p) : g[0] * lanes4_sum(p);
}

static void advance(const ith_recurrence *r, float *column, int64_t t, int64_t c)
{
    const float *q = r->q + t * r->ld, *k = r->k + t * r->ld, *g = r->decay + t * r->ld_gates;
    float d = r->v[t * r->ld + c], p[4] = {0};

    if (r->beta != NULL)
        d = r->beta[t * r->ld_gates] * (d - expected(r, column, k, g));
    for (int64_t i = 0; i < r->rows; i++) {
        column[16 * i] = fmaf(k[i], d, g[r->each ? i : 0] * column[16 * i]);
        p[i % 4] = fmaf(column[16 * i], q[i], p[i % 4]);
    }
    r->out[t * r->ld_out + c] = lanes4_sum(p);
}

void ith_recur__ref(const ith_recurrence *r)
{
    for (int64_t t = 0; t < r->n_tokens; t++)
        for (int64_t c = 0; c < r->cols; c++)
            advance(r, r->state + c / 16 * r->rows * 16 + c % 16, t, c);
}
