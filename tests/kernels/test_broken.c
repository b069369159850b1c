/* test_broken.c - kernels on vectors with a number that is NaN or infinite, in each lane and tail:
 * NaN stays where the contract has it, other elements are what they were, and every variant has the
 * bits of the reference, those of a NaN excepted. */
#include "tests/kernels/equal.h"

enum { MOST = 37, TAPS = 3 }; /* two registers of sixteen lanes, and a tail */

static const float zeros[MOST];

/* ---- The kernels, of x and y ---- */

typedef void vector_fn(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out);

static void add(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    memcpy(out, x, (size_t)n * sizeof *x);
    k->add(n, out, y);
}

static void mul(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    memcpy(out, x, (size_t)n * sizeof *x);
    k->mul(n, out, y);
}

static void scale(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    (void)y;
    memcpy(out, x, (size_t)n * sizeof *x);
    k->scale(n, out, 0.3f);
}

static void add_scaled(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    memcpy(out, x, (size_t)n * sizeof *x);
    k->add_scaled(n, out, 0.3f, y);
}

static void silu_mul(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    k->silu_mul(n, x, y, out);
}

static void swiglu(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    k->swiglu(n, x, y, &(ith_swiglu){1.702f, 2.5f, 1.0f}, out);
}

static void gelu(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    (void)y;
    k->gelu(n, x, out);
}

static void gelu_erf(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    (void)y;
    k->gelu_erf(n, x, out);
}

static void relu2(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    (void)y;
    k->relu2(n, x, out);
}

static void softcap(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    (void)y;
    memcpy(out, x, (size_t)n * sizeof *x);
    k->softcap(n, out, 3.7f);
}

static void sigmoid_mul(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    k->sigmoid_mul(n, x, y, out);
}

static void softplus(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    k->softplus(n, x, y, out);
}

static void exponential(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    (void)y;
    memcpy(out, x, (size_t)n * sizeof *x);
    k->exponential(n, out);
}

/* x is the first tap of three, y the weights of all. */
static void conv(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    const float *const taps[TAPS] = {x, zeros, zeros};
    k->conv(n, TAPS, taps, y, 0, NULL, false, out);
}

/* x is the last tap, y the bias. */
static void conv_silu(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    static float ones[MOST];
    const float *const taps[TAPS] = {zeros, zeros, x};

    for (int i = 0; i < MOST; i++)
        ones[i] = 1;
    k->conv(n, TAPS, taps, ones, 0, y, true, out);
}

/* x are the values, in columns; y are those of the token after it. */
static void recur(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    enum { ROWS = 5 };
    static _Alignas(64) float state[(MOST + ITH_STATE_COLS) * ROWS];
    static const float key[ROWS] = {0.5f, -0.25f, 1, 0.125f, -1}, half = 0.5f;

    memset(state, 0, sizeof state);
    for (int token = 0; token < 2; token++)
        k->recur(&(ith_recurrence){.state = state,
                                   .rows = ROWS,
                                   .cols = n,
                                   .n_tokens = 1,
                                   .q = key,
                                   .k = key,
                                   .v = token == 0 ? x : y,
                                   .decay = &half,
                                   .beta = &half,
                                   .out = out});
}

static void rmsnorm(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    k->rmsnorm(n, x, y, 1e-6f, out);
}

static void layernorm(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    k->layernorm(n, x, y, y, 1e-6f, out);
}

/* Both halves of a head of 2n channels; here those of x are mixed. */
static void rope(const ith_kernels *k, int64_t n, const float *x, const float *y, float *out)
{
    float head[2 * MOST];

    memcpy(head, x, (size_t)n * sizeof *x);
    memcpy(head + n, x, (size_t)n * sizeof *x);
    k->rope((int)(2 * n), head, y, y);
    memcpy(out, head, (size_t)n * sizeof *x);
}

/* Whose result at i is of x[i] and y[i] alone, unless `whole`: then x counts for all. */
typedef struct kernel {
    const char *name;
    vector_fn *run;
    bool of_y, whole;
} kernel;

