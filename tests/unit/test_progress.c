/* The text of progress reports. When they appear depends on the clock and is not tested. */
#include "base/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void tokens_with_rate_and_time_left(void **state)
{
    char line[200];
    (void)state;
    ith_progress_format(line, sizeof line, "prefill", ITH_UNIT_TOKENS, 12288, 32768, 262.4, false);
    assert_string_equal(line, "prefill 12,288 of 32,768 tokens (37%), 262 tokens/s, 1:19 left");
    ith_progress_format(line, sizeof line, "prefill", ITH_UNIT_TOKENS, 0, 1234567, 12.34, false);
    assert_string_equal(line, "prefill 0 of 1,234,567 tokens (0%), 12.3 tokens/s, 27:47:26 left");
}

static void bytes_and_unknown_rate(void **state)
{
    char line[200];
    (void)state;
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_BYTES, 500000000, 8200000000, 0, false);
    assert_string_equal(line, "load 500 MB of 8.20 GB (6%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_BYTES, 4100000000, 8200000000, 1.025e9, false);
    assert_string_equal(line, "load 4.10 GB of 8.20 GB (50%), 1.02 GB/s, 0:04 left");
}

static void bar_at_its_ends(void **state)
{
    char line[200];
    (void)state;
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 0, 100, 0, true);
    assert_string_equal(line, "load [....................] 0 of 100 tokens (0%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 99, 100, 0, true);
    assert_string_equal(line, "load [###################.] 99 of 100 tokens (99%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 100, 100, 0, true);
    assert_string_equal(line, "load [####################] 100 of 100 tokens (100%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 0, 0, 0, true);
    assert_string_equal(line, "load [####################] 0 of 0 tokens (100%)");
}

static void short_buffers_stay_whole(void **state)
{
    char line[12];
    (void)state;
    ith_progress_format(line, sizeof line, "prefill", ITH_UNIT_TOKENS, 12288, 32768, 262, true);
    assert_string_equal(line, "prefill [##");
}

static void updates_within_two_seconds_leave_no_trace(void **state)
{
    ith_progress p = {0};
    (void)state;
    ith_progress_update(&p, "load", ITH_UNIT_BYTES, 1, 10);
    assert_true(p.begun);
    ith_progress_update(&p, "prefill", ITH_UNIT_TOKENS, 5, 10);
    assert_string_equal(p.what, "prefill");
    assert_int_equal(p.recent_done, 5);
    ith_progress_end(&p);
    assert_false(p.begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_with_rate_and_time_left),
        cmocka_unit_test(bytes_and_unknown_rate),
        cmocka_unit_test(bar_at_its_ends),
        cmocka_unit_test(short_buffers_stay_whole),
        cmocka_unit_test(updates_within_two_seconds_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
