/* test_choose.c - finding the largest logits: the reference does what the contract says, and every
 * variant does what the reference does. */
#include "tests/kernels/equal.h"

enum { MAX_N = 3000, SPECIALS = 6 };

static const int64_t sizes[] = {1,  2,   7,   8,   9,   15,  16,  17,  31,  33,   63,  64,
                                65, 100, 255, 256, 257, 300, 511, 512, 513, 2048, 2999};

/* Values of a kind. One in `rarity` is a NaN (quiet or signalling, of either sign), an infinity or
 * a zero of either sign; 0: none is. */
static float *values(prng *p, int64_t n, int kind, int rarity)
{
    const uint32_t specials[SPECIALS] = {0x7fc00000u, 0xffc00001u, 0x7f800001u,
                                         0x80000000u, 0xff800000u, 0x7f800000u};
    float *x = floats(0, p, n, kind);
    for (int64_t i = 0; i < n && rarity > 0; i++)
        if (prng_int(p, 1, rarity) == 1)
            memcpy(&x[i], &specials[prng_int(p, 0, rarity == 1 ? 4 : 5)], 4);
    return x;
}

static bool is_nan(float x)
{
    return (ith_f32_bits(x) & 0x7fffffffu) > 0x7f800000u;
}

static float as_counted(float x)
{
    return is_nan(x) ? -INFINITY : x;
}

/* Checks the reference against the text of the contract. */
static void check_reference(int64_t n, const float *x, float limit)
{
    static float maxima[MAX_N / ITH_MAXIMA + 1];
    static int32_t ids[MAX_N];
    const int64_t best = ref->argmax(n, x), count = ref->select(n, x, limit, ids);
    int64_t seen = 0;

    for (int64_t i = 0; i < n; i++)
        assert_true(as_counted(x[i]) < as_counted(x[best]) ||
                    (as_counted(x[i]) == as_counted(x[best]) && best <= i) ||
                    as_counted(x[best]) == -INFINITY);
    if (as_counted(x[best]) == -INFINITY)
        assert_int_equal(best, 0);
    for (int64_t i = 0; i < n; i++)
        if (!is_nan(x[i]) && x[i] >= limit)
            assert_int_equal(ids[seen++], i);
    assert_int_equal(count, seen);
    ref->maxima(n, x, maxima);
    for (int64_t i = 0; i < n; i++)
        assert_true(as_counted(x[i]) <= maxima[i / ITH_MAXIMA]);
    for (int64_t b = 0; b * ITH_MAXIMA < n; b++) {
        bool there = false;
        for (int64_t i = b * ITH_MAXIMA; i < n && i < (b + 1) * ITH_MAXIMA; i++)
            there |= as_counted(x[i]) == maxima[b];
        assert_true(there && ith_f32_bits(maxima[b]) != 0x80000000u);
    }
}

static void check_variants(int64_t n, const float *x, float limit)
{
    const size_t blocks = (size_t)(n + ITH_MAXIMA - 1) / ITH_MAXIMA;
    float *maxima = arena_take(&arenas[1], blocks * 4, 4);
    static int32_t ids[MAX_N];
    const int64_t best = ref->argmax(n, x), count = ref->select(n, x, limit, ids);

    ref->maxima(n, x, maxima);
    EACH_VARIANT(k)
    {
        float *got = arena_take(&arenas[2], blocks * 4, 4);
        int32_t *got_ids = arena_take(&arenas[3], (size_t)count * 4, 4); /* no room for one more */
        k->maxima(n, x, got);
        SAME(k, maxima, got, blocks * 4, "n %d", (int)n);
        if (k->argmax(n, x) != best || k->select(n, x, limit, got_ids) != count)
            fail_msg("%s: argmax or select, n %d, limit %g", k->name, (int)n, (double)limit);
        SAME(k, ids, got_ids, (size_t)count * 4, "select, n %d, limit %g", (int)n, (double)limit);
    }
}

static void check_weights(int64_t n, const float *x, float limit)
{
    const float max = as_counted(x[ref->argmax(n, x)]), t = limit == 0 ? 0.6f : fabsf(limit);
    float *expected = arena_take(&arenas[1], (size_t)n * 4, 4);

    if (fabsf(max) > 3e38f || t > 1e30f)
        return;
    ref->weights(n, x, max, t, expected);
    for (int64_t i = 0; i < n; i++) {
        const double power =
                         ((double)as_counted(x[i]) - (double)max) / (double)t * 1.4426950408889634,
                     exact = exp2(power);
        /* the quotient and its product are rounded, each by 2^-24 of it */
        assert_true(fabs((double)expected[i] - exact) <=
                    (3e-7 + 2e-7 * (power < -200 ? 200 : -power)) * exact + 1.2e-38);
    }
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[2], (size_t)n * 4, 4), *in_place = copy(3, x, n);
        k->weights(n, x, max, t, out);
        k->weights(n, in_place, max, t, in_place);
        SAME(k, expected, out, (size_t)n * 4, "weights, n %d, t %g", (int)n, (double)t);
        SAME(k, expected, in_place, (size_t)n * 4, "weights in place, n %d, t %g", (int)n,
             (double)t);
    }
}

static void each(void (*check)(int64_t n, const float *x, float limit))
{
    prng p = {31};
    for (int kind = 0; kind < KINDS; kind++)
        for (int rarity = 0; rarity < 40; rarity = rarity == 0 ? 1 : 6 * rarity)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                const int64_t n = sizes[s];
                const float *x = values(&p, n, kind, rarity),
                            limits[] = {x[n / 2], x[0], 0, -INFINITY, INFINITY, 2.9f};
                for (int l = 0; l < 6; l++)
                    if (!is_nan(limits[l]))
                        check(n, x, limits[l]);
            }
}

static void reference_does_what_it_says(void **state)
{
    (void)state;
    each(check_reference);
}

static void variants_equal_reference(void **state)
{
    (void)state;
    each(check_variants);
}

static void weights_equal_reference(void **state)
{
    (void)state;
    each(check_weights);
}

/* A single largest value, at every index of three blocks. */
static void every_place_is_found(void **state)
{
    (void)state;
    enum { N = 2 * ITH_MAXIMA + 37 };
    for (int at = 0; at < N; at++) {
        float *x = arena_take(&arenas[0], N * 4, 4);
        int32_t id;
        for (int i = 0; i < N; i++)
            x[i] = -1 - (float)(i % 7);
        x[at] = -0.5f;
        EACH_VARIANT(k)
        {
            assert_int_equal(k->argmax(N, x), at);
            assert_int_equal(k->select(N, x, -0.5f, &id), 1);
            assert_int_equal(id, at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_does_what_it_says),
        cmocka_unit_test(variants_equal_reference),
        cmocka_unit_test(weights_equal_reference),
        cmocka_unit_test(every_place_is_found),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