static const kernel all[] = {
    {"add", add, true, false},
    {"mul", mul, true, false},
    {"scale", scale, false, false},
    {"add_scaled", add_scaled, true, false},
    {"silu_mul", silu_mul, true, false},
    {"swiglu", swiglu, true, false},
    {"gelu", gelu, false, false},
    {"gelu_erf", gelu_erf, false, false},
    {"relu2", relu2, false, false},
    {"softcap", softcap, false, false},
    {"sigmoid_mul", sigmoid_mul, true, false},
    {"softplus", softplus, true, false},
    {"exponential", exponential, false, false},
    {"conv", conv, true, false},
    {"conv with silu", conv_silu, true, false},
    {"recur", recur, true, false},
    {"rope", rope, true, false},
    {"rmsnorm", rmsnorm, true, true},
    {"layernorm", layernorm, true, true},
};

/* ---- Numbers ---- */

/* NaN as the hardware makes it, with other bits, signalling; infinities. */
static const uint32_t specials[] = {0x7fc00000u, 0xffc00000u, 0xffffffffu, 0x7fc00001u,
                                    0x7f800001u, 0xff8001ffu, 0x7f800000u, 0xff800000u};
enum { SPECIALS = sizeof specials / sizeof *specials };

static bool is_nan(float x)
{
    return (ith_f32_bits(x) & 0x7fffffffu) > 0x7f800000u;
}

static bool same(float a, float b)
{
    return ith_f32_bits(a) == ith_f32_bits(b) || (is_nan(a) && is_nan(b));
}

/* The case that is checked. */
typedef struct broken {
    const kernel *kernel;
    int64_t n, at;
    bool in_y;
    float value;
} broken;

static void differs(const ith_kernels *k, const broken *b, int64_t i, float got, float expected)
{
    fail_msg("%s: %s of %d, %08x at %d of %s: %08x at %d, expected %08x", k->name, b->kernel->name,
             (int)b->n, ith_f32_bits(b->value), (int)b->at, b->in_y ? "y" : "x", ith_f32_bits(got),
             (int)i, ith_f32_bits(expected));
}

/* The reference is as the contract has it: `clean` without the broken number. */
static void check_contract(const broken *b, const float *clean, const float *got)
{
    for (int64_t i = 0; i < b->n; i++) {
        bool touched = i == b->at || (b->kernel->whole && !b->in_y);
        if (!touched && ith_f32_bits(got[i]) != ith_f32_bits(clean[i]))
            differs(ref, b, i, got[i], clean[i]);
        if (touched && is_nan(b->value) && !is_nan(got[i]))
            differs(ref, b, i, got[i], NAN);
    }
}

static void check(const broken *b, const float *x, const float *y, const float *clean)
{
    float *with_x = copy(2, x, b->n), *with_y = copy(3, y, b->n), expected[MOST];

    (b->in_y ? with_y : with_x)[b->at] = b->value;
    b->kernel->run(ref, b->n, with_x, with_y, expected);
    check_contract(b, clean, expected);
    EACH_VARIANT(k)
    {
        float *got = arena_take(&arenas[4], (size_t)b->n * sizeof *got, sizeof *got);
        b->kernel->run(k, b->n, with_x, with_y, got);
        for (int64_t i = 0; i < b->n; i++)
            if (!same(got[i], expected[i]))
                differs(k, b, i, got[i], expected[i]);
    }
}

static void nan_stays(void **state)
{
    (void)state;
    prng p = {41};

    for (size_t j = 0; j < sizeof all / sizeof *all; j++)
        for (int64_t n = 1; n <= MOST; n += sample ? 3 : 1) {
            const float *x = floats(0, &p, n, PLAIN), *y = floats(1, &p, n, PLAIN);
            float clean[MOST];
            all[j].run(ref, n, x, y, clean);
            for (int64_t at = 0; at < n; at++)
                for (int s = 0; s < SPECIALS * (all[j].of_y ? 2 : 1); s++)
                    check(&(broken){&all[j], n, at, s >= SPECIALS,
                                    ith_f32_from_bits(specials[s % SPECIALS])},
                          x, y, clean);
        }
}

/* ---- What is one number of many ---- */

/* The maximum passes over NaN. In sums of exponentials NaN counts as nothing, in sums of squares it
 * stays. */
