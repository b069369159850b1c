/* test_tokenizer.c - tokenizers against the ids of Hugging Face (made by
 * tests/golden/tokenizer/make.py). Damaged files are in test_tokenizer_damaged.c. */
#include "unit/tokenizer_load.h"

#include "text/utf8.h"

#define QWEN3        "build/text/qwen3.json"
#define QWEN3_CONFIG "tests/models/qwen3-tokenizer/tokenizer_config.json"
#define SMOLLM2      "build/text/smollm2.json"

typedef struct shared {
    json_t *golden;
    ith_tokenizer *qwen3, *smollm2;
} shared;

static int set_up(void **state)
{
    shared *s = calloc(1, sizeof *s);

    unpack_to("tests/models/qwen3-tokenizer/tokenizer.json.zst", QWEN3);
    unpack_to("tests/models/smollm2-tokenizer/tokenizer.json.zst", SMOLLM2);
    s->golden = unpack_json("tests/golden/tokenizer/golden.json.zst");
    s->qwen3 = load(QWEN3, QWEN3_CONFIG);
    s->smollm2 = load(SMOLLM2, NULL);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    shared *s = *state;

    if (s == NULL)
        return 0;
    ith_tokenizer_free(s->qwen3);
    ith_tokenizer_free(s->smollm2);
    json_decref(s->golden);
    free(s);
    return 0;
}

static void expect_ids(const ith_tokenizer *tok, const json_t *text, unsigned flags,
                       const json_t *expected, const char *what)
{
    int32_t *ids;
    size_t n;
    bool same;

    assert_int_equal(ith_tokenizer_encode(tok, json_string_value(text), json_string_length(text),
                                          flags, &ids, &n, NULL),
                     ITH_OK);
    same = n == json_array_size(expected);
    for (size_t i = 0; same && i < n; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, i));
    if (!same)
        fail_msg("%s: other ids for \"%s\"", what, json_string_value(text));
    free(ids);
}

static void expect_golden(const shared *s, const ith_tokenizer *tok, const char *name,
                          unsigned flags)
{
    const json_t *strings = json_object_get(s->golden, "strings"),
                 *ids = json_object_get(s->golden, name), *text;
    size_t i;

    assert_true(json_array_size(strings) >= 2000);
    assert_int_equal(json_array_size(strings), json_array_size(ids));
    json_array_foreach (strings, i, text) {
        expect_ids(tok, text, flags, json_array_get(ids, i), name);
    }
}

static void test_qwen3_ids(void **state)
{
    const shared *s = *state;
    expect_golden(s, s->qwen3, "qwen3", ITH_TOKENIZE_SPECIAL);
    expect_golden(s, s->qwen3, "qwen3_plain", 0);
}

static void test_smollm2_ids(void **state)
{
    const shared *s = *state;
    expect_golden(s, s->smollm2, "smollm2", ITH_TOKENIZE_SPECIAL);
    expect_golden(s, s->smollm2, "smollm2_plain", 0);
}

/* ---- From arrays, as GGUF has them ---- */

typedef struct arrays {
    ith_tokenizer_spec spec;
    ith_bytes *tokens, *merges;
    int32_t *types;
} arrays;

static arrays arrays_from(const json_t *root, const char *pre)
{
    json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab"), *id;
    const json_t *merges = json_object_get(model, "merges"), *item;
    size_t n = json_object_size(vocab), n_merges = json_array_size(merges), i;
    arrays a = {.tokens = calloc(n, sizeof *a.tokens),
                .merges = calloc(n_merges + 1, sizeof *a.merges),
                .types = calloc(n, sizeof *a.types)};
    const char *key;

    json_object_foreach (vocab, key, id) {
        a.tokens[json_integer_value(id)] = (ith_bytes){key, strlen(key)};
        a.types[json_integer_value(id)] = 1;
    }
    json_array_foreach (json_object_get(root, "added_tokens"), i, item)
        a.types[json_integer_value(json_object_get(item, "id"))] =
            json_is_true(json_object_get(item, "special")) ? 3 : 4;
    json_array_foreach (merges, i, item) {
        char *both = NULL;
        int len = asprintf(&both, "%s %s", json_string_value(json_array_get(item, 0)),
                           json_string_value(json_array_get(item, 1)));
        a.merges[i] = (ith_bytes){both, (size_t)len};
    }
    a.spec = (ith_tokenizer_spec){.where = "arrays",
                                  .pre = {pre, strlen(pre)},
                                  .n_tokens = n,
                                  .tokens = a.tokens,
                                  .n_merges = n_merges,
                                  .merges = a.merges,
                                  .types = a.types,
                                  .bos = 1,
                                  .eos = 2,
                                  .unk = -1};
    return a;
}

