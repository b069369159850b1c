/* test_fit.c - quantizers from floats: never worse than rounding to nearest, exact for numbers on a
 * grid, and independent for each row. */
#include "prng.h"
#include "simd/half.h"
#include "weights/fit.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GROUPS = 40 };

/* ---- Groups of many kinds ---- */

typedef enum group_kind {
    UNIFORM,
    HEAVY_TAILED,
    CONSTANT,
    ZERO,
    DENORMAL,  /* scales below f16's normal numbers, down to nothing */
    OUTLIER,   /* one number 1,000 times the others */
    HUGE_ONES, /* beyond what f16 scales reach */
    LARGEST,   /* FLT_MAX: squares overflow */
    OFFSET,    /* a narrow range far from 0: the minimum's rounding costs as much as the levels' */
    TWO_VALUES,
    MIXED, /* rows of all magnitudes side by side */
    KINDS
} group_kind;

static float number(group_kind kind, int row, int col, prng *rng)
{
    float u = prng_float(rng, -1, 1);
    switch (kind) {
    case HEAVY_TAILED:
        return 0.02f * u / (0.02f + fabsf(prng_float(rng, -1, 1)));
    case CONSTANT:
        return 0.0137f * (float)(row - 8);
    case ZERO:
        return 0;
    case DENORMAL:
        return ldexpf(u, -10 - 9 * row);
    case OUTLIER:
        return col == row ? 20 * (u < 0 ? -1.0f : 1.0f) : 0.02f * u;
    case HUGE_ONES:
        return ldexpf(u, 12 + 2 * row);
    case LARGEST:
        return col % 5 == 0 ? (u < 0 ? -FLT_MAX : FLT_MAX) : u;
    case OFFSET:
        return (row % 2 ? 1.0f : -37.0f) + 0.004f * u;
    case TWO_VALUES:
        return u < 0 ? 0.25f : -0.7f;
    case MIXED:
        return ldexpf(u, row - 12);
    default:
        return 0.05f * u;
    }
}

/* One after the other: the order of a call's arguments is the compiler's. */
static float random_size(prng *rng, float low, int least, int most)
{
    float x = prng_float(rng, low, low + 1);
    return ldexpf(x, (int)prng_int(rng, least, most));
}

static void fill(group_kind kind, bool weighted, prng *rng, ith_fit_group *g)
{
    for (int c = 0; c < ITH_GROUP; c++) {
        g->weight[c] = weighted ? random_size(rng, 0, -60, 60) : 1;
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            g->x[c][r] = number(kind, r, c, rng);
    }
}

/* ---- What a fit costs, and what plain rounding would ---- */

static double weight_of(const ith_fit_group *g, int c)
{
    double largest = 0;

    /* Not fmax(): see cmd_score.c. */
    for (int i = 0; i < ITH_GROUP; i++)
        largest = (double)g->weight[i] > largest ? (double)g->weight[i] : largest;
    return largest > 0 ? (double)g->weight[c] / largest : 1;
}

static double error_of(const ith_fit_group *g, int row, const ith_fit *fit, bool with_min)
{
    double scale = (double)ith_f16_to_f32(fit->scale[row]), sum = 0;
    double min = with_min ? (double)ith_f16_to_f32(fit->min[row]) : 0;
    for (int c = 0; c < ITH_GROUP; c++) {
        double e = (double)g->x[c][row] - (scale * fit->quants[c][row] + min);
        sum += weight_of(g, c) * e * e;
    }
    return sum;
}

static float half(float x)
{
    return ith_f16_to_f32(ith_f32_to_f16(x > 65504 ? 65504 : x < -65504 ? -65504 : x));
}

