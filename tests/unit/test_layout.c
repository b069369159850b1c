/* test_layout.c - tiles: every file type is packed and read back, row by row. */
#include "formats/source.h"
#include "formats/widen.h"
#include "prng.h"
#include "simd/half.h"
#include "weights/layout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_COLS = 352, MAX_ROW_BYTES = MAX_COLS * 4 };

static uint8_t source[16][MAX_ROW_BYTES];
static _Alignas(64) uint8_t tile[16 * MAX_COLS * 4 + 64];

/* Random blocks of a type, scales within [2^-8, 2^8). */
static void fill(ith_dtype dtype, int64_t cols, prng *rng)
{
    const ith_dtype_info *info = ith_dtype_get(dtype);
    for (int r = 0; r < 16; r++) {
        for (int64_t i = 0; i < cols / info->block; i++) {
            uint8_t *block = source[r] + i * info->block_bytes;
            for (int b = 0; b < info->block_bytes; b++)
                block[b] = (uint8_t)(uint32_t)prng_next(rng);
            for (int h = 0; h < (dtype == ITH_DT_Q4_1 ? 2 : 1) && info->block > 1; h++) {
                uint16_t half =
                    ith_f32_to_f16(ldexpf(1 + (float)((uint32_t)prng_next(rng) % 1000) / 1000,
                                          (int)((uint32_t)prng_next(rng) % 16) - 8));
                memcpy(block + 2 * h, &half, 2);
            }
            if (dtype == ITH_DT_F32) {
                float x = prng_float(rng, -2, 2);
                memcpy(block, &x, 4);
            } else if (dtype == ITH_DT_F16 || dtype == ITH_DT_BF16) {
                uint16_t x = dtype == ITH_DT_F16 ? ith_f32_to_f16(prng_float(rng, -2, 2))
                                                 : ith_f32_to_bf16(prng_float(rng, -2, 2));
                memcpy(block, &x, 2);
            }
        }
    }
}

/* Packs `n_rows` rows. Returns the largest error of any element, relative to the largest element of
 * its group. */
static double round_trip(ith_layout layout, ith_dtype dtype, int64_t cols, int n_rows)
{
    int64_t groups = (cols + 31) / 32;
    const uint8_t *rows[16] = {NULL};
    float want[MAX_COLS], got[MAX_COLS];
    double worst = 0;

    for (int r = 0; r < n_rows; r++)
        rows[r] = source[r];
    memset(tile, 0xa5, sizeof tile);
    assert_true(ith_layout_pack_tile(layout, groups, dtype, cols, NULL, rows, tile));
    for (size_t i = ith_tile_bytes(layout, (size_t)groups); i < sizeof tile; i++)
        assert_int_equal(tile[i], 0xa5);
    for (int r = 0; r < n_rows; r++) {
        ith_dtype_to_f32(dtype, source[r], cols, want);
        ith_layout_unpack_row(layout, groups, tile, r, cols, got);
        for (int64_t g = 0; g < groups; g++) {
            double largest = 1e-30;
            for (int64_t i = 32 * g; i < cols && i < 32 * g + 32; i++)
                largest = fmax(largest, fabs((double)want[i]));
            for (int64_t i = 32 * g; i < cols && i < 32 * g + 32; i++)
                worst = fmax(worst, fabs((double)want[i] - (double)got[i]) / largest);
        }
    }
    for (int r = n_rows; r < 16; r++) {
        ith_layout_unpack_row(layout, groups, tile, r, cols, got);
        for (int64_t i = 0; i < cols; i++)
            assert_true(got[i] == 0);
    }
    return worst;
}

static void quantized_files_keep_their_bits(void **state)
{
    (void)state;
    const struct {
        ith_dtype dtype;
        ith_layout layout;
        double tolerance; /* Q4_1 rounds scale * q + min once, in whichever order */
    } cases[] = {{ITH_DT_Q8_0, ITH_W8, 0}, {ITH_DT_Q4_0, ITH_W4, 0}, {ITH_DT_Q4_1, ITH_W4M, 2e-7}};
    prng rng = {1};

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ith_tensor tensor = {.dtype = cases[c].dtype};
        for (ith_quant quant = ITH_QUANT_W8; quant <= ITH_QUANT_AUTO; quant++)
            assert_int_equal(ith_layout_choose(&tensor, quant, false, false), cases[c].layout);
        assert_int_equal(ith_layout_choose(&tensor, ITH_QUANT_W8, false, true), ITH_F32);
        for (int64_t cols = 32; cols <= MAX_COLS; cols += 32) {
            fill(cases[c].dtype, cols, &rng);
            for (int n_rows = 1; n_rows <= 16; n_rows += 5)
                assert_true(round_trip(cases[c].layout, cases[c].dtype, cols, n_rows) <=
                            cases[c].tolerance);
        }
    }
}