static void free_arrays(arrays *a)
{
    for (size_t i = 0; i < a->spec.n_merges; i++)
        free((char *)a->merges[i].data);
    free(a->tokens);
    free(a->merges);
    free(a->types);
}

static void test_arrays_ids(void **state)
{
    const shared *s = *state;
    json_t *root = json_load_file(SMOLLM2, 0, NULL);
    arrays a = arrays_from(root, "smollm");
    ith_tokenizer *tok;

    assert_int_equal(ith_tokenizer_from_arrays(&a.spec, &tok, NULL), ITH_OK);
    free_arrays(&a);
    json_decref(root);
    expect_golden(s, tok, "smollm2", ITH_TOKENIZE_SPECIAL);
    expect_golden(s, tok, "smollm2_plain", 0);
    assert_int_equal(ith_tokenizer_n_vocab(tok), 49152);
    assert_int_equal(ith_tokenizer_bos(tok), 1);
    assert_int_equal(ith_tokenizer_eos(tok), 2);
    assert_false(ith_tokenizer_add_bos(tok));
    assert_int_equal(ith_tokenizer_find(tok, "<|im_end|>", 10), 2);
    assert_true(ith_tokenizer_is_special(tok, 2));
    ith_tokenizer_free(tok);
}

/* Added tokens with the text of another token, by its spelling or by what it stands for, are found
 * in the text; words that only contain it are merged as before. */
static void test_arrays_twice(void **state)
{
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    const json_t *root = json_object_get(json_array_get(variants, 0), "tokenizer");
    arrays a = arrays_from(root, "gpt-2");
    size_t n = a.spec.n_tokens, n_ids;
    int32_t *ids, ing;
    ith_tokenizer *tok;

    (void)state;
    a.spec.tokens = a.tokens = realloc(a.tokens, (n + 2) * sizeof *a.tokens);
    a.spec.types = a.types = realloc(a.types, (n + 2) * sizeof *a.types);
    a.tokens[n] = (ith_bytes){"  ", 2};
    a.tokens[n + 1] = (ith_bytes){"hello", 5};
    a.types[n] = a.types[n + 1] = 4;
    a.spec.n_tokens = n + 2;
    assert_int_equal(ith_tokenizer_from_arrays(&a.spec, &tok, NULL), ITH_OK);
    ing = ith_tokenizer_find(tok, "ing", 3);
    assert_int_equal(ith_tokenizer_find(tok, "hello", 5), n + 1);
    assert_int_equal(ith_tokenizer_find(tok, "  ", 2), n);
    assert_int_equal(ith_tokenizer_encode(tok, "hello  ing", 10, 0, &ids, &n_ids, NULL), ITH_OK);
    assert_int_equal(n_ids, 3);
    assert_true(ids[0] == (int32_t)n + 1 && ids[1] == (int32_t)n && ids[2] == ing);
    free(ids);
    ith_tokenizer_free(tok);
    free_arrays(&a);
    json_decref(variants);
}

/* ---- Every option of tokenizer.json ---- */

static void test_options(void **state)
{
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    const json_t *variant, *text;
    size_t i, k;

    (void)state;
    assert_true(json_array_size(variants) > 50);
    json_array_foreach (variants, i, variant) {
        ith_tokenizer *tok;
        assert_int_equal(
            json_dump_file(json_object_get(variant, "tokenizer"), "build/text/variant.json", 0), 0);
        tok = load("build/text/variant.json", NULL);
        json_array_foreach (json_object_get(variant, "strings"), k, text) {
            expect_ids(tok, text, ITH_TOKENIZE_SPECIAL,
                       json_array_get(json_object_get(variant, "special"), k), "option, special");
            expect_ids(tok, text, 0, json_array_get(json_object_get(variant, "plain"), k),
                       "option, plain");
        }
        ith_tokenizer_free(tok);
    }
    json_decref(variants);
}

/* ---- Bytes back from ids ---- */

static void expect_round_trip(const ith_tokenizer *tok, const char *text, size_t len,
                              const char *expected, size_t expected_len)
{
    int32_t *ids;
    char *back;
    size_t n, back_len;

    assert_int_equal(ith_tokenizer_encode(tok, text, len, ITH_TOKENIZE_SPECIAL, &ids, &n, NULL),
                     ITH_OK);
    assert_int_equal(ith_tokenizer_decode(tok, ids, n, &back, &back_len, NULL), ITH_OK);
    assert_int_equal(back_len, expected_len);
    assert_memory_equal(back, expected, expected_len);
    assert_int_equal(back[back_len], 0);
    free(ids);
    free(back);
}