static void plain(const ith_fit_group *g, int row, bool with_min, ith_fit *fit)
{
    float low = g->x[0][row], high = low, amax = fabsf(low), scale, min;
    for (int c = 1; c < ITH_GROUP; c++) {
        low = fminf(low, g->x[c][row]);
        high = fmaxf(high, g->x[c][row]);
        amax = fmaxf(amax, fabsf(g->x[c][row]));
    }
    min = with_min ? half(low) : 0;
    scale = half(with_min ? (high - low) / 15 : amax / 127);
    fit->scale[row] = ith_f32_to_f16(scale);
    fit->min[row] = ith_f32_to_f16(min);
    for (int c = 0; c < ITH_GROUP; c++) {
        float q = scale > 0 ? nearbyintf((g->x[c][row] - min) / scale) : 0;
        fit->quants[c][row] =
            (int8_t)(with_min ? fminf(fmaxf(q, 0), 15) : fminf(fmaxf(q, -127), 127));
    }
}

static void check_stored(const ith_fit *fit, bool with_min)
{
    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        assert_true(isfinite(ith_f16_to_f32(fit->scale[r])) && ith_f16_to_f32(fit->scale[r]) >= 0);
        if (with_min)
            assert_true(isfinite(ith_f16_to_f32(fit->min[r])));
        for (int c = 0; c < ITH_GROUP; c++)
            assert_in_range(fit->quants[c][r] + 128, with_min ? 128 : 1, with_min ? 143 : 255);
    }
}

/* Sums the errors of all rows: [0] fitted, [1] rounded to nearest. No row may be worse when fitted,
 * apart from the rounding of the sums. */
static void compare(group_kind kind, bool with_min, bool weighted, double total[2])
{
    prng rng = {(uint64_t)kind * 2 + weighted};
    ith_fit_group g;
    ith_fit fit, other;

    for (int n = 0; n < GROUPS; n++) {
        fill(kind, weighted, &rng, &g);
        (with_min ? ith_fit_w4m : ith_fit_w8)(&g, &fit);
        check_stored(&fit, with_min);
        for (int r = 0; r < ITH_TILE_ROWS; r++) {
            double ours, theirs, size = 0;
            plain(&g, r, with_min, &other);
            ours = error_of(&g, r, &fit, with_min);
            theirs = error_of(&g, r, &other, with_min);
            for (int c = 0; c < ITH_GROUP; c++)
                size = fmax(size, fabs((double)g.x[c][r]));
            if (!(ours <= theirs * 1.00001 + 1e-13 * size * size))
                fail_msg("kind %d, %s, weighted %d, row %d: error %g, plain %g", (int)kind,
                         with_min ? "w4m" : "w8", weighted, r, ours, theirs);
            total[0] += ours;
            total[1] += theirs;
        }
    }
}

static void never_worse_than_rounding_to_nearest(void **state)
{
    (void)state;
    for (int with_min = 0; with_min < 2; with_min++)
        for (int weighted = 0; weighted < 2; weighted++)
            for (int kind = 0; kind < KINDS; kind++) {
                double total[2] = {0, 0};
                compare((group_kind)kind, with_min, weighted, total);

                /* Clearly better where that is possible. */
                if (kind == UNIFORM || kind == HEAVY_TAILED)
                    assert_true(total[0] < (with_min ? 0.85 : 0.95) * total[1]);
                if (kind == ZERO)
                    assert_true(total[0] == 0);
            }
}

/* Fills a group with x = d q + m, where d and m are f16 numbers and `levels` of the 16 values of q
 * occur. The fit finds them again up to the rounding of m, which is up to 8 levels large. */
static void grid(int levels, int first, prng *rng, ith_fit_group *g, float step[ITH_TILE_ROWS])
{
    for (int r = 0; r < ITH_TILE_ROWS; r++) {
        float d = half(ldexpf(prng_float(rng, 1, 2), (int)prng_int(rng, -10, 2))),
              m = half(-d * prng_float(rng, 0, 15));
        step[r] = d;
        for (int c = 0; c < ITH_GROUP; c++) {
            int q = first + (c < 2 ? c * (levels - 1) : (int)prng_int(rng, 0, levels - 1));
            g->x[c][r] = d * (float)q + m;
        }
    }
}

