/* recurrent_avx512bw.c - what recurrent blocks compute, sixteen channels or columns at a time. */
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

/* 1 + e^-x */
ITH_INLINE __m512 one_and_exp(__m512 x)
{
    const __m512 y = _mm512_mul_ps(x, _mm512_set1_ps(-ITH_LOG2E));
    return _mm512_add_ps(_mm512_set1_ps(1.0f), exp2_clamped(y));
}

void ith_sigmoid_mul__avx512bw(int64_t n, const float *g, const float *u, float *out)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 below = one_and_exp(_mm512_maskz_loadu_ps(keep, g + i));
        _mm512_mask_storeu_ps(out + i, keep,
                              _mm512_div_ps(_mm512_maskz_loadu_ps(keep, u + i), below));
    }
}

ITH_INLINE __m512 artanh_terms(__m512 y)
{
    __m512 p = _mm512_set1_ps(1.0f / 17.0f);
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 15.0f));
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 13.0f));
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 11.0f));
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 9.0f));
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 7.0f));
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 5.0f));
    p = _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f / 3.0f));
    return _mm512_fmadd_ps(p, y, _mm512_set1_ps(1.0f));
}

void ith_softplus__avx512bw(int64_t n, const float *a, const float *b, float *out)
{
    const __m512 two = _mm512_set1_ps(2.0f);
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 x =
            _mm512_add_ps(_mm512_maskz_loadu_ps(keep, a + i), _mm512_maskz_loadu_ps(keep, b + i));
        const __m512 u = exp2_clamped(_mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(-ITH_LOG2E)));
        const __m512 z = _mm512_div_ps(u, _mm512_add_ps(two, u));
        const __m512 least = _mm512_max_ps(x, _mm512_setzero_ps());
        _mm512_mask_storeu_ps(
            out + i, keep,
            _mm512_fmadd_ps(_mm512_mul_ps(two, z), artanh_terms(_mm512_mul_ps(z, z)), least));
    }
}

void ith_exponential__avx512bw(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        const __m512 y =
            _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, x + i), _mm512_set1_ps(ITH_LOG2E));
        _mm512_mask_storeu_ps(x + i, keep, exp2_clamped(y));
    }
}

void ith_conv__avx512bw(int64_t n, int taps, const float *const *x, const float *w, int64_t ld_w,
                        const float *bias, bool silu, float *out)
{
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 keep = first_lanes(n - i);
        __m512 acc = bias != NULL ? _mm512_maskz_loadu_ps(keep, bias + i) : _mm512_setzero_ps();
        for (int j = 0; j < taps; j++)
            acc = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(keep, w + j * ld_w + i),
                                  _mm512_maskz_loadu_ps(keep, x[j] + i), acc);
        if (silu)
            acc = _mm512_div_ps(acc, one_and_exp(acc));
        _mm512_mask_storeu_ps(out + i, keep, acc);
    }
}

/* ---- The recurrence: `blocks` blocks of columns at a time, whose four partial results each are
 * chains that do not wait for each other ---- */

enum { MAX_BLOCKS = 2, LANES = 4 };

#define EACH_BLOCK _Pragma("GCC unroll 2") for (int b = 0; b < blocks; b++)
#define EACH_LANE  _Pragma("GCC unroll 4") for (int l = 0; l < LANES; l++)

ITH_INLINE __m512 lanes4_sum(const __m512 p[LANES])
{
    return _mm512_add_ps(_mm512_add_ps(p[0], p[2]), _mm512_add_ps(p[1], p[3]));
}

/* One token's vectors. */
typedef struct token {
    const float *q, *k, *g;
} token;

/* Row i of e, the contributions of lane l. */
ITH_INLINE void expect_row(const int blocks, const bool each, const token *t, int64_t i, int l,
                           const float *const s[MAX_BLOCKS], __m512 p[MAX_BLOCKS][LANES])
{
    __m512 k = _mm512_set1_ps(t->k[i]);
    if (each)
        k = _mm512_mul_ps(_mm512_set1_ps(t->g[i]), k);
    EACH_BLOCK
    p[b][l] = _mm512_fmadd_ps(_mm512_load_ps(s[b] + 16 * i), k, p[b][l]);
}