/* Text in NFC comes back exactly; other text comes back in NFC. */
static void test_round_trip_qwen3(void **state)
{
    const shared *s = *state;
    const json_t *text;
    size_t i, exact = 0;

    json_array_foreach (json_object_get(s->golden, "strings"), i, text) {
        ith_buffer nfc = {0};
        size_t len = json_string_length(text);
        assert_int_equal(ith_buffer_reserve(&nfc, 1, NULL), ITH_OK);
        assert_int_equal(ith_utf8_normalize(ITH_NFC, json_string_value(text), len, &nfc, NULL),
                         ITH_OK);
        exact += nfc.len == len && memcmp(nfc.data, json_string_value(text), len) == 0;
        expect_round_trip(s->qwen3, json_string_value(text), len, nfc.data, nfc.len);
        ith_buffer_free(&nfc);
    }
    assert_true(exact >= 1900);
}

/* SmolLM2's vocabulary has no tokens for some control bytes and for the first bytes of planes 4 to
 * 11. They are left out. */
static void test_round_trip_smollm2(void **state)
{
    const shared *s = *state;
    const json_t *text;
    size_t i, exact = 0;

    json_array_foreach (json_object_get(s->golden, "strings"), i, text) {
        size_t len = json_string_length(text), n = 0;
        char *expected = malloc(len + 1);
        for (size_t k = 0; k < len; k++) {
            if (ith_tokenizer_find(s->smollm2, json_string_value(text) + k, 1) >= 0)
                expected[n++] = json_string_value(text)[k];
        }
        exact += n == len;
        expect_round_trip(s->smollm2, json_string_value(text), len, expected, n);
        free(expected);
    }
    assert_true(exact >= 2200);
}

static void test_invalid_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *repaired;
    } cases[] = {
        {"a\xff"
         "b",
         3,
         "a\xef\xbf\xbd"
         "b"},
        {"\xc3", 1, "\xef\xbf\xbd"},
        {"\xe4\xbd", 2, "\xef\xbf\xbd"}, /* cut off: one */
        {"\xe4\xbd"
         "x",
         3,
         "\xef\xbf\xbd"
         "x"},
        {"\xf0\x9f\x98", 3, "\xef\xbf\xbd"},
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate: three */
        {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\x80\xf5\xe1\x80 \xf1\x80\x80\xe1", 9,
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"},
    };
    const shared *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_round_trip(s->qwen3, cases[i].text, cases[i].len, cases[i].repaired,
                          strlen(cases[i].repaired));
}

static void test_decode_errors(void **state)
{
    const shared *s = *state;
    const int32_t bad[] = {-1, 151669, 151935, INT32_MAX, INT32_MIN};
    char *text;
    size_t len;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ith_error err = {0};
        assert_int_equal(ith_tokenizer_decode(s->qwen3, &bad[i], 1, &text, &len, &err),
                         ITH_E_ARGUMENT);
        assert_non_null(strstr(err.text, "not in the vocabulary"));
        assert_null(text);
    }
    assert_int_equal(ith_tokenizer_decode(s->qwen3, NULL, 0, &text, &len, NULL), ITH_OK);
    assert_int_equal(len, 0);
    free(text);
}

/* ---- Special tokens, bos, questions ---- */

static void test_special_only_on_request(void **state)
{
    const shared *s = *state;
    const char *text = "<|im_end|><think>";
    int32_t *ids;
    size_t n;

    assert_int_equal(
        ith_tokenizer_encode(s->qwen3, text, strlen(text), ITH_TOKENIZE_SPECIAL, &ids, &n, NULL),
        ITH_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], 151645);
    assert_int_equal(ids[1], 151667);
    free(ids);
    assert_int_equal(ith_tokenizer_encode(s->qwen3, text, strlen(text), 0, &ids, &n, NULL), ITH_OK);
    assert_true(n > 2);
    for (size_t i = 0; i < n; i++)
        assert_false(ith_tokenizer_is_special(s->qwen3, ids[i]));
    assert_int_equal(ids[n - 1], 151667); /* not a special one */
    free(ids);
}