static void numbers_on_a_grid_are_found(void **state)
{
    (void)state;
    prng rng = {5};
    ith_fit_group g;
    ith_fit fit;
    float step[ITH_TILE_ROWS];

    for (int c = 0; c < ITH_GROUP; c++)
        g.weight[c] = 1;
    for (int levels = 2; levels <= 16; levels++)
        for (int n = 0; n < GROUPS; n++) {
            grid(levels, (int)prng_int(&rng, 0, 16 - levels), &rng, &g, step);
            ith_fit_w4m(&g, &fit);
            for (int r = 0; r < ITH_TILE_ROWS; r++) {
                double rms = sqrt(error_of(&g, r, &fit, true) / ITH_GROUP);
                if (levels == 16)
                    assert_true(rms < 1e-6 * (double)step[r]); /* exact minimum and scale */
                else
                    assert_true(rms < 0.006 * (double)step[r]);
            }
        }
}

/* A column of weight 0 may hold anything: the others' errors are as if it repeated one of them. */
static void columns_of_no_weight_are_free(void **state)
{
    (void)state;
    prng rng = {6};
    ith_fit_group g;
    ith_fit fit;
    float step[ITH_TILE_ROWS];

    for (int n = 0; n < GROUPS; n++) {
        grid(16, 0, &rng, &g, step);
        for (int c = 0; c < ITH_GROUP; c++)
            g.weight[c] = c < 24 ? 3e-30f : 0;
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            for (int c = 24; c < ITH_GROUP; c++)
                g.x[c][r] = g.x[c % 2][r];
        ith_fit_w4m(&g, &fit);
        for (int r = 0; r < ITH_TILE_ROWS; r++)
            assert_true(sqrt(error_of(&g, r, &fit, true) / 24) < 1e-6 * (double)step[r]);
    }
}

/* Row r of a group, put elsewhere among other rows, gets the same bits. */
static void rows_do_not_see_each_other(void **state)
{
    (void)state;
    prng rng = {7};
    ith_fit_group g, moved;
    ith_fit fit, other;

    for (int with_min = 0; with_min < 2; with_min++)
        for (int kind = 0; kind < KINDS; kind++) {
            fill((group_kind)kind, kind % 2, &rng, &g);
            fill(MIXED, false, &rng, &moved);
            memcpy(moved.weight, g.weight, sizeof g.weight);
            for (int c = 0; c < ITH_GROUP; c++)
                moved.x[c][9] = g.x[c][2];
            (with_min ? ith_fit_w4m : ith_fit_w8)(&g, &fit);
            (with_min ? ith_fit_w4m : ith_fit_w8)(&moved, &other);
            assert_int_equal(fit.scale[2], other.scale[9]);
            if (with_min)
                assert_int_equal(fit.min[2], other.min[9]);
            for (int c = 0; c < ITH_GROUP; c++)
                assert_int_equal(fit.quants[c][2], other.quants[c][9]);
        }
}

/* The bits that quantizers give are part of contract 2: a model folder gives the same logits on
 * every machine. This test pins a checksum of them. */
static uint64_t digest(uint64_t h, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return h;
}

static void bits_are_these_on_every_machine(void **state)
{
    (void)state;
    prng rng = {8};
    ith_fit_group g;
    ith_fit fit;
    uint64_t h = 0xcbf29ce484222325u;

    for (int kind = 0; kind < KINDS; kind++) {
        fill((group_kind)kind, kind % 2, &rng, &g);
        ith_fit_w8(&g, &fit);
        h = digest(digest(h, fit.scale, sizeof fit.scale), fit.quants, sizeof fit.quants);
        ith_fit_w4m(&g, &fit);
        h = digest(digest(h, fit.scale, sizeof fit.scale), fit.quants, sizeof fit.quants);
        h = digest(h, fit.min, sizeof fit.min);
    }
    assert_int_equal(h, 0xab7096a21fc260bbu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_worse_than_rounding_to_nearest),
        cmocka_unit_test(numbers_on_a_grid_are_found),
        cmocka_unit_test(columns_of_no_weight_are_free),
        cmocka_unit_test(rows_do_not_see_each_other),
        cmocka_unit_test(bits_are_these_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
