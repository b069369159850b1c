/* recurrent_neon.c - what recurrent blocks compute, four channels or sixteen columns at a time. */
#include "simd/neon/vec_neon.h"
#include "simd/variants.h"

/* 1 + e^-x */
ITH_INLINE float32x4_t one_and_exp(float32x4_t x)
{
    return vaddq_f32(vdupq_n_f32(1.0f), exp2_clamped(vmulq_n_f32(x, -ITH_LOG2E)));
}

void ith_sigmoid_mul__neon(int64_t n, const float *g, const float *u, float *out)
{
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t below = one_and_exp(load_first(g + i, n - i));
        store_first(out + i, n - i, vdivq_f32(load_first(u + i, n - i), below));
    }
}

ITH_INLINE float32x4_t artanh_terms(float32x4_t y)
{
    float32x4_t p = vdupq_n_f32(1.0f / 17.0f);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 15.0f), p, y);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 13.0f), p, y);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 11.0f), p, y);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 9.0f), p, y);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 7.0f), p, y);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 5.0f), p, y);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 3.0f), p, y);
    return vfmaq_f32(vdupq_n_f32(1.0f), p, y);
}

void ith_softplus__neon(int64_t n, const float *a, const float *b, float *out)
{
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t x = vaddq_f32(load_first(a + i, n - i), load_first(b + i, n - i));
        const float32x4_t u = exp2_clamped(vmulq_n_f32(vabsq_f32(x), -ITH_LOG2E));
        const float32x4_t z = vdivq_f32(u, vaddq_f32(vdupq_n_f32(2.0f), u));
        const float32x4_t least = vmaxq_f32(x, vdupq_n_f32(0.0f));
        store_first(out + i, n - i,
                    vfmaq_f32(least, vmulq_n_f32(z, 2.0f), artanh_terms(vmulq_f32(z, z))));
    }
}

void ith_exponential__neon(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t y = vmulq_n_f32(load_first(x + i, n - i), ITH_LOG2E);
        store_first(x + i, n - i, exp2_clamped(y));
    }
}

void ith_conv__neon(int64_t n, int taps, const float *const *x, const float *w, int64_t ld_w,
                    const float *bias, bool silu, float *out)
{
    for (int64_t i = 0; i < n; i += 4) {
        float32x4_t acc = bias != NULL ? load_first(bias + i, n - i) : vdupq_n_f32(0.0f);
        for (int j = 0; j < taps; j++)
            acc = vfmaq_f32(acc, load_first(w + j * ld_w + i, n - i), load_first(x[j] + i, n - i));
        if (silu)
            acc = vdivq_f32(acc, one_and_exp(acc));
        store_first(out + i, n - i, acc);
    }
}

/* ---- The recurrence: a block of columns, four registers, whose four partial results each are
 * chains that do not wait for each other ---- */

enum { QUARTERS = 4, LANES = 4 };

#define EACH_QUARTER _Pragma("GCC unroll 4") for (int b = 0; b < QUARTERS; b++)
#define EACH_LANE    _Pragma("GCC unroll 4") for (int l = 0; l < LANES; l++)

ITH_INLINE float32x4_t lanes4_sum(const float32x4_t p[LANES])
{
    return vaddq_f32(vaddq_f32(p[0], p[2]), vaddq_f32(p[1], p[3]));
}

/* One token's vectors. */
typedef struct token {
    const float *q, *k, *g;
} token;

/* Row i of e, the contributions of lane l. */
ITH_INLINE void expect_row(const bool each, const token *t, int64_t i, int l, const float *s,
                           float32x4_t p[QUARTERS][LANES])
{
    const float k = each ? t->g[i] * t->k[i] : t->k[i];
    EACH_QUARTER p[b][l] = vfmaq_n_f32(p[b][l], vld1q_f32(s + 16 * i + 4 * b), k);
}

ITH_INLINE void expect(const bool each, const token *t, int64_t rows, const float *s,
                       float32x4_t e[QUARTERS])
{
    float32x4_t p[QUARTERS][LANES];
    int64_t i = 0;

    EACH_QUARTER
    EACH_LANE p[b][l] = vdupq_n_f32(0.0f);
    for (; i + LANES <= rows; i += LANES)
        EACH_LANE expect_row(each, t, i + l, l, s, p);
    EACH_LANE if (i + l < rows) expect_row(each, t, i + l, l, s, p);
    EACH_QUARTER e[b] = each ? lanes4_sum(p[b]) : vmulq_n_f32(lanes4_sum(p[b]), t->g[0]);
}

ITH_INLINE void update_row(const bool each, const token *t, int64_t i, int l, float *s,
                           const float32x4_t d[QUARTERS], float32x4_t p[QUARTERS][LANES])
{
    const float g = t->g[each ? i : 0];
    EACH_QUARTER
    {
        float *at = s + 16 * i + 4 * b;
        const float32x4_t row = vfmaq_n_f32(vmulq_n_f32(vld1q_f32(at), g), d[b], t->k[i]);
        vst1q_f32(at, row);
        p[b][l] = vfmaq_n_f32(p[b][l], row, t->q[i]);
    }
}

ITH_INLINE void update(const bool each, const token *t, int64_t rows, float *s,
                       const float32x4_t d[QUARTERS], float32x4_t out[QUARTERS])
{
    float32x4_t p[QUARTERS][LANES];
    int64_t i = 0;

    EACH_QUARTER
    EACH_LANE p[b][l] = vdupq_n_f32(0.0f);
    for (; i + LANES <= rows; i += LANES)
        EACH_LANE update_row(each, t, i + l, l, s, d, p);
    EACH_LANE if (i + l < rows) update_row(each, t, i + l, l, s, d, p);
    EACH_QUARTER out[b] = lanes4_sum(p[b]);
}

/* The block of columns from `first` on, of which `cols` are left. */
ITH_INLINE void run_block(const ith_recurrence *r, const bool each, const bool erase, int64_t first,
                          int64_t cols)
{
    float *s = r->state + first * r->rows;
    for (int64_t at = 0; at < r->n_tokens; at++) {
        const token t = {r->q + at * r->ld, r->k + at * r->ld, r->decay + at * r->ld_gates};
        const float *v = r->v + at * r->ld + first;
        float *to = r->out + at * r->ld_out + first;
        float32x4_t d[QUARTERS], e[QUARTERS], out[QUARTERS];
        EACH_QUARTER d[b] = load_first(v + 4 * b, cols - 4 * b);
        if (erase) {
            const float beta = r->beta[at * r->ld_gates];
            expect(each, &t, r->rows, s, e);
            EACH_QUARTER d[b] = vmulq_n_f32(vsubq_f32(d[b], e[b]), beta);
        }
        update(each, &t, r->rows, s, d, out);
        EACH_QUARTER store_first(to + 4 * b, cols - 4 * b, out[b]);
    }
}

ITH_INLINE void run_all(const ith_recurrence *r, const bool each, const bool erase)
{
    for (int64_t c = 0; c < r->cols; c += 16)
        run_block(r, each, erase, c, r->cols - c);
}

void ith_recur__neon(const ith_recurrence *r)
{
    if (r->beta == NULL && r->each)
        run_all(r, true, false);
    else if (r->beta == NULL)
        run_all(r, false, false);
    else if (r->each)
        run_all(r, true, true);
    else
        run_all(r, false, true);
}
