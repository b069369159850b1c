/* Tokenizers against Hugging Face's ids (tests/golden/tokenizer/make.py made them), and against damaged files. */
#include "unit/text_data.h"

#include "text/tokenizer.h"
#include "text/utf8.h"

#define QWEN3        "build/text/qwen3.json"
#define QWEN3_CONFIG "tests/models/qwen3-tokenizer/tokenizer_config.json"
#define SMOLLM2      "build/text/smollm2.json"

typedef struct shared {
    json_t *golden;
    ith_tokenizer *qwen3, *smollm2;
} shared;

static ith_tokenizer *load(const char *path, const char *config)
{
    ith_error err = {0};
    ith_tokenizer *tok;

    if (ith_tokenizer_from_json(path, config, &tok, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return tok;
}

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

static void expect_ids(const ith_tokenizer *tok, const json_t *text, unsigned flags, const json_t *expected,
                       const char *what)
{
    int32_t *ids;
    size_t n;
    bool same;

    assert_int_equal(
        ith_tokenizer_encode(tok, json_string_value(text), json_string_length(text), flags, &ids, &n, NULL), ITH_OK);
    same = n == json_array_size(expected);
    for (size_t i = 0; same && i < n; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, i));
    if (!same)
        fail_msg("%s: other ids for \"%s\"", what, json_string_value(text));
    free(ids);
}

static void expect_golden(const shared *s, const ith_tokenizer *tok, const char *name, unsigned flags)
{
    const json_t *strings = json_object_get(s->golden, "strings"), *ids = json_object_get(s->golden, name), *text;
    size_t i;

    assert_true(json_array_size(strings) >= 2000);
    assert_int_equal(json_array_size(strings), json_array_size(ids));
    json_array_foreach(strings, i, text) expect_ids(tok, text, flags, json_array_get(ids, i), name);
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
    ith_piece *tokens, *merges;
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

    json_object_foreach(vocab, key, id)
    {
        a.tokens[json_integer_value(id)] = (ith_piece){key, strlen(key)};
        a.types[json_integer_value(id)] = 1;
    }
    json_array_foreach(json_object_get(root, "added_tokens"), i, item)
        a.types[json_integer_value(json_object_get(item, "id"))] =
        json_is_true(json_object_get(item, "special")) ? 3 : 4;
    json_array_foreach(merges, i, item)
    {
        char *both = NULL;
        int len = asprintf(&both, "%s %s", json_string_value(json_array_get(item, 0)),
                           json_string_value(json_array_get(item, 1)));
        a.merges[i] = (ith_piece){both, (size_t)len};
    }
    a.spec = (ith_tokenizer_spec){.where = "arrays",
                                  .pre = {pre, strlen(pre)},
                                  .n_tokens = n,
                                  .tokens = a.tokens,
                                  .n_merges = n_merges,
                                  .merges = a.merges,
                                  .types = a.types,
                                  .bos = 1,
                                  .eos = 2};
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

static void expect_spec_error(const ith_tokenizer_spec *spec, ith_status status, const char *part)
{
    ith_error err = {0};
    ith_tokenizer *tok;

    assert_int_equal(ith_tokenizer_from_arrays(spec, &tok, &err), status);
    assert_null(tok);
    if (strstr(err.text, part) == NULL)
        fail_msg("\"%s\" does not name \"%s\"", err.text, part);
}

static void test_damaged_arrays(void **state)
{
    ith_piece tokens[] = {{"a", 1}, {"b", 1}, {"ab", 2}, {"<s>", 3}}, merges[] = {{"a b", 3}};
    int32_t types[] = {1, 1, 1, 3};
    const ith_tokenizer_spec good = {"f.gguf", {"gpt-2", 5}, 4, tokens, 1, merges, types, 3, -1, true};
    ith_tokenizer_spec bad = good;
    ith_tokenizer *tok;

    (void)state;
    assert_int_equal(ith_tokenizer_from_arrays(&good, &tok, NULL), ITH_OK);
    assert_true(ith_tokenizer_add_bos(tok));
    ith_tokenizer_free(tok);
    bad.pre = (ith_piece){"klingon", 7};
    expect_spec_error(&bad, ITH_E_UNSUPPORTED, "qwen2, smollm, gpt-2, llama-bpe, llama3, llama-v3, default");
    bad = good;
    bad.eos = 4;
    expect_spec_error(&bad, ITH_E_FORMAT, "eos 4");
    bad = good;
    bad.n_tokens = 0;
    expect_spec_error(&bad, ITH_E_FORMAT, "0 tokens");
    types[1] = 9;
    expect_spec_error(&good, ITH_E_FORMAT, "type 9");
    types[1] = 6;
    expect_spec_error(&good, ITH_E_UNSUPPORTED, "byte");
    types[1] = 1;
    merges[0] = (ith_piece){"a c", 3};
    expect_spec_error(&good, ITH_E_FORMAT, "merge 0");
    merges[0] = (ith_piece){"b a", 3};
    expect_spec_error(&good, ITH_E_FORMAT, "not in the vocabulary");
    for (size_t len = 0; len < 3; len++) {
        merges[0] = (ith_piece){"a b", len};
        expect_spec_error(&good, ITH_E_FORMAT, "one space");
    }
    merges[0] = (ith_piece){"a b c", 5};
    expect_spec_error(&good, ITH_E_FORMAT, "one space");
}

/* ---- Every option of tokenizer.json ---- */

static void test_options(void **state)
{
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    const json_t *variant, *text;
    size_t i, k;

    (void)state;
    assert_true(json_array_size(variants) > 50);
    json_array_foreach(variants, i, variant)
    {
        ith_tokenizer *tok;
        assert_int_equal(json_dump_file(json_object_get(variant, "tokenizer"), "build/text/variant.json", 0), 0);
        tok = load("build/text/variant.json", NULL);
        json_array_foreach(json_object_get(variant, "strings"), k, text)
        {
            expect_ids(tok, text, ITH_TOKENIZE_SPECIAL, json_array_get(json_object_get(variant, "special"), k),
                       "option, special");
            expect_ids(tok, text, 0, json_array_get(json_object_get(variant, "plain"), k), "option, plain");
        }
        ith_tokenizer_free(tok);
    }
    json_decref(variants);
}

/* ---- Bytes back from ids ---- */

static void expect_round_trip(const ith_tokenizer *tok, const char *text, size_t len, const char *expected,
                              size_t expected_len)
{
    int32_t *ids;
    char *back;
    size_t n, back_len;

    assert_int_equal(ith_tokenizer_encode(tok, text, len, ITH_TOKENIZE_SPECIAL, &ids, &n, NULL), ITH_OK);
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

    json_array_foreach(json_object_get(s->golden, "strings"), i, text)
    {
        ith_buffer nfc = {0};
        size_t len = json_string_length(text);
        assert_int_equal(ith_buffer_reserve(&nfc, 1, NULL), ITH_OK);
        assert_int_equal(ith_utf8_nfc(json_string_value(text), len, &nfc, NULL), ITH_OK);
        exact += nfc.len == len && memcmp(nfc.data, json_string_value(text), len) == 0;
        expect_round_trip(s->qwen3, json_string_value(text), len, nfc.data, nfc.len);
        ith_buffer_free(&nfc);
    }
    assert_true(exact >= 1900);
}

/* SmolLM2's vocabulary lacks the tokens of some control bytes and of the first bytes of planes 4 to 11: they are left out. */
static void test_round_trip_smollm2(void **state)
{
    const shared *s = *state;
    const json_t *text;
    size_t i, exact = 0;

    json_array_foreach(json_object_get(s->golden, "strings"), i, text)
    {
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
        {"\x80\xf5\xe1\x80 \xf1\x80\x80\xe1", 9, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"},
    };
    const shared *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_round_trip(s->qwen3, cases[i].text, cases[i].len, cases[i].repaired, strlen(cases[i].repaired));
}

static void test_decode_errors(void **state)
{
    const shared *s = *state;
    const int32_t bad[] = {-1, 151669, 151935, INT32_MAX, INT32_MIN};
    char *text;
    size_t len;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ith_error err = {0};
        assert_int_equal(ith_tokenizer_decode(s->qwen3, &bad[i], 1, &text, &len, &err), ITH_E_ARGUMENT);
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

    assert_int_equal(ith_tokenizer_encode(s->qwen3, text, strlen(text), ITH_TOKENIZE_SPECIAL, &ids, &n, NULL), ITH_OK);
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

/* A word of a megabyte takes as long as a megabyte of words; were it quadratic, this test would not end. */
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

/* ---- Damaged files ---- */

static void expect_error(const char *path, ith_status status, const char *part)
{
    ith_error err = {0};
    ith_tokenizer *tok;
    ith_status got = ith_tokenizer_from_json(path, NULL, &tok, &err);

    assert_null(tok);
    if (got != status || strstr(err.text, part) == NULL || strchr(err.text, '\n') != NULL)
        fail_msg("status %d, \"%s\" does not name \"%s\"", got, err.text, part);
}

static void test_truncated(void **state)
{
    const char *path = "build/text/truncated.json";
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    char *text = json_dumps(json_object_get(json_array_get(variants, 1), "tokenizer"), 0);
    size_t len = strlen(text);

    (void)state;
    for (size_t cut = 0; cut < len; cut += 1 + len / 97) {
        write_file(path, text, cut);
        expect_error(path, ITH_E_FORMAT, path);
    }
    expect_error("build/text/no-such-file.json", ITH_E_IO, "no-such-file");
    free(text);
    json_decref(variants);
}

/* Replaces one value, named by a path with slashes, in a sound tokenizer and expects the error. */
static void expect_damage(const char *where, const char *value, ith_status status, const char *part)
{
    const char *path = "build/text/damaged.json";
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    json_t *root = json_object_get(json_array_get(variants, 1), "tokenizer"), *at = root;
    json_t *new_value = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    char *copy = strdup(where), *rest = copy, *key;

    assert_non_null(new_value);
    while ((key = strsep(&rest, "/")) != NULL) {
        if (rest == NULL && json_is_array(at))
            json_array_set_new(at, (size_t)atoi(key), new_value);
        else if (rest == NULL)
            json_object_set_new(at, key, new_value);
        else
            at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
    }
    json_dump_file(root, path, 0);
    expect_error(path, status, part);
    free(copy);
    json_decref(variants);
}

static void test_damaged(void **state)
{
    (void)state;
    expect_damage("model", "[]", ITH_E_FORMAT, "model");
    expect_damage("model/type", "\"Unigram\"", ITH_E_UNSUPPORTED, "Unigram");
    expect_damage("model/type", "7", ITH_E_FORMAT, "type");
    expect_damage("model/vocab", "null", ITH_E_FORMAT, "vocab");
    expect_damage("model/vocab", "{}", ITH_E_FORMAT, "vocab");
    expect_damage("model/vocab/a", "\"x\"", ITH_E_FORMAT, "vocab");
    expect_damage("model/vocab/a", "1.5", ITH_E_FORMAT, "vocab");
    expect_damage("model/vocab/a", "-1", ITH_E_FORMAT, "id -1");
    expect_damage("model/vocab/a", "4294967297", ITH_E_FORMAT, "id 4294967297");
    expect_damage("model/vocab/a", "4194304", ITH_E_FORMAT, "id 4194304");
    expect_damage("model/vocab/a", "3", ITH_E_FORMAT, "given twice");
    expect_damage("model/merges", "{}", ITH_E_FORMAT, "merges");
    expect_damage("model/merges/0", "[\"a\"]", ITH_E_FORMAT, "merge");
    expect_damage("model/merges/0", "[\"a\", 1]", ITH_E_FORMAT, "merge");
    expect_damage("model/merges/0", "\"a\"", ITH_E_FORMAT, "merge 0");
    expect_damage("model/merges/0", "\"a unheard-of\"", ITH_E_FORMAT, "merge 0");
    expect_damage("model/merges/0", "[\"unheard-of\", \"a\"]", ITH_E_FORMAT, "merge 0");
    expect_damage("model/merges/0", "[\"z\", \"q\"]", ITH_E_FORMAT, "merge 0");
    expect_damage("model/byte_fallback", "true", ITH_E_UNSUPPORTED, "byte_fallback");
    expect_damage("model/dropout", "0.1", ITH_E_UNSUPPORTED, "dropout");
    expect_damage("model/ignore_merges", "\"yes\"", ITH_E_FORMAT, "ignore_merges");
    expect_damage("model/end_of_word_suffix", "\"</w>\"", ITH_E_UNSUPPORTED, "end_of_word_suffix");
    expect_damage("normalizer", "{\"type\":\"NFKC\"}", ITH_E_UNSUPPORTED, "NFKC");
    expect_damage("normalizer", "{\"type\":\"N\\nF\"}", ITH_E_UNSUPPORTED, "N?F");
    expect_damage("normalizer", "{\"type\":\"Sequence\"}", ITH_E_FORMAT, "normalizers");
    expect_damage("normalizer", "5", ITH_E_FORMAT, "normalizer");
    expect_damage("pre_tokenizer", "null", ITH_E_UNSUPPORTED, "ByteLevel");
    expect_damage("pre_tokenizer", "{\"type\":\"Metaspace\"}", ITH_E_UNSUPPORTED, "Metaspace");
    expect_damage("decoder", "null", ITH_E_UNSUPPORTED, "decoder");
    expect_damage("decoder", "{\"type\":\"WordPiece\"}", ITH_E_UNSUPPORTED, "WordPiece");
    expect_damage("post_processor", "{\"type\":\"BertProcessing\"}", ITH_E_UNSUPPORTED, "BertProcessing");
    expect_damage("post_processor", "{\"type\":\"TemplateProcessing\"}", ITH_E_UNSUPPORTED, "single");
    expect_damage("added_tokens", "{}", ITH_E_FORMAT, "added_tokens");
    expect_damage("added_tokens/0", "3", ITH_E_FORMAT, "added token");
    expect_damage("added_tokens/0/id", "1e3", ITH_E_FORMAT, "added token");
    expect_damage("added_tokens/0/id", "99999999999", ITH_E_FORMAT, "id");
    expect_damage("added_tokens/0/id", "272", ITH_E_FORMAT, "another token's");
    expect_damage("added_tokens/0/id", "5", ITH_E_FORMAT, "another token's");
    expect_damage("added_tokens/0/content", "\"a\"", ITH_E_FORMAT, "in the vocabulary");
    expect_damage("added_tokens/0/special", "1", ITH_E_FORMAT, "special");
}

static void expect_pattern(const char *pattern, ith_status status, const char *part)
{
    char *value = NULL;
    json_t *text = json_string(pattern);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY);

    assert_true(asprintf(&value,
                         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":%s},"
                         "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\"}]}",
                         quoted) > 0);
    expect_damage("pre_tokenizer", value, status, part);
    free(quoted);
    free(value);
    json_decref(text);
}

static void test_damaged_patterns(void **state)
{
    (void)state;
    expect_pattern("(a", ITH_E_FORMAT, "pattern");
    expect_pattern("", ITH_E_FORMAT, "pattern");
    expect_pattern("[z-a]", ITH_E_FORMAT, "pattern");
    expect_pattern("\\p{Klingon}", ITH_E_FORMAT, "pattern");
    expect_pattern("a\\", ITH_E_UNSUPPORTED, "backslash");
    expect_pattern("\\w+", ITH_E_UNSUPPORTED, "\\w");
    expect_pattern("[a&&b]", ITH_E_UNSUPPORTED, "intersection");
    expect_pattern("[a[b]]", ITH_E_UNSUPPORTED, "class inside");
    expect_pattern("(?R)", ITH_E_UNSUPPORTED, "group");
    expect_pattern("(*COMMIT)", ITH_E_UNSUPPORTED, "group");
    expect_pattern("a{1,2}+", ITH_E_UNSUPPORTED, "possessive");
}

/* A pattern that needs exponential time on its text ends with an error. */
static void test_costly_pattern(void **state)
{
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    json_t *root = json_object_get(json_array_get(variants, 0), "tokenizer");
    json_t *pre = json_pack("{s:s,s:[{s:s,s:{s:s},s:s},{s:s,s:b}]}", "type", "Sequence", "pretokenizers", "type",
                            "Split", "pattern", "Regex", "(?:a|aa|a(?:a|aa))+$", "behavior", "Isolated", "type",
                            "ByteLevel", "use_regex", 0);
    char text[201];
    ith_error err = {0};
    ith_tokenizer *tok;
    int32_t *ids;
    size_t n;

    (void)state;
    assert_non_null(pre);
    json_object_set_new(root, "pre_tokenizer", pre);
    json_dump_file(root, "build/text/costly.json", 0);
    tok = load("build/text/costly.json", NULL);
    memset(text, 'a', 200);
    text[200] = '!';
    assert_int_equal(ith_tokenizer_encode(tok, text, sizeof text, 0, &ids, &n, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "pattern"));
    assert_null(ids);
    ith_tokenizer_free(tok);
    json_decref(variants);
}

static void test_config(void **state)
{
    const char *path = "build/text/config.json", *number = "{\"bos_token\": 5}";
    const char *named = "{\"eos_token\": {\"content\": \"<s>\"}, \"bos_token\": \"nowhere\"}";
    ith_error err = {0};
    ith_tokenizer *tok;

    (void)state;
    write_file(path, number, strlen(number));
    assert_int_equal(ith_tokenizer_from_json("build/text/bos.json", path, &tok, &err), ITH_E_FORMAT);
    assert_null(tok);
    assert_non_null(strstr(err.text, "bos_token"));
    write_file(path, named, strlen(named));
    tok = load("build/text/bos.json", path);
    assert_int_equal(ith_tokenizer_eos(tok), ith_tokenizer_find(tok, "<s>", 3));
    ith_tokenizer_free(tok);
    ith_tokenizer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qwen3_ids),
        cmocka_unit_test(test_smollm2_ids),
        cmocka_unit_test(test_arrays_ids),
        cmocka_unit_test(test_damaged_arrays),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_round_trip_qwen3),
        cmocka_unit_test(test_round_trip_smollm2),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_decode_errors),
        cmocka_unit_test(test_special_only_on_request),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_bos),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_damaged_patterns),
        cmocka_unit_test(test_costly_pattern),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
