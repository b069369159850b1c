/* test_progress.c - the text of progress reports. When they appear depends on the clock and is not
 * tested here. */
#include "base/progress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *text(char line[300], const ith_progress_report *report, int width)
{
    ith_progress_format(line, 300, report, width);
    return line;
}

static void tokens_with_rate_and_time_left(void **state)
{
    char line[300];
    (void)state;
    assert_string_equal(
        text(line,
             &(ith_progress_report){
                 "prefill", ITH_UNIT_TOKENS, 12288, 32768, 262.4, 78.1, {"1.20 GB of memory"}, 1},
             0),
        "prefill 37%, 12,288 of 32,768 tokens, 262 tokens/s, 1 min 19 s left, 1.20 GB of memory");
    assert_string_equal(
        text(line,
             &(ith_progress_report){"prefill", ITH_UNIT_TOKENS, 0, 1234567, 12.34, 100046, {""}, 0},
             0),
        "prefill 0%, 0 of 1,234,567 tokens, 12.3 tokens/s, 27 h 47 min left");
}

static void bytes_and_unknown_rate(void **state)
{
    char line[300];
    (void)state;
    assert_string_equal(
        text(line,
             &(ith_progress_report){"load", ITH_UNIT_BYTES, 500000000, 8200000000, 0, -1, {""}, 0},
             0),
        "load 6%, 500 MB of 8.20 GB");
    assert_string_equal(
        text(line,
             &(ith_progress_report){
                 "load", ITH_UNIT_BYTES, 4100000000, 8200000000, 1.025e9, 4, {""}, 0},
             0),
        "load 50%, 4.10 GB of 8.20 GB, 1.02 GB/s, 4 s left");
}

static void bar_at_its_ends(void **state)
{
    ith_progress_report r = {.what = "load", .unit = ITH_UNIT_TOKENS, .total = 100, .left_s = -1};
    char line[300];
    (void)state;
    assert_string_equal(text(line, &r, 100), "load [....................] 0%, 0 of 100 tokens");
    r.done = 99;
    assert_string_equal(text(line, &r, 100), "load [###################.] 99%, 99 of 100 tokens");
    r.done = 100;
    assert_string_equal(text(line, &r, 100), "load [####################] 100%, 100 of 100 tokens");
    r.done = r.total = 0;
    assert_string_equal(text(line, &r, 100), "load [####################] 100%, 0 of 0 tokens");
}

/* No width is exceeded, and more columns never show less. */
static void lines_fit_every_width(void **state)
{
    ith_progress_report r = {"prefill",
                             ITH_UNIT_TOKENS,
                             49152,
                             131072,
                             262.4,
                             16312,
                             {"12.30 GB of memory", "350 MB sent"},
                             2};
    char line[300], all[300];
    size_t last = 0;
    (void)state;
    assert_string_equal(text(line, &r, 59),
                        "prefill [#####.........] 37%, 262 tokens/s, 4 h 31 min left");
    assert_string_equal(
        text(line, &r, 79),
        "prefill [###.....] 37%, 49,152 of 131,072 tokens, 262 tokens/s, 4 h 31 min left");
    assert_string_equal(
        text(line, &r, 119),
        "prefill [#######.............] 37%, 49,152 of 131,072 tokens, 262 tokens/s, "
        "4 h 31 min left, 12.30 GB of memory");
    for (int width = 1; width < 200; width++) {
        text(line, &r, width);
        assert_true(strlen(line) <= (size_t)width);
        assert_true(strlen(line) >= last || strchr(line, '#') != NULL || width < 160);
        last = strlen(line);
    }
    text(all, &r, 0);
    assert_null(strchr(all, '#'));
    assert_non_null(strstr(line, strstr(all, " 37%")));
}

static void times(void **state)
{
    static const struct {
        double s;
        const char *text;
    } cases[] = {{0, "0 s"},      {59, "59 s"},     {59.5, "1 min 0 s"},   {200, "3 min 20 s"},
                 {600, "10 min"}, {1979, "32 min"}, {16320, "4 h 32 min"}, {360000, "100 h 0 min"}};
    char out[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ith_format_time(out, cases[i].s);
        assert_string_equal(out, cases[i].text);
    }
}

static void short_buffers_stay_whole(void **state)
{
    char line[12];
    (void)state;
    ith_progress_format(
        line, sizeof line,
        &(ith_progress_report){"prefill", ITH_UNIT_TOKENS, 12288, 32768, 262, 78, {""}, 0}, 100);
    assert_string_equal(line, "prefill [##");
}