static void test_questions(void **state)
{
    const shared *s = *state;
    size_t len;

    assert_int_equal(ith_tokenizer_n_vocab(s->qwen3), 151669);
    assert_int_equal(ith_tokenizer_eos(s->qwen3), 151645);
    assert_int_equal(ith_tokenizer_bos(s->qwen3), -1);
    assert_false(ith_tokenizer_add_bos(s->qwen3));
    assert_int_equal(ith_tokenizer_find(s->qwen3, "<|im_start|>", 12), 151644);
    assert_int_equal(ith_tokenizer_find(s->qwen3, "<|im_start", 10), -1);
    assert_true(ith_tokenizer_is_special(s->qwen3, 151644));
    assert_false(ith_tokenizer_is_special(s->qwen3, 151667));
    assert_false(ith_tokenizer_is_special(s->qwen3, -5));
    assert_memory_equal(ith_tokenizer_token(s->qwen3, 220, &len), " ", 1);
    assert_int_equal(len, 1);
    assert_null(ith_tokenizer_token(s->qwen3, 151669, &len));
    assert_int_equal(len, 0);
    assert_true(ith_tokenizer_max_len(s->qwen3) >= 128);
}

static void test_bos(void **state)
{
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    json_t *tokenizer = json_object_get(json_array_get(variants, 8), "tokenizer");
    ith_tokenizer *tok;
    int32_t *ids;
    size_t n;

    (void)state;
    assert_true(json_is_object(json_object_get(tokenizer, "post_processor")));
    json_dump_file(tokenizer, "build/text/bos.json", 0);
    tok = load("build/text/bos.json", NULL);
    assert_true(ith_tokenizer_add_bos(tok));
    assert_int_equal(ith_tokenizer_encode(tok, "a", 1, 0, &ids, &n, NULL), ITH_OK);
    assert_int_equal(n, 1);
    free(ids);
    assert_int_equal(ith_tokenizer_encode(tok, "a", 1, ITH_TOKENIZE_BOS, &ids, &n, NULL), ITH_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], ith_tokenizer_find(tok, "<s>", 3));
    free(ids);
    ith_tokenizer_free(tok);
    json_decref(variants);
}

static void expect_around(const ith_tokenizer *tok, const char *text, unsigned flags,
                          const int32_t *expected, size_t n_expected)
{
    int32_t *ids;
    size_t n;

    assert_int_equal(ith_tokenizer_encode(tok, text, strlen(text), flags, &ids, &n, NULL), ITH_OK);
    assert_int_equal(n, n_expected);
    assert_memory_equal(ids, expected, n * sizeof *ids);
    free(ids);
}

/* A token before texts, another after them, each only where it is asked for and missing. */
static void test_around(void **state)
{
    enum { BOS = ITH_TOKENIZE_BOS, EOS = ITH_TOKENIZE_EOS, SPECIAL = ITH_TOKENIZE_SPECIAL };
    ith_bytes tokens[] = {{"a", 1}, {"b", 1}, {"<s>", 3}, {"</s>", 4}};
    int32_t types[] = {1, 1, 3, 3};
    const ith_tokenizer_spec spec = {.where = "f.gguf",
                                     .pre = {"gpt-2", 5},
                                     .n_tokens = 4,
                                     .tokens = tokens,
                                     .types = types,
                                     .bos = 2,
                                     .eos = 3,
                                     .unk = -1,
                                     .add_bos = true,
                                     .add_eos = true};
    ith_tokenizer *tok;

    (void)state;
    assert_int_equal(ith_tokenizer_from_arrays(&spec, &tok, NULL), ITH_OK);
    expect_around(tok, "ab", 0, (int32_t[]){0, 1}, 2);
    expect_around(tok, "ab", BOS, (int32_t[]){2, 0, 1}, 3);
    expect_around(tok, "ab", EOS, (int32_t[]){0, 1, 3}, 3);
    expect_around(tok, "ab", BOS | EOS, (int32_t[]){2, 0, 1, 3}, 4);
    expect_around(tok, "<s>ab</s>", BOS | EOS | SPECIAL, (int32_t[]){2, 0, 1, 3}, 4);
    expect_around(tok, "", BOS | EOS, (int32_t[]){2, 3}, 2);
    ith_tokenizer_free(tok);
}

/* A word of a megabyte takes as long as a megabyte of words. With quadratic time this test would
 * not end. */
static void test_long_words(void **state)
{
    const shared *s = *state;
    static const char *const units[] = {"a", "ab", "=", " ", "\n", "の", "0", "Qx7"};
    size_t len = 1u << 20;
    char *text = malloc(len);

    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t width = strlen(units[u]), n = len / width * width;
        for (size_t i = 0; i < n; i++)
            text[i] = units[u][i % width];
        expect_round_trip(s->qwen3, text, n, text, n);
        expect_round_trip(s->smollm2, text, n, text, n);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qwen3_ids),
        cmocka_unit_test(test_smollm2_ids),
        cmocka_unit_test(test_arrays_ids),
        cmocka_unit_test(test_arrays_twice),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_round_trip_qwen3),
        cmocka_unit_test(test_round_trip_smollm2),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_decode_errors),
        cmocka_unit_test(test_special_only_on_request),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_bos),
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
