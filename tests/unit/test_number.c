/* test_number.c - numbers as text do not depend on the locale: here one that writes 1,5. Skipped
 * where none can be had. */
#include "base/error.h"
#include "base/number.h"
#include "base/size.h"
#include "model/rope.h"
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* One that is installed, else one that localedef makes in `folder`. */
static bool choose_locale(const char *folder)
{
    char command[200];

    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
             folder);
    if (system(command) == 0)
        setenv("LOCPATH", folder, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") != NULL || setlocale(LC_ALL, "fr_FR.UTF-8") != NULL;
}

/* localedef may have made a folder in it. */
static void remove_all(const char *folder)
{
    char command[100];

    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void numbers_are_the_same(void **state)
{
    ith_rope_params rope = {.theta = 10000};
    ith_error err;
    const char *end;
    char folder[64], text[16], *after;
    int64_t bytes, ctx = 2048;
    (void)state;

    folder_make(folder);
    if (!choose_locale(folder)) {
        remove_all(folder);
        skip();
    }
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* so the locale is in force */

    assert_true(ith_strtod("1.5", &after) == 1.5);
    assert_string_equal(after, "");
    assert_true(ith_size_read("1.5GiB", &end, &bytes));
    assert_int_equal(bytes, 3 << 29);
    assert_int_equal(ith_rope_scale("linear:1.5", &rope, &ctx, NULL), ITH_OK);
    assert_true(rope.factor == 1.5);
    assert_int_equal(ith_rope_scale("linear:1,5", &rope, &ctx, NULL), ITH_E_ARGUMENT);
    ith_fail(&err, ITH_E_FORMAT, "%.1f", 1.5);
    assert_string_equal(err.text, "1.5");
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* and still is */
    setlocale(LC_ALL, "C");
    remove_all(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