ITH_INLINE void expect(const int blocks, const bool each, const token *t, int64_t rows,
                       const float *const s[MAX_BLOCKS], __m512 e[MAX_BLOCKS])
{
    __m512 p[MAX_BLOCKS][LANES];
    int64_t i = 0;

    EACH_BLOCK
    EACH_LANE p[b][l] = _mm512_setzero_ps();
    for (; i + LANES <= rows; i += LANES)
        EACH_LANE expect_row(blocks, each, t, i + l, l, s, p);
    EACH_LANE if (i + l < rows) expect_row(blocks, each, t, i + l, l, s, p);
    EACH_BLOCK
    {
        e[b] = lanes4_sum(p[b]);
        if (!each)
            e[b] = _mm512_mul_ps(_mm512_set1_ps(t->g[0]), e[b]);
    }
}

ITH_INLINE void update_row(const int blocks, const bool each, const token *t, int64_t i, int l,
                           float *const s[MAX_BLOCKS], const __m512 d[MAX_BLOCKS],
                           __m512 p[MAX_BLOCKS][LANES])
{
    const __m512 k = _mm512_set1_ps(t->k[i]), q = _mm512_set1_ps(t->q[i]),
                 g = _mm512_set1_ps(t->g[each ? i : 0]);
    EACH_BLOCK
    {
        const __m512 kept = _mm512_mul_ps(g, _mm512_load_ps(s[b] + 16 * i));
        const __m512 row = _mm512_fmadd_ps(k, d[b], kept);
        _mm512_store_ps(s[b] + 16 * i, row);
        p[b][l] = _mm512_fmadd_ps(row, q, p[b][l]);
    }
}

ITH_INLINE void update(const int blocks, const bool each, const token *t, int64_t rows,
                       float *const s[MAX_BLOCKS], const __m512 d[MAX_BLOCKS],
                       __m512 out[MAX_BLOCKS])
{
    __m512 p[MAX_BLOCKS][LANES];
    int64_t i = 0;

    EACH_BLOCK
    EACH_LANE p[b][l] = _mm512_setzero_ps();
    for (; i + LANES <= rows; i += LANES)
        EACH_LANE update_row(blocks, each, t, i + l, l, s, d, p);
    EACH_LANE if (i + l < rows) update_row(blocks, each, t, i + l, l, s, d, p);
    EACH_BLOCK out[b] = lanes4_sum(p[b]);
}

/* Columns from `first` on, of which `cols` are left. */
ITH_INLINE void run_blocks(const ith_recurrence *r, const int blocks, const bool each,
                           const bool erase, int64_t first, int64_t cols)
{
    float *s[MAX_BLOCKS];
    EACH_BLOCK s[b] = r->state + (first / 16 + b) * r->rows * 16;
    for (int64_t at = 0; at < r->n_tokens; at++) {
        const token t = {r->q + at * r->ld, r->k + at * r->ld, r->decay + at * r->ld_gates};
        const float *v = r->v + at * r->ld + first;
        __m512 d[MAX_BLOCKS], e[MAX_BLOCKS], out[MAX_BLOCKS];
        EACH_BLOCK d[b] = _mm512_maskz_loadu_ps(first_lanes(cols - 16 * b), v + 16 * b);
        if (erase) {
            const __m512 beta = _mm512_set1_ps(r->beta[at * r->ld_gates]);
            expect(blocks, each, &t, r->rows, (const float *const *)s, e);
            EACH_BLOCK d[b] = _mm512_mul_ps(beta, _mm512_sub_ps(d[b], e[b]));
        }
        update(blocks, each, &t, r->rows, s, d, out);
        EACH_BLOCK
        _mm512_mask_storeu_ps(r->out + at * r->ld_out + first + 16 * b, first_lanes(cols - 16 * b),
                              out[b]);
    }
}

ITH_INLINE void run_all(const ith_recurrence *r, const bool each, const bool erase)
{
    int64_t c = 0;
    for (; r->cols - c > 16; c += 32)
        run_blocks(r, 2, each, erase, c, r->cols - c);
    if (c < r->cols)
        run_blocks(r, 1, each, erase, c, r->cols - c);
}

void ith_recur__avx512bw(const ith_recurrence *r)
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