/* What is known inside a chunk: of the first its own speed, of others that of those before. */
static void between_updates_the_display_moves(void **state)
{
    ith_progress p = {0};
    ith_progress_report r;
    (void)state;
    ith_progress_update(&p, "prefill", ITH_UNIT_TOKENS, 0, 4096);
    r = ith_progress_look(&p, p.recent_s + 10, 0);
    assert_true(r.done == 0 && r.rate == 0 && r.left_s < 0);
    r = ith_progress_look(&p, p.recent_s + 10, 128);
    assert_true(r.done == 128 && fabs(r.rate - 12.8) < 1e-9 && fabs(r.left_s - 310) < 1);
    assert_true(p.rate == 0 && p.forecast.chunks == 0);
    p.rate = 20;
    p.recent_done = 512;
    ith_forecast_add(&p.forecast, 0, 512, 25.6);
    r = ith_progress_look(&p, p.recent_s + 100, 640);
    assert_true(r.done == 640 && r.rate == 20 && fabs(r.left_s - 3456 * 0.05) < 1e-6);
    ith_progress_within(&p, 640);
    assert_true(p.recent_done == 512 && p.forecast.chunks == 1);
    ith_progress_end(&p);
}

static void updates_within_two_seconds_leave_no_trace(void **state)
{
    ith_progress p = {0};
    (void)state;
    ith_progress_within(&p, 1);
    assert_false(p.begun);
    ith_progress_update(&p, "load", ITH_UNIT_BYTES, 1, 10);
    assert_true(p.begun);
    ith_progress_update(&p, "prefill", ITH_UNIT_TOKENS, 5, 10);
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
    assert_true(ith_depth_cost_s(c, 0, 0) == 0 &&
                ith_depth_cost_s((ith_depth_cost){3, 0}, 131072, 131074) == 6);
}

static void time_left_knows_the_quadratic_part(void **state)
{
    ith_forecast f = {0};
    (void)state;
    assert_true(ith_forecast_left(&f, 0, 100) < 0);
    for (int64_t at = 0; at < 8192; at += 512)
        ith_forecast_add(&f, at, at + 512, cost_s(at, at + 512));
    assert_true(fabs(ith_forecast_left(&f, 8192, 131072) / cost_s(8192, 131072) - 1) < 1e-6);
    assert_true(fabs(ith_forecast_left(&f, 100000, 100001) / cost_s(100000, 100001) - 1) < 1e-6);
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
    assert_true(ith_forecast_left(&falls, 200, 300) > 1 &&
                ith_forecast_left(&falls, 200, 1200) < 30);
    ith_forecast_add(&steep, 0, 100, 1);
    ith_forecast_add(&steep, 0, 100, 0.01);
    ith_forecast_add(&steep, 100, 200, 3);
    assert_true(ith_forecast_left(&steep, 0, 1) >= 0 && ith_forecast_left(&steep, 200, 300) > 3);
}

/* The third of three chunks is slow because the machine is slow. The operation counts show that
 * depth is not the reason. */
static void operations_bound_what_depth_costs(void **state)
{
    static const double share = 1e-5;
    ith_forecast one = {.key_share = share}, slower = {.key_share = share},
                 faster = {.key_share = share};
    ith_forecast *f[] = {&slower, &faster};
    (void)state;
    ith_forecast_add(&one, 0, 512, 512 * (1 + share * 256));
    assert_true(fabs(ith_forecast_left(&one, 512, 131072) /
                         ith_depth_cost_s((ith_depth_cost){1, share}, 512, 131072) -
                     1) < 1e-9);
    for (int i = 0; i < 2; i++) {
        ith_forecast_add(f[i], 0, 512, 512);
        ith_forecast_add(f[i], 512, 1024, 512);
        ith_forecast_add(f[i], 1024, 1536, i == 0 ? 3 * 512 : 512 / 3);
    }
    assert_true(ith_forecast_left(&slower, 1536, 131072) < 130e3 * 3 * (1 + 4 * share * 66e3));
    assert_true(ith_forecast_left(&slower, 1536, 131072) > 130e3);
    assert_true(ith_forecast_left(&faster, 131072, 131073) >
                ith_forecast_left(&faster, 0, 1) * 1.3);
    for (int64_t at = 1536; at < 65536; at += 512) /* what is measured counts, within its bounds */
        ith_forecast_add(&slower, at, at + 512,
                         ith_depth_cost_s((ith_depth_cost){1, 2 * share}, at, at + 512));
    assert_true(fabs(ith_forecast_left(&slower, 65536, 131072) /
                         ith_depth_cost_s((ith_depth_cost){1, 2 * share}, 65536, 131072) -
                     1) < 0.05);
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
        cmocka_unit_test(lines_fit_every_width),
        cmocka_unit_test(times),
        cmocka_unit_test(short_buffers_stay_whole),
        cmocka_unit_test(between_updates_the_display_moves),
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
