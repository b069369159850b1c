/* test_stream.c - the incremental detokenizer and the matcher of stop strings: the outcome does not
 * depend on where the text is split. */
#include "unit/tokenizer_load.h"

#include "text/stop.h"
#include "text/stream.h"
#include "text/utf8.h"

/* A vocabulary of the 256 bytes and nothing else, so that ids are bytes. */
static ith_tokenizer *bytes_tokenizer(void)
{
    static char texts[256][3];
    ith_bytes tokens[256];
    ith_tokenizer_spec spec = {.where = "bytes",
                               .pre = {"gpt-2", 5},
                               .n_tokens = 256,
                               .tokens = tokens,
                               .bos = -1,
                               .eos = -1};
    ith_tokenizer *tok;

    for (int byte = 0, next = 256; byte < 256; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        int code = printable ? byte : next++;
        size_t len = 1;
        if (code < 128) {
            texts[byte][0] = (char)code;
        } else {
            texts[byte][0] = (char)(0xc0 | code >> 6);
            texts[byte][1] = (char)(0x80 | (code & 0x3f));
            len = 2;
        }
        tokens[byte] = (ith_bytes){texts[byte], len};
    }
    assert_int_equal(ith_tokenizer_from_arrays(&spec, &tok, NULL), ITH_OK);
    return tok;
}

/* Pushes bytes one by one. `expected` has a bar after the expected output of each push, and after
 * that of the flush. */
static void expect_pushes(const char *bytes, size_t n, const char *expected)
{
    ith_tokenizer *tok = bytes_tokenizer();
    ith_detok *stream;
    ith_buffer got = {0};
    size_t len;
    const char *text;

    assert_int_equal(ith_detok_open(tok, &stream, NULL), ITH_OK);
    for (size_t i = 0; i < n; i++) {
        text = ith_detok_push(stream, (unsigned char)bytes[i], &len);
        ith_buffer_append(&got, text, len, NULL);
        ith_buffer_append(&got, "|", 1, NULL);
    }
    text = ith_detok_flush(stream, &len);
    ith_buffer_append(&got, text, len, NULL);
    ith_buffer_append(&got, "|", 2, NULL);
    assert_string_equal(got.data, expected);
    ith_buffer_free(&got);
    ith_detok_close(stream);
    ith_tokenizer_free(tok);
}

static void test_whole_characters(void **state)
{
    (void)state;
    expect_pushes("ab", 2, "a|b||");
    expect_pushes("\xc3\xa9x", 3, "|\xc3\xa9|x||");
    expect_pushes("\xe4\xbd\xa0", 3, "||\xe4\xbd\xa0||");
    expect_pushes("\xf0\x9f\x98\x80!", 5, "|||\xf0\x9f\x98\x80|!||");
}

static void test_invalid_bytes_pass(void **state)
{
    (void)state;
    expect_pushes("\xff"
                  "a",
                  2, "\xff|a||");
    expect_pushes("\x80\x80", 2, "\x80|\x80||");
    expect_pushes("\xc3"
                  "a",
                  2,
                  "|\xc3"
                  "a||");
    expect_pushes("\xe4\xbd"
                  "a",
                  3,
                  "||\xe4\xbd"
                  "a||");
    expect_pushes("\xe4\xbd", 2, "||\xe4\xbd|");
    expect_pushes("\xf0\x9f\x98", 3, "|||\xf0\x9f\x98|");
    expect_pushes("\xed\xa0\x80", 3, "|\xed\xa0|\x80||"); /* no surrogate begins like this */
    expect_pushes("\xf5\x80", 2, "\xf5|\x80||");
    expect_pushes("\xe4\xc3\xa9", 3, "|\xe4|\xc3\xa9||");
}

/* Real ids: the text so far is always whole characters, and all of it equals the decoded text. */
static void test_golden_strings(void **state)
{
    json_t *golden = unpack_json("tests/golden/tokenizer/golden.json.zst");
    const json_t *ids, *id;
    ith_tokenizer *tok;
    ith_detok *stream;
    size_t i, k, len;

    (void)state;
    unpack_to("tests/models/qwen3-tokenizer/tokenizer.json.zst", "build/text/stream.json");
    assert_int_equal(load_files("build/text/stream.json", NULL, &tok, NULL), ITH_OK);
    assert_int_equal(ith_detok_open(tok, &stream, NULL), ITH_OK);
    json_array_foreach (json_object_get(golden, "qwen3"), i, ids) {
        ith_buffer got = {0};
        size_t n = json_array_size(ids), all_len;
        int32_t *list = calloc(n + 1, sizeof *list);
        char *all;
        const char *text;
        json_array_foreach (ids, k, id) {
            list[k] = (int32_t)json_integer_value(id);
            text = ith_detok_push(stream, list[k], &len);
            assert_int_equal(ith_utf8_valid_prefix(text, len), len);
            ith_buffer_append(&got, text, len, NULL);
        }
        text = ith_detok_flush(stream, &len);
        assert_int_equal(len, 0);
        assert_int_equal(ith_tokenizer_decode(tok, list, n, &all, &all_len, NULL), ITH_OK);
        assert_int_equal(got.len, all_len);
        if (all_len > 0)
            assert_memory_equal(got.data, all, all_len);
        free(all);
        free(list);
        ith_buffer_free(&got);
    }
    assert_non_null(ith_detok_push(stream, -7, &len)); /* no token: no text */
    assert_int_equal(len, 0);
    ith_detok_close(stream);
    ith_detok_close(NULL);
    ith_tokenizer_free(tok);
    json_decref(golden);
}

