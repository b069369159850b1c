/* The text of progress reports. When they appear depends on the clock and is not tested. */
#include "base/progress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void tokens_with_rate_and_time_left(void **state)
{
    char line[200];
    (void)state;
    ith_progress_format(line, sizeof line, "prefill", ITH_UNIT_TOKENS, 12288, 32768, 262.4, 78.1, false);
    assert_string_equal(line, "prefill 12,288 of 32,768 tokens (37%), 262 tokens/s, 1:19 left");
    ith_progress_format(line, sizeof line, "prefill", ITH_UNIT_TOKENS, 0, 1234567, 12.34, 100046, false);
    assert_string_equal(line, "prefill 0 of 1,234,567 tokens (0%), 12.3 tokens/s, 27:47:26 left");
}

static void bytes_and_unknown_rate(void **state)
{
    char line[200];
    (void)state;
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_BYTES, 500000000, 8200000000, 0, 0, false);
    assert_string_equal(line, "load 500 MB of 8.20 GB (6%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_BYTES, 4100000000, 8200000000, 1.025e9, 4, false);
    assert_string_equal(line, "load 4.10 GB of 8.20 GB (50%), 1.02 GB/s, 0:04 left");
}

static void bar_at_its_ends(void **state)
{
    char line[200];
    (void)state;
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 0, 100, 0, 0, true);
    assert_string_equal(line, "load [....................] 0 of 100 tokens (0%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 99, 100, 0, 0, true);
    assert_string_equal(line, "load [###################.] 99 of 100 tokens (99%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 100, 100, 0, 0, true);
    assert_string_equal(line, "load [####################] 100 of 100 tokens (100%)");
    ith_progress_format(line, sizeof line, "load", ITH_UNIT_TOKENS, 0, 0, 0, 0, true);
    assert_string_equal(line, "load [####################] 0 of 0 tokens (100%)");
}

static void short_buffers_stay_whole(void **state)
{
    char line[12];
    (void)state;
    ith_progress_format(line, sizeof line, "prefill", ITH_UNIT_TOKENS, 12288, 32768, 262, 78, true);
    assert_string_equal(line, "prefill [##");
}

static void updates_within_two_seconds_leave_no_trace(void **state)
{
    ith_progress p = {0};
    (void)state;
    ith_progress_update(&p, "load", ITH_UNIT_BYTES, 1, 10, "");
    assert_true(p.begun);
    ith_progress_update(&p, "prefill", ITH_UNIT_TOKENS, 5, 10, "");
    assert_string_equal(p.what, "prefill");
    assert_int_equal(p.recent_done, 5);
    ith_progress_end(&p);
    assert_false(p.begun);
}

/* Chunks of 512 at 2 ms a token and 1 us more for each 10 tokens before it. */
static double cost_s(int64_t from, int64_t to)
{
    double a = (double)from, b = (double)to;
    return 2e-3 * (b - a) + 1e-7 * (b * b - a * a) / 2;
}

static void cost_is_a_line_summed(void **state)
{
    ith_depth_cost c = {2e-3, 1e-7};
    double one_by_one = 0;
    (void)state;
    for (int64_t x = 1000; x < 5000; x++)
        one_by_one += c.token_s + c.key_s * ((double)x + 0.5);
    assert_true(fabs(ith_depth_cost_s(c, 1000, 5000) / one_by_one - 1) < 1e-9);
    assert_true(ith_depth_cost_s(c, 0, 0) == 0 && ith_depth_cost_s((ith_depth_cost){3, 0}, 131072, 131074) == 6);
}

static void time_left_knows_the_quadratic_part(void **state)
{
    ith_forecast f = {0};
    (void)state;
    assert_true(ith_forecast_left(&f, 0, 100) < 0 && ith_forecast_token(&f, 5) < 0);
    for (int64_t at = 0; at < 8192; at += 512)
        ith_forecast_add(&f, at, at + 512, cost_s(at, at + 512));
    assert_true(fabs(ith_forecast_left(&f, 8192, 131072) / cost_s(8192, 131072) - 1) < 1e-6);
    assert_true(fabs(ith_forecast_token(&f, 100000) / 12e-3 - 1) < 1e-6);
    assert_true(fabs(ith_forecast_left(&f, 131072, 131072)) < 1e-9);
}

static void one_chunk_or_less_is_a_rate(void **state)
{
    ith_forecast f = {0};
    (void)state;
    ith_forecast_add(&f, 512, 512, 1);
    ith_forecast_add(&f, 512, 1024, 0);
    assert_true(ith_forecast_left(&f, 0, 10) < 0);
    ith_forecast_add(&f, 1024, 1536, 2.56);
    assert_true(fabs(ith_forecast_left(&f, 1536, 2536) - 5) < 1e-9);
}

/* A cost that falls with depth, or a line that would begin below nothing, is noise. */
static void forecasts_are_never_negative(void **state)
{
    ith_forecast falls = {0}, steep = {0};
    (void)state;
    ith_forecast_add(&falls, 0, 100, 1);
    ith_forecast_add(&falls, 0, 100, 3);
    ith_forecast_add(&falls, 100, 200, 1);
    assert_true(ith_forecast_left(&falls, 200, 300) > 1 && ith_forecast_left(&falls, 200, 1200) < 30);
    ith_forecast_add(&steep, 0, 100, 1);
    ith_forecast_add(&steep, 0, 100, 0.01);
    ith_forecast_add(&steep, 100, 200, 3);
    assert_true(ith_forecast_token(&steep, 0) >= 0 && ith_forecast_left(&steep, 200, 300) > 3);
}

/* The third of three chunks is slow because the machine is: operations say that depth is not the reason. */
static void operations_bound_what_depth_costs(void **state)
{
    static const double share = 1e-5;
    ith_forecast one = {.key_share = share}, slower = {.key_share = share}, faster = {.key_share = share};
    ith_forecast *f[] = {&slower, &faster};
    (void)state;
    ith_forecast_add(&one, 0, 512, 512 * (1 + share * 256));
    assert_true(fabs(ith_forecast_left(&one, 512, 131072) / ith_depth_cost_s((ith_depth_cost){1, share}, 512, 131072) - 1) < 1e-9);
    for (int i = 0; i < 2; i++) {
        ith_forecast_add(f[i], 0, 512, 512);
        ith_forecast_add(f[i], 512, 1024, 512);
        ith_forecast_add(f[i], 1024, 1536, i == 0 ? 3 * 512 : 512 / 3);
    }
    assert_true(ith_forecast_left(&slower, 1536, 131072) < 130e3 * 3 * (1 + 4 * share * 66e3));
    assert_true(ith_forecast_left(&slower, 1536, 131072) > 130e3);
    assert_true(ith_forecast_token(&faster, 131072) > ith_forecast_token(&faster, 0) * 1.3);
    for (int64_t at = 1536; at < 65536; at += 512) /* what is measured counts, within its bounds */
        ith_forecast_add(&slower, at, at + 512, ith_depth_cost_s((ith_depth_cost){1, 2 * share}, at, at + 512));
    assert_true(fabs(ith_forecast_left(&slower, 65536, 131072) /
                         ith_depth_cost_s((ith_depth_cost){1, 2 * share}, 65536, 131072) - 1) < 0.05);
}

/* The first chunk of 64 waits for memory. */
static void a_slow_start_is_passed_over(void **state)
{
    ith_forecast f = {0};
    double want = cost_s(32768, 131072);
    (void)state;
    for (int64_t at = 0; at < 32768; at += 512)
        ith_forecast_add(&f, at, at + 512, cost_s(at, at + 512) + (at == 0 ? 20 : 0));
    assert_true(fabs(ith_forecast_left(&f, 32768, 131072) / want - 1) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_with_rate_and_time_left),
        cmocka_unit_test(bytes_and_unknown_rate),
        cmocka_unit_test(bar_at_its_ends),
        cmocka_unit_test(short_buffers_stay_whole),
        cmocka_unit_test(updates_within_two_seconds_leave_no_trace),
        cmocka_unit_test(cost_is_a_line_summed),
        cmocka_unit_test(time_left_knows_the_quadratic_part),
        cmocka_unit_test(one_chunk_or_less_is_a_rate),
        cmocka_unit_test(forecasts_are_never_negative),
        cmocka_unit_test(operations_bound_what_depth_costs),
        cmocka_unit_test(a_slow_start_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
