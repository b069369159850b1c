/* test_recurrence.c - kernels of recurrent blocks: every variant gives exactly the bits of the
 * reference, and the reference is near the same in double arithmetic. */
#include "tests/kernels/equal.h"

#include <stdbool.h>

/* ---- Equal to the reference ---- */

static void check_gates(prng *p, int64_t n, int kind)
{
    const float *g = floats(0, p, n, kind), *u = floats(1, p, n, PLAIN);
    const size_t bytes = (size_t)n * sizeof *g;
    float *expected[3];

    for (int i = 0; i < 3; i++)
        expected[i] = copy(2 + i, g, n);
    ref->sigmoid_mul(n, g, u, expected[0]);
    ref->softplus(n, g, u, expected[1]);
    ref->exponential(n, expected[2]);
    EACH_VARIANT(k)
    {
        float *got[3];
        for (int i = 0; i < 3; i++)
            got[i] = copy(5 + i, g, n);
        k->sigmoid_mul(n, got[0], u, got[0]);
        k->softplus(n, got[1], u, got[1]);
        k->exponential(n, got[2]);
        for (int i = 0; i < 3; i++)
            SAME(k, expected[i], got[i], bytes, "gate %d, n %d, kind %d", i, (int)n, kind);
    }
}

static void gates_equal_reference(void **state)
{
    (void)state;
    prng p = {31};
    for (int kind = 0; kind < KINDS; kind++)
        for (int64_t n = 0; n <= 70; n += n < 40 ? 1 : 15)
            check_gates(&p, n, kind);
}

static void check_conv(prng *p, int64_t n, int taps, bool biased, bool silu, int kind)
{
    enum { TAPS_MOST = 5 };
    const int64_t ld_w = n + 3;
    const float *w = floats(0, p, taps > 0 ? (taps - 1) * ld_w + n : 0, PLAIN),
                *bias = biased ? floats(1, p, n, PLAIN) : NULL, *x[TAPS_MOST];
    float *expected = arena_take(&arenas[2], (size_t)n * 4, 4);

    for (int j = 0; j < taps; j++)
        x[j] = floats(3 + j, p, n, kind);
    ref->conv(n, taps, x, w, ld_w, bias, silu, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[9], (size_t)n * 4, 4);
        k->conv(n, taps, x, w, ld_w, bias, silu, out);
        SAME(k, expected, out, (size_t)n * 4, "conv, n %d, %d taps, kind %d", (int)n, taps, kind);
    }
}

static void conv_equals_reference(void **state)
{
    (void)state;
    prng p = {32};
    for (int kind = 0; kind < KINDS; kind++)
        for (int64_t n = 0; n <= 70; n += n < 40 ? 1 : 15)
            for (int taps = 1; taps <= 5; taps++)
                check_conv(&p, n, taps, (n + taps) % 2, taps % 3 != 0, kind);
}

/* A random recurrence; inputs in arenas 0 to 4, the state in `arena`. */
typedef struct shape {
    int64_t rows, cols, n;
    bool each, erase;
} shape;

static int64_t state_floats(const shape *s)
{
    return (s->cols + 15) / 16 * 16 * s->rows;
}

static float *random_state(prng *p, const shape *s, int arena_index)
{
    float *state = arena_take(&arenas[arena_index], (size_t)state_floats(s) * 4, 64);

    for (int64_t i = 0; i < state_floats(s); i++) {
        int64_t column = i / (16 * s->rows) * 16 + i % 16;
        state[i] = column < s->cols ? prng_float(p, -1, 1) : 0;
    }
    return state;
}

static ith_recurrence random_inputs(prng *p, const shape *s)
{
    const int64_t ld = 2 * s->rows + s->cols + 1, ld_gates = s->rows + 2;
    float *x = floats(0, p, s->n * ld, PLAIN), *gates = floats(1, p, s->n * ld_gates, PLAIN);

    for (int64_t i = 0; i < s->n * ld_gates; i++)
        gates[i] = prng_float(p, 0.0f, 1.0f);
    for (int64_t i = 0; i < s->n * ld; i++)
        x[i] *= 0.2f;
    return (ith_recurrence){.rows = s->rows,
                            .cols = s->cols,
                            .n_tokens = s->n,
                            .q = x,
                            .k = x + s->rows,
                            .v = x + 2 * s->rows,
                            .ld = ld,
                            .decay = gates,
                            .beta = s->erase ? gates + s->rows + 1 : NULL,
                            .ld_gates = ld_gates,
                            .each = s->each,
                            .ld_out = s->cols + 3};
}

