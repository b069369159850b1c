/* test_pattern.c - patterns and properties against what Hugging Face's tokenizers 0.23 match by
 * Oniguruma. */
#include "unit/text_data.h"

#include "text/matcher.h"
#include "text/pattern_class.h"

/* Appends each match, and "|" after it. */
static void list_matches(const char *pattern, bool literal, const char *text, char *out)
{
    ith_match_budget budget = {0};
    ith_matcher matcher = {0};
    ith_pattern *compiled;
    ith_error err = {0};
    size_t begin, end;
    bool found = true;

    if (ith_pattern_compile(pattern, strlen(pattern), literal, "file", &compiled, &err) != ITH_OK)
        fail_msg("%s: %s", pattern, err.text);
    assert_int_equal(ith_match_budget_open(&budget, &err), ITH_OK);
    assert_int_equal(ith_matcher_open(&matcher, compiled, &err), ITH_OK);
    assert_int_equal(ith_matcher_begin(&matcher, text, strlen(text), &err), ITH_OK);
    *out = '\0';
    for (;;) {
        assert_int_equal(ith_matcher_next(&matcher, &budget, text, &begin, &end, &found, &err),
                         ITH_OK);
        if (!found)
            break;
        strncat(out, text + begin, end - begin);
        strcat(out, "|");
    }
    ith_matcher_close(&matcher);
    ith_match_budget_close(&budget);
    ith_pattern_free(compiled);
}

static void expect(const char *pattern, const char *text, const char *matches)
{
    char out[1024];

    list_matches(pattern, false, text, out);
    if (strcmp(out, matches) != 0)
        fail_msg("%s on \"%s\": \"%s\", not \"%s\"", pattern, text, out, matches);
}

static void test_dialect(void **state)
{
    const char *text = "xxxy xx a{b abcde -]foo\na bA\r\nB-a";

    (void)state;
    expect("x{,2}y", text, "xxy|");
    expect("x{2}", text, "xx|xx|");
    expect("x{2,}", text, "xxx|xx|");
    expect("x{1,2}?", text, "x|x|x|x|x|");
    expect("a{b", text, "a{b|");
    expect("a{,b", "a{,b a", "a{,b|");
    expect("[a-c-e]", text, "a|b|a|b|c|e|-|a|b|-|a|");
    expect("[-a]", text, "a|a|-|a|-|a|");
    expect("[a-]", text, "a|a|-|a|-|a|");
    expect("[a-c&&b-d]", text, "b|b|c|b|");
    expect("[^a-z\\s&&a-zA-Z]", "aZ b", "Z| |");
    expect("[a[xy]&&[^x]]+", "xaayxa", "aay|a|");
    expect("[\\x41-\\x43]", text, "A|B|");
    expect("\\u0041|\\x{42}", text, "A|B|");
    expect("\\bfoo", text, "foo|");
    expect("\\B.", "ab c", "b|");
    expect("^a", text, "a|");
    expect("[ab]$", "ab\nba\n", "b|a|");
    expect("a\\ b", text, "a b|");
    expect("a.", "a\nab", "ab|");
    expect("(?=f)o|(?<=f)o|o(?!\\n)", "fooo\n", "o|o|");
    expect("x++x|x*+y", "xxy", "xxy|");
}

static void test_case(void **state)
{
    const char *text = "sxSxſxkKKSsſſßiIİıaAbÀ";

    (void)state;
    expect("(?i:'s)x", "'sx'Sx'ſx", "'sx|'Sx|'ſx|");
    expect("(?i:k)", text, "k|K|K|");
    expect("(?i:s)", text, "s|S|ſ|S|s|ſ|ſ|");
    expect("(?i:[a-z])", text, "s|x|S|x|ſ|x|k|K|K|S|s|ſ|ſ|i|I|a|A|b|");
    expect("(?i:i)i?", "iIi", "i|Ii|");
    expect("(?i:[^a-z])", text, "ß|İ|ı|À|");
    expect("(?i:\\p{Lu})", text, "S|K|K|S|I|İ|A|À|");
    expect("(?i:(?:a))a", "aAAa", "Aa|");
}

