/* test_orders.c - rows and elements that lie in a file in another order than they are computed
 * with: heads tile by tile, heads with others' rows between, convolutions tap by tap. */
#include "weights/produce.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { COLS = 32 };

/* A float tensor of a file. */
static ith_tensor tensor(const float *data, int n_dims, int64_t a, int64_t b, int64_t c)
{
    ith_tensor t = {.name = "t",
                    .file = "f",
                    .dtype = ITH_DT_F32,
                    .n_dims = n_dims,
                    .dims = {a, b, c},
                    .data = (const uint8_t *)data};

    t.bytes = (size_t)(a * (n_dims > 1 ? b : 1) * (n_dims > 2 ? c : 1)) * sizeof(float);
    return t;
}

/* Row i of the file holds i everywhere; `want` says which row of it is row i of the matrix. */
static void check_rows(int64_t all, int64_t first, int64_t n, ith_head_order order, const int *want)
{
    float file[64 * COLS];
    _Alignas(64) float tiles[64 * COLS];
    ith_tensor t = tensor(file, 2, all, COLS, 1);
    const ith_rows_of from = {.tensor = &t, .all_rows = all, .first_row = first, .order = order};
    ith_load_plan plan = {0};
    const ith_matrix *m;
    ith_producer p;
    ith_error err;

    for (int i = 0; i < all * COLS; i++)
        file[i] = (float)(i / COLS);
    assert_true(ith_load_plan_rows(&plan, "m", &from, n, COLS, ITH_F32, &m, &err) == ITH_OK);
    assert_true(ith_producer_open(&plan, ITH_CACHED, &p, &err) == ITH_OK);
    assert_true(ith_produce(&p, &plan.entries[0], 0, m->n_tiles, tiles, &err) == ITH_OK);
    for (int64_t i = 0; i < n; i++)
        assert_true(tiles[i * COLS] == (float)want[i] &&
                    tiles[i * COLS + COLS - 1] == (float)want[i]);
    ith_producer_close(&p);
    ith_load_plan_free(&plan);
}

static void heads_tile_by_tile(void **state)
{
    (void)state;
    /* Heads of 2 rows: 2 groups of 3. The file has the first of both, the second, the third. */
    static const int want[] = {0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11};
    check_rows(12, 0, 12, (ith_head_order){.head_dim = 2, .tiles = 2, .n_heads = 6}, want);
}

static void heads_with_others_between(void **state)
{
    (void)state;
    static const int first[] = {0, 1, 5, 6, 10, 11}, second[] = {2, 3, 4, 7, 8, 9, 12, 13, 14};
    int many[36];

    check_rows(15, 0, 6, (ith_head_order){.head_dim = 2, .stride = 5}, first);
    check_rows(15, 2, 9, (ith_head_order){.head_dim = 3, .stride = 5}, second);
    for (int i = 0; i < 36; i++) /* of several tiles */
        many[i] = i / 2 * 3 + i % 2;
    check_rows(54, 0, 36, (ith_head_order){.head_dim = 2, .stride = 3}, many);
}

static void pairs_within_heads(void **state)
{
    (void)state;
    int apart[4];

    check_rows(10, 0, 10, (ith_head_order){.head_dim = 5, .rotated = 4},
               (const int[]){0, 2, 1, 3, 4, 5, 7, 6, 8, 9});
    for (int i = 0; i < 4; i++) /* and other rows between */
        apart[i] = i / 2 * 3 + i % 2;
    check_rows(6, 0, 4, (ith_head_order){.head_dim = 2, .rotated = 2, .stride = 3}, apart);
}

static void make_vector(const ith_vector_of *from, float *out, ith_status want)
{
    ith_load_plan plan = {0};
    const float *where;
    ith_producer p;
    ith_error err;

    assert_true(ith_load_plan_vector(&plan, "v", from, &where, &err) == ITH_OK);
    assert_true(ith_producer_open(&plan, ITH_CACHED, &p, &err) == ITH_OK);
    assert_true(ith_produce(&p, &plan.entries[0], 0, 1, out, &err) == want);
    ith_producer_close(&p);
    ith_load_plan_free(&plan);
}

static void convolutions_tap_by_tap(void **state)
{
    (void)state;
    float file[18], out[12];
    ith_tensor t = tensor(file, 3, 6, 1, 3); /* 6 channels of 3 taps: 10 channel + tap */
    ith_vector_of from = {.tensor = &t, .n = 12, .form = {.taps = 3, .channels = 6, .first = 2}};
    static const float plain[] = {20, 30, 40, 50, 21, 31, 41, 51, 22, 32, 42, 52},
                       tiled[] = {20, 40, 30, 50, 21, 41, 31, 51, 22, 42, 32, 52};

    for (int i = 0; i < 18; i++)
        file[i] = (float)(i / 3 * 10 + i % 3);
    make_vector(&from, out, ITH_OK);
    assert_true(memcmp(out, plain, sizeof out) == 0);
    from.form.order = (ith_head_order){.head_dim = 1, .tiles = 2, .n_heads = 4};
    make_vector(&from, out, ITH_OK);
    assert_true(memcmp(out, tiled, sizeof out) == 0);
    from.form.channels = 5;
    assert_true(ith_load_plan_vector(&(ith_load_plan){0}, "v", &from, &(const float *){NULL},
                                     &(ith_error){0}) == ITH_E_FORMAT);
}

static void decays(void **state)
{
    (void)state;
    float file[] = {0, 1, -2, 3}, out[4];
    ith_tensor t = tensor(file, 1, 4, 1, 1);
    const ith_vector_of from = {.tensor = &t, .n = 4, .form = {.minus_exp = true}};

    make_vector(&from, out, ITH_OK);
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)out[i] + exp((double)file[i])) <= 1e-7 * exp((double)file[i]));
    file[2] = 1000; /* no decay is so large */
    make_vector(&from, out, ITH_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_tile_by_tile),
        cmocka_unit_test(heads_with_others_between),
        cmocka_unit_test(pairs_within_heads),
        cmocka_unit_test(convolutions_tap_by_tap),
        cmocka_unit_test(decays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