static void check_recur(prng *p, const shape *s)
{
    ith_recurrence r = random_inputs(p, s);
    const size_t out_bytes = s->n > 0 ? (size_t)((s->n - 1) * r.ld_out + s->cols) * 4 : 0,
                 bytes = (size_t)state_floats(s) * 4;
    const float *before = random_state(p, s, 2);
    float *expected = arena_take(&arenas[3], bytes, 64),
          *out = arena_take(&arenas[4], out_bytes, 4);

    r.state = memcpy(expected, before, bytes);
    r.out = out;
    ref->recur(&r);
    EACH_VARIANT(k)
    {
        float *got = arena_take(&arenas[5], bytes, 64),
              *got_out = arena_take(&arenas[6], out_bytes, 4);
        r.state = memcpy(got, before, bytes);
        r.out = got_out;
        k->recur(&r);
        SAME(k, expected, got, bytes, "state, %d x %d, %d tokens, each %d, erase %d", (int)s->rows,
             (int)s->cols, (int)s->n, s->each, s->erase);
        SAME(k, out, got_out, out_bytes, "out, %d x %d, %d tokens, each %d, erase %d", (int)s->rows,
             (int)s->cols, (int)s->n, s->each, s->erase);
    }
}

static void recur_equals_reference(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 2, 3, 4, 7, 16, 33, 128},
                         cols[] = {1, 8, 15, 16, 17, 31, 32, 33, 64, 80}, n[] = {0, 1, 2, 9};
    prng p = {33};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof cols / sizeof *cols; j++)
            for (size_t k = 0; k < sizeof n / sizeof *n; k++)
                for (int mode = 0; mode < 4; mode++)
                    check_recur(&p, &(shape){rows[i], cols[j], n[k], mode % 2 == 1, mode / 2 == 1});
}

/* Columns in blocks, and tokens in several calls, give the bits of one call. */
static void check_cut(const ith_kernels *k, const ith_recurrence *whole, float *state, int64_t n)
{
    ith_recurrence r = *whole;

    for (int64_t t = 0; t < 9; t += n, n = 9 - t < n ? 9 - t : n)
        for (int64_t c = 0; c < 40; c += 16) {
            r.state = state + c * 12;
            r.cols = 40 - c < 16 ? 40 - c : 16;
            r.n_tokens = n;
            r.q = whole->q + t * r.ld;
            r.k = whole->k + t * r.ld;
            r.v = whole->v + t * r.ld + c;
            r.decay = whole->decay + t * r.ld_gates;
            r.beta = whole->beta + t * r.ld_gates;
            r.out = whole->out + t * r.ld_out + c;
            k->recur(&r);
        }
}

static void recur_may_be_cut(void **state)
{
    (void)state;
    const shape s = {12, 40, 9, false, true};
    const size_t bytes = (size_t)state_floats(&s) * 4, out_bytes = (size_t)(8 * 43 + 40) * 4;
    prng p = {34};
    ith_recurrence r = random_inputs(&p, &s);
    const float *before = random_state(&p, &s, 2);
    float *whole = arena_take(&arenas[3], bytes, 64), *out = arena_take(&arenas[4], out_bytes, 4);

    r.state = memcpy(whole, before, bytes);
    r.out = out;
    ref->recur(&r);
    EACH_VARIANT(k)
    for (int64_t n = 1; n <= 8; n++) {
        float *got = arena_take(&arenas[5], bytes, 64),
              *got_out = arena_take(&arenas[6], out_bytes, 4);
        memcpy(got, before, bytes);
        r.out = got_out;
        check_cut(k, &r, got, n);
        SAME(k, whole, got, bytes, "state, by %d tokens", (int)n);
        SAME(k, out, got_out, out_bytes, "out, by %d tokens", (int)n);
    }
}

/* ---- Near the same in double ---- */

