/* recurrent_avx2.c - what recurrent blocks compute, eight channels or sixteen columns at a time. */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

/* 1 + e^-x */
ITH_INLINE __m256 one_and_exp(__m256 x)
{
    const __m256 y = _mm256_mul_ps(x, _mm256_set1_ps(-ITH_LOG2E));
    return _mm256_add_ps(_mm256_set1_ps(1.0f), exp2_clamped(y));
}

void ith_sigmoid_mul__avx2(int64_t n, const float *g, const float *u, float *out)
{
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 below = one_and_exp(load_first(g + i, n - i));
        store_first(out + i, n - i, _mm256_div_ps(load_first(u + i, n - i), below));
    }
}

ITH_INLINE __m256 artanh_terms(__m256 y)
{
    __m256 p = _mm256_set1_ps(1.0f / 17.0f);
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 15.0f));
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 13.0f));
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 11.0f));
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 9.0f));
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 7.0f));
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 5.0f));
    p = _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f / 3.0f));
    return _mm256_fmadd_ps(p, y, _mm256_set1_ps(1.0f));
}

void ith_softplus__avx2(int64_t n, const float *a, const float *b, float *out)
{
    const __m256 two = _mm256_set1_ps(2.0f), sign = _mm256_set1_ps(-0.0f);
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 x = _mm256_add_ps(load_first(a + i, n - i), load_first(b + i, n - i));
        const __m256 y = _mm256_mul_ps(_mm256_andnot_ps(sign, x), _mm256_set1_ps(-ITH_LOG2E));
        const __m256 u = exp2_clamped(y), z = _mm256_div_ps(u, _mm256_add_ps(two, u));
        const __m256 least = _mm256_max_ps(x, _mm256_setzero_ps());
        store_first(
            out + i, n - i,
            _mm256_fmadd_ps(_mm256_mul_ps(two, z), artanh_terms(_mm256_mul_ps(z, z)), least));
    }
}

void ith_exponential__avx2(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i += 8) {
        const __m256 y = _mm256_mul_ps(load_first(x + i, n - i), _mm256_set1_ps(ITH_LOG2E));
        store_first(x + i, n - i, exp2_clamped(y));
    }
}

void ith_conv__avx2(int64_t n, int taps, const float *const *x, const float *w, int64_t ld_w,
                    const float *bias, bool silu, float *out)
{
    for (int64_t i = 0; i < n; i += 8) {
        __m256 acc = bias != NULL ? load_first(bias + i, n - i) : _mm256_setzero_ps();
        for (int j = 0; j < taps; j++)
            acc = _mm256_fmadd_ps(load_first(w + j * ld_w + i, n - i), load_first(x[j] + i, n - i),
                                  acc);
        if (silu)
            acc = _mm256_div_ps(acc, one_and_exp(acc));
        store_first(out + i, n - i, acc);
    }
}

/* ---- The recurrence: a block of columns, two registers, whose four partial results each are
 * chains that do not wait for each other ---- */

enum { HALVES = 2, LANES = 4 };

#define EACH_HALF _Pragma("GCC unroll 2") for (int b = 0; b < HALVES; b++)
#define EACH_LANE _Pragma("GCC unroll 4") for (int l = 0; l < LANES; l++)

ITH_INLINE __m256 lanes4_sum(const __m256 p[LANES])
{
    return _mm256_add_ps(_mm256_add_ps(p[0], p[2]), _mm256_add_ps(p[1], p[3]));
}

/* One token's vectors. */
typedef struct token {
    const float *q, *k, *g;
} token;

/* Row i of e, the contributions of lane l. */
ITH_INLINE void expect_row(const bool each, const token *t, int64_t i, int l, const float *s,
                           __m256 p[HALVES][LANES])
{
    __m256 k = _mm256_set1_ps(t->k[i]);
    if (each)
        k = _mm256_mul_ps(_mm256_set1_ps(t->g[i]), k);
    EACH_HALF p[b][l] = _mm256_fmadd_ps(_mm256_load_ps(s + 16 * i + 8 * b), k, p[b][l]);
}

ITH_INLINE void expect(const bool each, const token *t, int64_t rows, const float *s,
                       __m256 e[HALVES])
{
    __m256 p[HALVES][LANES];
    int64_t i = 0;

    EACH_HALF
    EACH_LANE p[b][l] = _mm256_setzero_ps();
    for (; i + LANES <= rows; i += LANES)
        EACH_LANE expect_row(each, t, i + l, l, s, p);
    EACH_LANE if (i + l < rows) expect_row(each, t, i + l, l, s, p);
    EACH_HALF
    {
        e[b] = lanes4_sum(p[b]);
        if (!each)
            e[b] = _mm256_mul_ps(_mm256_set1_ps(t->g[0]), e[b]);
    }
}

ITH_INLINE void update_row(const bool each, const token *t, int64_t i, int l, float *s,
                           const __m256 d[HALVES], __m256 p[HALVES][LANES])
{
    const __m256 k = _mm256_set1_ps(t->k[i]), q = _mm256_set1_ps(t->q[i]),
                 g = _mm256_set1_ps(t->g[each ? i : 0]);
    EACH_HALF
    {
        float *at = s + 16 * i + 8 * b;
        const __m256 row = _mm256_fmadd_ps(k, d[b], _mm256_mul_ps(g, _mm256_load_ps(at)));
        _mm256_store_ps(at, row);
        p[b][l] = _mm256_fmadd_ps(row, q, p[b][l]);
    }
}

ITH_INLINE void update(const bool each, const token *t, int64_t rows, float *s,
                       const __m256 d[HALVES], __m256 out[HALVES])
{
    __m256 p[HALVES][LANES];
    int64_t i = 0;

    EACH_HALF
    EACH_LANE p[b][l] = _mm256_setzero_ps();
    for (; i + LANES <= rows; i += LANES)
        EACH_LANE update_row(each, t, i + l, l, s, d, p);
    EACH_LANE if (i + l < rows) update_row(each, t, i + l, l, s, d, p);
    EACH_HALF out[b] = lanes4_sum(p[b]);
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
        __m256 d[HALVES], e[HALVES], out[HALVES];
        EACH_HALF d[b] = load_first(v + 8 * b, cols - 8 * b);
        if (erase) {
            const __m256 beta = _mm256_set1_ps(r->beta[at * r->ld_gates]);
            expect(each, &t, r->rows, s, e);
            EACH_HALF d[b] = _mm256_mul_ps(beta, _mm256_sub_ps(d[b], e[b]));
        }
        update(each, &t, r->rows, s, d, out);
        EACH_HALF store_first(to + 8 * b, cols - 8 * b, out[b]);
    }
}

ITH_INLINE void run_all(const ith_recurrence *r, const bool each, const bool erase)
{
    for (int64_t c = 0; c < r->cols; c += 16)
        run_block(r, each, erase, c, r->cols - c);
}

void ith_recur__avx2(const ith_recurrence *r)
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