/* Sizes of sets in Unicode 16.0. */
static void test_properties(void **state)
{
    static const struct {
        const char *name;
        size_t n;
    } cases[] = {
        {"Lu", 1858},
        {"Uppercase_Letter", 1858},
        {"upper case-letter", 1858},
        {"Lo", 136477},
        {"Mn", 2020},
        {"Nd", 760},
        {"No", 915},
        {"Po", 640},
        {"So", 7376},
        {"L", 141028},
        {"Letter", 141028},
        {"M", 2501},
        {"N", 1911},
        {"P", 855},
        {"Punct", 855},
        {"S", 8514},
        {"Z", 19},
        {"LC", 4147},
        {"Han", 99030},
        {"Hani", 99030},
        {"Hiragana", 381},
        {"White_Space", 25},
        {"Any", 0x110000},
        {"Cn", 819533},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ith_codeset set = {0};
        size_t n = 0;
        bool known;
        assert_int_equal(
            ith_unicode_property(cases[i].name, strlen(cases[i].name), &set, &known, NULL), ITH_OK);
        for (size_t k = 0; k < set.n; k++)
            n += set.ranges[k].last - set.ranges[k].first + 1;
        if (!known || n != cases[i].n)
            fail_msg("%s has %zu characters, not %zu", cases[i].name, n, cases[i].n);
        ith_codeset_free(&set);
    }
}

/* Letters of Unicode 15 and 16, and a script without its extensions. */
static void test_new_characters(void **state)
{
    (void)state;
    expect("\\p{Lo}+", "a\xf0\x91\xbc\x84z", "\xf0\x91\xbc\x84|"); /* U+11F04, Kawi, 15.0 */
    expect("\\p{L}+", "\xf0\x96\xb5\x80 1", "\xf0\x96\xb5\x80|");  /* U+16D40, Kirat Rai, 16.0 */
    expect("\\p{Han}+|\\P{Han}+", "好。", "好|。|");
    expect("[^\\p{^L}]+", "a1b", "a|b|");
    expect("\\w+", "a_1\u00b2\u24b6 -", "a_1\u00b2\u24b6|");
    expect("\\h+", "xfFg", "fF|");
}

/* What belongs to words is written twice: as a pattern, and as a test of one character. */
static void test_words(void **state)
{
    static const char text[] = "[" ITH_PATTERN_WORD ITH_PATTERN_JOINERS "]";
    ith_pattern_reader in = {.pattern = text, .where = "text", .len = sizeof text - 1};
    ith_codeset set = {0};
    size_t k = 0;

    (void)state;
    assert_int_equal(ith_pattern_class(&in, false, &set, NULL), ITH_OK);
    for (uint32_t code = 0; code <= ITH_MAX_CODE; code++) {
        while (k < set.n && set.ranges[k].last < code)
            k++;
        if (ith_is_word_char(code) != (k < set.n && set.ranges[k].first <= code))
            fail_msg("U+%04X is a word's character in one of them only", code);
    }
    ith_codeset_free(&set);
}

static void expect_form(ith_normal_form form, const char *text, const char *expected)
{
    ith_buffer out = {0};

    assert_int_equal(ith_utf8_normalize(form, text, strlen(text), &out, NULL), ITH_OK);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    ith_buffer_free(&out);
}

static void test_normal_forms(void **state)
{
    (void)state;
    expect_form(ITH_NFC, "e\u0301 \u212b", "\u00e9 \u00c5");
    expect_form(ITH_NFD, "\u00e9\u1e9b\u0323", "e\u0301\u017f\u0323\u0307");
    expect_form(ITH_NFKC, "\ufb01\u00bd\u1e9b\u0323", "fi1\u20442\u1e69");
    expect_form(ITH_NFKD, "\u00e9\uff21", "e\u0301A");
    /* U+09FE of Unicode 11 orders no mark, U+32FF of 12.1 stays one character. */
    expect_form(ITH_NFC, "\u09be\u09fe\u09bc", "\u09be\u09fe\u09bc");
    expect_form(ITH_NFKC, "\u32ff\u337b", "\u32ff\u5e73\u6210");
}

static void test_literal(void **state)
{
    char out[64];

    (void)state;
    list_matches("a.(é", true, "a.(é a.(e", out);
    assert_string_equal(out, "a.(é|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialect),    cmocka_unit_test(test_case),
        cmocka_unit_test(test_properties), cmocka_unit_test(test_new_characters),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_normal_forms),
        cmocka_unit_test(test_literal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
