/* test_haystack.c - haystacks are those of tests/models/needle-qwen3/make_haystack.py, to the byte;
 * a tokenizer that makes more of the whole than of its pieces; answers. */
#include "cli/haystack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

/* Tokens as make_haystack.py counts them: words, digits, runs of line ends, marks with a blank
 * before them, and blanks before digits. */
static int64_t count_words(const char *text, size_t len)
{
    int64_t n = 0;

    for (size_t i = 0; i < len; n++) {
        size_t begin = i;
        if (isalpha((unsigned char)text[i]))
            while (i < len && isalpha((unsigned char)text[i]))
                i++;
        else if (text[i] == '\n')
            while (i < len && text[i] == '\n')
                i++;
        else if (text[i] == ' ' && i + 1 < len && isalpha((unsigned char)text[i + 1]))
            i++, n--; /* part of the word after it */
        else if (text[i] == ' ' && i + 1 < len && !isdigit((unsigned char)text[i + 1]))
            i += 2;
        else
            i++;
        assert_true(i > begin);
    }
    return n;
}

enum { AROUND = 8 }; /* <|im_start|>user\n, <|im_end|>\n<|im_start|>assistant\n */

static int64_t count(void *user, const char *text, size_t len, bool prompt, ith_error *err)
{
    (void)user, (void)err;
    return count_words(text, len) + (prompt ? AROUND : 0);
}

static void test_texts(void **state)
{
    static const struct {
        int64_t tokens;
        double position;
        uint64_t seed;
        const char *answer, *sha256;
    } cases[] = {
#include "unit/haystacks.inc"
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ith_haystack hay = {.tokens = cases[i].tokens,
                                  .position = cases[i].position,
                                  .seed = cases[i].seed,
                                  .count = count};
        ith_needle needle;
        ith_error err;
        char sha256[65];
        assert_int_equal(ith_haystack_make(&hay, &needle, &err), ITH_OK);
        assert_string_equal(needle.answer, cases[i].answer);
        ith_sha256_hex(needle.text.data, needle.text.len, sha256);
        assert_string_equal(sha256, cases[i].sha256);
        ith_text_free(&needle.text);
    }
}

/* The whole is a fifth more than its pieces. */
static int64_t count_more(void *user, const char *text, size_t len, bool prompt, ith_error *err)
{
    int64_t n = count(user, text, len, prompt, err);
    return len > 1000 ? n + n / 5 : n;
}

static int64_t count_nothing(void *user, const char *text, size_t len, bool prompt, ith_error *err)
{
    (void)user, (void)text, (void)len, (void)prompt;
    ith_fail(err, ITH_E_UNSUPPORTED, "no tokens");
    return -1;
}

static void test_limits(void **state)
{
    ith_haystack hay = {.tokens = 2000, .position = 1, .seed = 3, .count = count_more};
    ith_needle needle;
    ith_error err;

    (void)state;
    assert_int_equal(ith_haystack_make(&hay, &needle, &err), ITH_OK);
    assert_in_range(count_more(NULL, needle.text.data, needle.text.len, true, &err), 1500, 2000);
    assert_non_null(strstr(needle.text.data, needle.answer));
    ith_text_free(&needle.text);
    hay.tokens = 100;
    assert_int_equal(ith_haystack_make(&hay, &needle, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "100 tokens"));
    ith_text_free(&needle.text);
    hay.count = count_nothing;
    assert_int_equal(ith_haystack_make(&hay, &needle, &err), ITH_E_UNSUPPORTED);
    ith_text_free(&needle.text);
}

static void test_answers(void **state)
{
    const ith_needle needle = {.passkey = "39068"};

    (void)state;
    assert_true(ith_needle_found(&needle, "The passkey of Gerald is 39068."));
    assert_true(ith_needle_found(&needle, "139068, no: 39068"));
    assert_false(ith_needle_found(&needle, "The passkey of Gerald is 390687."));
    assert_false(ith_needle_found(&needle, "139068"));
    assert_false(ith_needle_found(&needle, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