static void check_sums(const ith_kernels *k, int64_t n, const float *x, float value)
{
    float top = ref->max(n, x), sum = ref->sum_exp(n, x, 3.0f), squares = ref->sum_squares(n, x);

    if (!same(k->max(n, x), top) || !same(k->sum_exp(n, x, 3.0f), sum) ||
        !same(k->sum_squares(n, x), squares))
        fail_msg("%s: of %d with %08x: max %g, sum_exp %g, sum_squares %g; expected %g, %g, %g",
                 k->name, (int)n, ith_f32_bits(value), (double)k->max(n, x),
                 (double)k->sum_exp(n, x, 3.0f), (double)k->sum_squares(n, x), (double)top,
                 (double)sum, (double)squares);
    if (is_nan(value) && (is_nan(top) || is_nan(sum) || !is_nan(squares)))
        fail_msg("NaN among %d: max %g, sum_exp %g, sum_squares %g", (int)n, (double)top,
                 (double)sum, (double)squares);
}

static void sums_see_nan(void **state)
{
    (void)state;
    prng p = {42};

    for (int64_t n = 1; n <= MOST; n++)
        for (int64_t at = 0; at < n; at++)
            for (int s = 0; s < SPECIALS; s++) {
                float *x = floats(0, &p, n, PLAIN), without = -INFINITY;
                if (specials[s] == 0x7f800000u) /* sum_exp takes nothing above the maximum */
                    continue;
                x[at] = ith_f32_from_bits(specials[s]);
                for (int64_t i = 0; i < n; i++)
                    without = i != at && x[i] > without ? x[i] : without;
                assert_true(ref->max(n, x) == without);
                check_sums(ref, n, x, x[at]);
                EACH_VARIANT(k)
                check_sums(k, n, x, x[at]);
            }
}

static void exp2_keeps_nan(void **state)
{
    (void)state;
    for (int s = 0; s < SPECIALS - 2; s++)
        assert_true(is_nan(ith_exp2(ith_f32_from_bits(specials[s]))));
}

/* ---- Products of float weights ---- */

/* NaN or infinity in column `at` of token 1, or of row 3 of the second tile. */
static void check_product(const ith_kernels *k, ith_layout layout, int64_t cols, int64_t at,
                          bool in_weights)
{
    enum { TOKENS = 3, TILES = 2, ROWS = TILES * ITH_TILE_ROWS };
    const size_t tile = ith_tile_bytes(layout, (size_t)(cols + 31) / 32);
    uint8_t *tiles = arena_take(&arenas[1], TILES * tile, 64);
    float *x = arena_take(&arenas[0], (size_t)(TOKENS * cols) * 4, 4),
          *out = arena_take(&arenas[2], TOKENS * ROWS * 4, 4);

    memset(tiles, 0, TILES * tile);
    for (int64_t i = 0; i < TOKENS * cols; i++)
        x[i] = 1;
    if (!in_weights)
        x[cols + at] = NAN;
    else if (layout == ITH_BF16)
        ((uint16_t *)(void *)(tiles + tile))[16 * at + 3] = 0x7fc0;
    else
        ((float *)(void *)(tiles + tile))[16 * at + 3] = NAN;
    k->gemm[layout](TILES, TOKENS, tiles, &(ith_acts){.x = x, .ld_x = cols, .n_cols = cols}, out,
                    ROWS);
    for (int i = 0; i < TOKENS * ROWS; i++)
        if (is_nan(out[i]) != (in_weights ? i % ROWS == ITH_TILE_ROWS + 3 : i / ROWS == 1))
            fail_msg("%s: layout %d, NaN in column %d of %d: %g at %d", k->name, (int)layout,
                     (int)at, (int)cols, (double)out[i], i);
}

static void products_keep_nan(void **state)
{
    (void)state;
    static const ith_layout layouts[] = {ITH_BF16, ITH_F32T};

    for (int i = 0; i < 4; i++)
        for (int64_t cols = 1; cols <= 40; cols += 13)
            for (int64_t at = 0; at < cols; at++) {
                check_product(ref, layouts[i / 2], cols, at, i % 2 == 1);
                EACH_VARIANT(k)
                check_product(k, layouts[i / 2], cols, at, i % 2 == 1);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_stays),
        cmocka_unit_test(sums_see_nan),
        cmocka_unit_test(exp2_keeps_nan),
        cmocka_unit_test(products_keep_nan),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
