/* test_levels.c - which instruction-set level a CPU gets: the highest that it supports under the
 * cap, and one that is marked `on_request` only by its name. */
#include "simd/kernels.h"
#include "simd/levels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int missing;
static bool asked[ITH_LEVELS];

static bool supports(int level)
{
    asked[level] = true;
    return level != missing;
}

/* The level of a CPU that supports all levels but `lacks`, or -1 for none. */
static int choose(const char *cap, int lacks)
{
    missing = lacks;
    memset(asked, 0, sizeof asked);
    return ith_level_choose(cap, supports);
}

static void a_name_is_a_cap(void **state)
{
    const char *const *names = ith_kernels_names();
    (void)state;
    for (int i = 0; i < ITH_LEVELS; i++) {
        assert_int_equal(choose(names[i], -1), i);
        if (i > 0)
            assert_true(choose(names[i], i) < i);
    }
    assert_int_equal(choose("ref", -1), 0);
}

static void a_level_may_wait_to_be_named(void **state)
{
    (void)state;
#if defined(__x86_64__) && !defined(ITH_PLAIN_C)
    const char *const others[] = {NULL, "", "i8mm", "avx512"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(choose(others[i], -1), ITH_LEVEL_avx512);
        assert_false(asked[ITH_LEVEL_amx]); /* the system is not asked for what is not used */
    }
    assert_int_equal(choose("amx", -1), ITH_LEVEL_amx);
    assert_int_equal(choose("amx", ITH_LEVEL_amx), ITH_LEVEL_avx512);
    assert_int_equal(choose(NULL, ITH_LEVEL_avx512), ITH_LEVEL_avx512bw);
#else
    assert_int_equal(choose(NULL, -1), ITH_LEVELS - 1);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_a_cap),
        cmocka_unit_test(a_level_may_wait_to_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