#define NEAR(got, exact, most, what)                                                               \
    do {                                                                                           \
        if (!(fabs((double)(got) - (exact)) <= (most)))                                            \
            fail_msg("%s: %.9g, exactly %.9g", what, (double)(got), exact);                        \
    } while (0)

static void gates_are_near(void **state)
{
    (void)state;
    enum { N = 4001 };
    static float x[N], one[N], zero[N], out[N];

    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - 2000) / 50;
        one[i] = 1;
    }
    ref->softplus(N, x, zero, out);
    for (int i = 0; i < N; i++)
        NEAR(out[i], log1p(exp((double)x[i])), 6e-6 * log1p(exp((double)x[i])), "softplus");
    ref->sigmoid_mul(N, x, one, out);
    for (int i = 0; i < N; i++)
        NEAR(out[i], 1 / (1 + exp(-(double)x[i])), 6e-6 / (1 + exp(-(double)x[i])), "sigmoid");
    memcpy(out, x, sizeof out);
    ref->exponential(N, out);
    for (int i = 0; i < N; i++)
        NEAR(out[i], exp((double)x[i]), 6e-6 * exp((double)x[i]), "exp");
}

/* The delta rule in double: S [rows][cols]. */
static void advance(double *S, const ith_recurrence *r, int64_t t, double *out)
{
    const float *q = r->q + t * r->ld, *k = r->k + t * r->ld, *v = r->v + t * r->ld,
                *g = r->decay + t * r->ld_gates;

    for (int64_t c = 0; c < r->cols; c++) {
        double e = 0, d;
        for (int64_t i = 0; i < r->rows; i++) {
            S[i * r->cols + c] *= (double)g[r->each ? i : 0];
            e += S[i * r->cols + c] * (double)k[i];
        }
        d = r->beta == NULL ? (double)v[c] : (double)r->beta[t * r->ld_gates] * ((double)v[c] - e);
        out[c] = 0;
        for (int64_t i = 0; i < r->rows; i++) {
            S[i * r->cols + c] += (double)k[i] * d;
            out[c] += S[i * r->cols + c] * (double)q[i];
        }
    }
}

static void recur_is_near(void **state)
{
    (void)state;
    enum { ROWS = 24, COLS = 19, TOKENS = 60 };
    prng p = {35};

    for (int mode = 0; mode < 4; mode++) {
        const shape s = {ROWS, COLS, TOKENS, mode % 2 == 1, mode / 2 == 1};
        ith_recurrence r = random_inputs(&p, &s);
        double S[ROWS * COLS] = {0}, exact[COLS];
        r.out = arena_take(&arenas[4], (size_t)(TOKENS * r.ld_out) * 4, 4);
        r.state = arena_take(&arenas[3], (size_t)state_floats(&s) * 4, 64);
        memset(r.state, 0, (size_t)state_floats(&s) * 4);
        ref->recur(&r);
        for (int64_t t = 0; t < TOKENS; t++) {
            advance(S, &r, t, exact);
            for (int64_t c = 0; c < COLS; c++)
                NEAR(r.out[t * r.ld_out + c], exact[c], 1e-5, "recur");
        }
    }
}

static void conv_is_near(void **state)
{
    (void)state;
    enum { N = 37, TAPS = 4 };
    prng p = {36};
    const float *x[TAPS], *w = floats(5, &p, N * TAPS, PLAIN), *b = floats(6, &p, N, PLAIN);
    float out[N];

    for (int j = 0; j < TAPS; j++)
        x[j] = floats(j, &p, N, PLAIN);
    for (int silu = 0; silu < 2; silu++) {
        ref->conv(N, TAPS, x, w, N, b, silu == 1, out);
        for (int i = 0; i < N; i++) {
            double sum = (double)b[i];
            for (int j = 0; j < TAPS; j++)
                sum += (double)w[j * N + i] * (double)x[j][i];
            sum = silu ? sum / (1 + exp(-sum)) : sum;
            NEAR(out[i], sum, 1e-5, "conv");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_equal_reference),  cmocka_unit_test(conv_equals_reference),
        cmocka_unit_test(recur_equals_reference), cmocka_unit_test(recur_may_be_cut),
        cmocka_unit_test(gates_are_near),         cmocka_unit_test(recur_is_near),
        cmocka_unit_test(conv_is_near),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
