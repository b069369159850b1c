/* test_lines.c - kernels to be measured from a buffer that is too small: refused by what does not
 * fit. */
#include "tools/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void too_small(void **state)
{
    const ith_key_tile tile = {.head_dim = 256, .group = 2, .tokens = 1};
    ith_kernel_bench b = {.kernels = ith_kernels_get(), .pool_bytes = 1 << 20};
    ith_line l;
    ith_error err;

    (void)state;
    assert_int_equal(ith_team_open(1, &b.team, &err), ITH_OK);
    assert_int_equal(ith_line_attention(&b, ITH_KVL_F32, &tile, &l, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "1048576 bytes is too small for a segment"));
    ith_line_close(&l);
    assert_int_equal(ith_line_product(&b, ITH_F32T, 16, 1 << 20, 1, &l, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "too small for a matrix of 1048576 columns"));
    ith_line_close(&l);
    b.pool_bytes = 2 << 20;
    assert_int_equal(ith_line_attention(&b, ITH_KVL_F32, &tile, &l, &err), ITH_OK);
    assert_int_equal(l.n_segments, 1);
    ith_line_close(&l);
    ith_team_close(b.team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(too_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
