/* test_precise.c - logarithms and powers against values of 80 decimal digits, rounded once, and
 * against long double everywhere else; the largest of many numbers. */
#include "base/precise.h"

#include "base/best.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void logarithms_are_the_nearest_double(void **state)
{
    static const struct {
        double x, ln;
    } known[] = {
        {1, 0},
        {2, 0x1.62e42fefa39efp-1},
        {3, 0x1.193ea7aad030bp+0},
        {4, 0x1.62e42fefa39efp+0},
        {0.1, -0x1.26bb1bbb55515p+1},
        {1.0000001, 0x1.ad7f2847b6492p-24},
        {1e4, 0x1.26bb1bbb55516p+3},
        {32768, 0x1.4cb5ecf0a9650p+3},
        {151936, 0x1.7dcc82aefe0d0p+3},
        {5e5, 0x1.a3ea669a05c01p+3},
        {1e6, 0x1.ba18a998fffa0p+3},
        {1e7, 0x1.01e3b843eaa73p+4},
        {1e15, 0x1.144f69ff9ffc4p+5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(ith_ln(known[i].x) == known[i].ln);
    assert_true(isnan(ith_ln(NAN)) && isnan(ith_ln(INFINITY)));
}

static void powers_are_the_nearest_double(void **state)
{
    static const struct {
        double base, exponent, power;
    } known[] = {
        {1e6, 0, 1},
        {1e4, 0.5, 100},
        {5e5, 2.0 / 64, 0x1.81c61a9b1c40fp+0},
        {1e6, 126.0 / 128, 0x1.897a4602245e0p+19},
        {1e6, 2.0 / 128, 0x1.3dae18daccd3ep+0},
        {1e6, 62.0 / 128, 0x1.92ebcccefe53fp+9},
        {1e7, 0.75, 0x1.5b51f872d0c76p+17},
        {1e4, 30.0 / 32, 0x1.5f769cae07281p+12},
        {1.5, 0.984375, 0x1.7d932c9c28677p+0},
        {1e15, 0.984375, 0x1.0917538cfb83bp+49},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(ith_power(known[i].base, known[i].exponent) == known[i].power);
}

/* Half a unit in the last place, and what long double leaves open. */
static bool is_nearest(double got, long double want)
{
    double next = nextafter(fabs(got), INFINITY) - fabs(got);
    return fabsl((long double)got - want) <= 0.501L * (long double)next;
}

static void all_are_near_long_double(void **state)
{
    (void)state;
    if (sizeof(long double) == sizeof(double))
        skip();
    for (int i = 1; i < 2000; i++) {
        double x = 1 + i * 0.7310585, y = i / 2000.0;
        assert_true(is_nearest(ith_ln(x), logl((long double)x)));
        assert_true(is_nearest(ith_ln(1 / x), logl((long double)(1 / x))));
        assert_true(is_nearest(ith_power(x, y), powl((long double)x, (long double)y)));
    }
}

static void the_largest_come_first_and_of_equal_ones_the_lower_index(void **state)
{
    static const float values[] = {2, 7, -1, 7, 3, 2, 9, -4};
    static const int32_t order[] = {6, 1, 3, 4, 0, 5, 2, 7};
    (void)state;
    for (int k = 0; k <= 8; k++) {
        int32_t best[9];
        memset(best, 0x5a, sizeof best);
        ith_best(values, 8, best, k);
        assert_memory_equal(best, order, (size_t)k * sizeof *best);
        assert_int_equal(best[k], 0x5a5a5a5a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_are_the_nearest_double),
        cmocka_unit_test(powers_are_the_nearest_double),
        cmocka_unit_test(all_are_near_long_double),
        cmocka_unit_test(the_largest_come_first_and_of_equal_ones_the_lower_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