static void floats_are_quantized_within_two_steps(void **state)
{
    (void)state;
    const ith_dtype types[] = {ITH_DT_F32, ITH_DT_F16, ITH_DT_BF16};
    prng rng = {2};

    for (size_t t = 0; t < 3; t++) {
        /* Columns that are not whole groups. */
        for (int64_t cols = 1; cols <= 100; cols += 9) {
            fill(types[t], cols, &rng);
            assert_true(round_trip(ITH_W8, types[t], cols, 16) <= 1.2 / 127);
            assert_true(round_trip(ITH_W4M, types[t], cols, 7) <= 2.0 / 15 * 1.8);
            assert_true(round_trip(ITH_F32, types[t], cols, 16) == 0);
            assert_true(round_trip(ITH_F32T, types[t], cols, 5) == 0);
            assert_true(round_trip(ITH_BF16, types[t], cols, 3) <=
                        (types[t] == ITH_DT_BF16 ? 0 : 1.0 / 256));
        }
    }
}

static void extremes_stay_finite(void **state)
{
    (void)state;
    const float values[] = {0, 1e-30f, -1e-8f, 60000, -60000, 3e5f};

    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        float got[32];
        for (int r = 0; r < 16; r++)
            for (int i = 0; i < 32; i++)
                memcpy(source[r] + 4 * i, &values[v], 4);
        round_trip(ITH_W8, ITH_DT_F32, 32, 16);
        ith_layout_unpack_row(ITH_W8, 1, tile, 5, 32, got);
        assert_true(isfinite(got[7]));
        assert_true(fabsf(got[7] - values[v]) <= 0.001f * fabsf(values[v]) + 1e-7f);
    }
}

/* The column that matters is met better than it is among equals, in whichever group it stands. */
static void importance_belongs_to_its_column(void **state)
{
    (void)state;
    const ith_layout layouts[] = {ITH_W8, ITH_W4M};
    const uint8_t *rows[16] = {NULL};
    float importance[100], want[100], got[100];
    prng rng = {3};

    fill(ITH_DT_F32, 100, &rng);
    for (int r = 0; r < 16; r++)
        rows[r] = source[r];
    for (int l = 0; l < 2; l++)
        for (int heavy = 0; heavy < 100; heavy++) {
            double equal = 0, met = 0;
            for (int pass = 0; pass < 2; pass++) {
                for (int c = 0; c < 100; c++)
                    importance[c] = c == heavy ? 1e4f : 1;
                assert_true(ith_layout_pack_tile(layouts[l], 4, ITH_DT_F32, 100,
                                                 pass ? importance : NULL, rows, tile));
                for (int r = 0; r < 16; r++) {
                    memcpy(want, source[r], sizeof want);
                    ith_layout_unpack_row(layouts[l], 4, tile, r, 100, got);
                    *(pass ? &met : &equal) += fabs((double)want[heavy] - (double)got[heavy]);
                }
            }
            assert_true(met < 0.75 * equal);
        }
}

static void not_a_number_is_told(void **state)
{
    (void)state;
    const ith_layout layouts[] = {ITH_W8, ITH_W4M};
    const float values[] = {NAN, INFINITY, -INFINITY};
    const uint8_t *rows[16] = {NULL};
    float got[50];
    prng rng = {4};

    for (int r = 0; r < 16; r++)
        rows[r] = source[r];
    for (int l = 0; l < 2; l++)
        for (int v = 0; v < 3; v++) {
            fill(ITH_DT_F32, 50, &rng);
            assert_true(ith_layout_pack_tile(layouts[l], 2, ITH_DT_F32, 50, NULL, rows, tile));
            memcpy(source[7] + 4 * 49, &values[v], 4);
            assert_false(ith_layout_pack_tile(layouts[l], 2, ITH_DT_F32, 50, NULL, rows, tile));
            ith_layout_unpack_row(layouts[l], 2, tile, 7, 50, got);
            for (int c = 0; c < 50; c++)
                assert_true(isfinite(got[c]));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantized_files_keep_their_bits),
        cmocka_unit_test(floats_are_quantized_within_two_steps),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(importance_belongs_to_its_column),
        cmocka_unit_test(not_a_number_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
