/* test_plot.c - plots: what cannot be drawn is left out, and markers tell styles apart. */
#include "cli/plot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The picture of one curve; the caller frees it. */
static char *draw(ith_report_point *points, size_t n)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ith_report_points all = {points, n};
    ith_plot_curve curve = {.label = "a", .points = &all};

    assert_non_null(out);
    ith_plot_write(out, &(ith_plot){"t", "s", &curve, 1});
    assert_int_equal(fclose(out), 0);
    return text;
}

static int count(const char *text, const char *what)
{
    int n = 0;

    while ((text = strstr(text, what)) != NULL)
        n++, text += strlen(what);
    return n;
}

static void test_points_without_a_place(void **state)
{
    ith_report_point points[] = {
        {1024, 0, 0, 0},       {2048, -1, -1, -1}, {4096, INFINITY, 1, INFINITY},
        {8192, NAN, NAN, NAN}, {16384, 2, 0, 3},   {-1, 1, 1, 1},
        {32768, 5, 4, 6},      {65536, 7, 7, 7},
    };
    char *text = draw(points, sizeof points / sizeof *points);

    (void)state;
    assert_int_equal(count(text, "</title><path"), 2);
    assert_int_equal(count(text, "nan") + count(text, "inf"), 0);
    assert_true(strlen(text) < 20000);
    free(text);
    text = draw(points, 6);
    assert_string_equal(text, "");
    free(text);
}

/* The marker of a style without its colour. */
static char *marker(int style, bool published)
{
    char *text = NULL, *at;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    ith_plot_write_marker(out, style, published);
    assert_int_equal(fclose(out), 0);
    for (at = text; (at = strstr(at, "--curve-")) != NULL; at++)
        at[8] = '*';
    return text;
}

static void test_markers(void **state)
{
    char *all[2 * ITH_PLOT_STYLES];

    (void)state;
    for (int i = 0; i < 2 * ITH_PLOT_STYLES; i++)
        all[i] = marker(i % ITH_PLOT_STYLES, i >= ITH_PLOT_STYLES);
    for (int i = 0; i < 2 * ITH_PLOT_STYLES; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(all[i], all[k]);
    for (int i = 0; i < 2 * ITH_PLOT_STYLES; i++)
        free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_without_a_place),
        cmocka_unit_test(test_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
