/* test_json.c - numbers that Python's json module writes: read where nobody needs them, refused by
 * name where somebody does. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text)
{
    ith_error err = {0};
    json_t *root;

    if (ith_json_parse(text, strlen(text), "f.json", &root, &err) != ITH_OK)
        fail_msg("%s: %s", text, err.text);
    return root;
}

static void test_not_needed(void **state)
{
    static const char *const texts[] = {
        "{\"x\": 1000000000000000019884624838656, \"a\": 7}",
        "{\"x\": -9223372036854775809, \"a\": 7}",
        "{\"x\": [NaN, Infinity, -Infinity], \"a\": 7}",
        "{\"x\": 1e999, \"y\": -1E+400, \"a\": 7}",
        "{\"x\\\"\": \"NaN 99999999999999999999 \\\\\", \"y\": 18446744073709551615, \"a\": 7}",
    };
    int64_t a;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *root = parse(texts[i]);
        a = 0;
        assert_int_equal(ith_json_int(root, "f.json", "a", 0, 10, &a, NULL), ITH_OK);
        assert_int_equal(a, 7);
        json_decref(root);
    }
}

static void test_strings_stay(void **state)
{
    json_t *root = parse("{\"s\": \"NaN -Infinity 99999999999999999999 \\\" 1e999\", \"x\": NaN}");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "s")),
                        "NaN -Infinity 99999999999999999999 \" 1e999");
    json_decref(root);
}

static void test_needed(void **state)
{
    json_t *root = parse("{\"i\": 99999999999999999999, \"inf\": Infinity, \"big\": 1e400, "
                         "\"nan\": NaN, \"max\": 9223372036854775807}");
    ith_error err = {0};
    int64_t n = 0;
    double x = 0;

    (void)state;
    assert_int_equal(ith_json_int(root, "f.json", "i", 0, INT64_MAX, &n, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "\"i\""));
    assert_int_equal(ith_json_real(root, "f.json", "i", &x, NULL), ITH_OK);
    assert_true(x == 1e20);
    assert_int_equal(ith_json_real(root, "f.json", "inf", &x, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "\"inf\""));
    assert_int_equal(ith_json_real(root, "f.json", "big", &x, NULL), ITH_E_FORMAT);
    assert_int_equal(ith_json_real(root, "f.json", "nan", &x, NULL), ITH_E_FORMAT);
    assert_int_equal(ith_json_int(root, "f.json", "max", 0, INT64_MAX, &n, NULL), ITH_OK);
    assert_true(n == INT64_MAX);
    json_decref(root);
}

/* What would become another value is refused where that matters. */
static void test_strict(void **state)
{
    static const char *const refused[] = {
        "{\"const\": 12345678901234567890}",
        "{\"maximum\": 18446744073709551615}",
        "{\"minimum\": -9223372036854775809}",
        "{\"const\": NaN}",
        "{\"enum\": [Infinity]}",
        "{\"maximum\": 1e999}",
        "{\"a\": 1, \"b\": {\"c\": 1, \"c\": 1}}",
    };
    json_t *root;
    ith_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(
            ith_json_parse_strict(refused[i], strlen(refused[i]), "the schema", &root, &err),
            ITH_E_FORMAT);
        assert_null(root);
        assert_non_null(strstr(err.text, "the schema: line 1: "));
    }
    assert_int_equal(
        ith_json_parse_strict("{\"a\": [9223372036854775807, 1e308]}", 35, "", &root, &err),
        ITH_OK);
    json_decref(root);
    assert_int_equal(ith_json_parse_strict(NULL, 0, "", &root, &err), ITH_E_FORMAT);
}

static void test_damaged(void **state)
{
    static const char *const texts[] = {
        "",    "{",    "{\"x\": NaN", "{\"x\": Nan}",          "\"",       "\"\\", "[Infinity",
        "[-]", "[1e]", "[1.2.3.4]",   "[99999999999999999999", "[NaN NaN]"};
    json_t *root;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ith_error err = {0};
        assert_int_equal(ith_json_parse(texts[i], strlen(texts[i]), "f.json", &root, &err),
                         ITH_E_FORMAT);
        assert_null(root);
        assert_non_null(strstr(err.text, "f.json: line 1"));
    }
}

/* An answer without a body, for example. */
static void test_nothing(void **state)
{
    ith_error err = {0};
    json_t *root;

    (void)state;
    assert_int_equal(ith_json_parse(NULL, 0, "f.json", &root, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "f.json: line 1: '[' or '{' expected"));
}

static void test_digits(void **state)
{
    json_t *root = parse("[0.12345678901234567, 1e22, 3]"), *again;
    char *text = ith_json_exact_text(root, false);

    (void)state;
    again = parse(text);
    assert_true(json_equal(root, again));
    free(text);
    json_decref(root);
    json_decref(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_needed), cmocka_unit_test(test_strings_stay),
        cmocka_unit_test(test_needed),     cmocka_unit_test(test_strict),
        cmocka_unit_test(test_damaged),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