/* ---- Stop strings ---- */

/* Feeds `text` in pieces of `step` bytes; gives all that was shown, flush included, malloc'd. */
static char *shown(const char *const *strings, size_t n, const char *text, size_t step,
                   bool *stopped)
{
    ith_stop *stop;
    ith_buffer got = {0};
    const char *out;
    size_t out_len, len = strlen(text);

    *stopped = false;
    assert_int_equal(ith_stop_open(strings, n, &stop, NULL), ITH_OK);
    for (size_t at = 0; at < len; at += step) {
        assert_int_equal(ith_stop_push(stop, text + at, step < len - at ? step : len - at, &out,
                                       &out_len, stopped, NULL),
                         ITH_OK);
        ith_buffer_append(&got, out, out_len, NULL);
    }
    out = ith_stop_flush(stop, &out_len);
    ith_buffer_append(&got, out, out_len, NULL);
    ith_buffer_append(&got, "", 1, NULL);
    ith_stop_close(stop);
    return got.data;
}

static void expect_shown(const char *const *strings, size_t n, const char *text,
                         const char *expected, bool stops)
{
    for (size_t step = 1; step <= strlen(text) + 1; step++) {
        bool stopped;
        char *got = shown(strings, n, text, step, &stopped);
        assert_string_equal(got, expected);
        assert_int_equal(stopped, stops);
        free(got);
    }
}

static void test_stop_strings(void **state)
{
    const char *const two[] = {"\nUser:", "END"}, *const nested[] = {"abcd", "bc"},
                      *const same_end[] = {"b", "ab"};
    const char *const repeats[] = {"aab", "aaaaab"}, *const overlap[] = {"abab"};

    (void)state;
    expect_shown(NULL, 0, "anything", "anything", false);
    expect_shown(two, 2, "Hello\nUser: no", "Hello", true);
    expect_shown(two, 2, "Hello\nUse EN END", "Hello\nUse EN ", true);
    expect_shown(two, 2, "Hello\nUser", "Hello\nUser", false);
    expect_shown(two, 2, "END", "", true);
    expect_shown(nested, 2, "xabcd", "xa", true); /* "bc" is complete first */
    expect_shown(same_end, 2, "xab", "x", true);  /* of two that end together the longer */
    expect_shown(repeats, 2, "aaaab", "aa", true);
    expect_shown(overlap, 1, "aabaabab!", "aaba", true);
}

static void test_stop_holds_back(void **state)
{
    const char *const strings[] = {"STOP"};
    ith_stop *stop;
    const char *out;
    size_t len;
    bool stopped;

    (void)state;
    assert_int_equal(ith_stop_open(strings, 1, &stop, NULL), ITH_OK);
    assert_int_equal(ith_stop_push(stop, "go ST", 5, &out, &len, &stopped, NULL), ITH_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(out, "go ", 3);
    assert_int_equal(ith_stop_push(stop, "AY", 2, &out, &len, &stopped, NULL), ITH_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(out, "STAY", 4);
    assert_false(stopped);
    assert_int_equal(ith_stop_push(stop, "xSTOPy", 6, &out, &len, &stopped, NULL), ITH_OK);
    assert_true(stopped);
    assert_int_equal(len, 1);
    assert_int_equal(ith_stop_push(stop, "more", 4, &out, &len, &stopped, NULL), ITH_OK);
    assert_true(stopped);
    assert_int_equal(len, 0);
    ith_stop_flush(stop, &len);
    assert_int_equal(len, 0);
    ith_stop_close(stop);
}

static void test_stop_errors(void **state)
{
    const char *const empty[] = {"a", ""}, *const none[] = {NULL};
    ith_stop *stop;
    ith_error err;

    (void)state;
    assert_int_equal(ith_stop_open(empty, 2, &stop, &err), ITH_E_ARGUMENT);
    assert_null(stop);
    assert_non_null(strstr(err.text, "empty"));
    assert_int_equal(ith_stop_open(none, 1, &stop, &err), ITH_E_ARGUMENT);
    ith_stop_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_characters), cmocka_unit_test(test_invalid_bytes_pass),
        cmocka_unit_test(test_golden_strings),   cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_stop_holds_back),  cmocka_unit_test(test_stop_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
