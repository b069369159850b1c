/* test_tokenizer_damaged.c - tokenizers from damaged files and arrays: each damage is rejected, and
 * the error names it. */
#include "unit/tokenizer_load.h"

/* ---- Files ---- */

static void expect_error(const char *path, ith_status status, const char *part)
{
    ith_error err = {0};
    ith_tokenizer *tok;
    ith_status got = load_files(path, NULL, &tok, &err);

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
    free(text);
    json_decref(variants);
}

/* Writes a sound tokenizer in which one value, named by a path with slashes, is another. */
static const char *write_damaged(const char *where, const char *value)
{
    static const char path[] = "build/text/damaged.json";
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
            at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key))
                                   : json_object_get(at, key);
    }
    json_dump_file(root, path, 0);
    free(copy);
    json_decref(variants);
    return path;
}

static void expect_damage(const char *where, const char *value, ith_status status, const char *part)
{
    expect_error(write_damaged(where, value), status, part);
}

/* Ids of added tokens that Hugging Face's tokenizers do not heed (their effect is in
 * variants.json.zst). */
static void expect_moved(const char *where, const char *value, const char *note)
{
    ith_tokenizer *tok = load(write_damaged(where, value), NULL);

    if (strstr(ith_tokenizer_notes(tok), note) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", ith_tokenizer_notes(tok), note);
    ith_tokenizer_free(tok);
}

static void test_moved(void **state)
{
    (void)state;
    expect_moved("added_tokens/0/id", "5", "has id 5 in the file; it gets 273, the next free id");
    expect_moved("added_tokens/0/id", "300", "has id 300 in the file; it gets 273, the next free");
    expect_moved("added_tokens/1/content", "\"a\"", "\"a\" has id 274 in the file; it gets ");
    expect_moved("added_tokens/1/content", "\"a\"", ", that of the vocabulary, as in");
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
    expect_damage("model/vocab/a", "3", ITH_E_FORMAT, "used twice");
    expect_damage("model/merges", "{}", ITH_E_FORMAT, "merges");
    expect_damage("model/merges/0", "[\"a\"]", ITH_E_FORMAT, "merge");
    expect_damage("model/merges/0", "[\"a\", 1]", ITH_E_FORMAT, "merge");
    expect_damage("model/merges/0", "\"a\"", ITH_E_FORMAT, "merge 0");
    expect_damage("model/merges/0", "\"a unheard-of\"", ITH_E_FORMAT, "merge 0");
    expect_damage("model/merges/0", "[\"unheard-of\", \"a\"]", ITH_E_FORMAT, "merge 0");
    expect_damage("model/merges/0", "[\"z\", \"q\"]", ITH_E_FORMAT, "merge 0");
    expect_damage("model/byte_fallback", "1", ITH_E_FORMAT, "byte_fallback");
    expect_damage("model/dropout", "0.1", ITH_E_UNSUPPORTED, "dropout");
    expect_damage("model/ignore_merges", "\"yes\"", ITH_E_FORMAT, "ignore_merges");
    expect_damage("model/end_of_word_suffix", "\"</w>\"", ITH_E_UNSUPPORTED, "end_of_word_suffix");
    expect_damage("normalizer", "{\"type\":\"Precompiled\"}", ITH_E_UNSUPPORTED, "Precompiled");
    expect_damage("normalizer", "{\"type\":\"Prepend\"}", ITH_E_FORMAT, "Prepend");
    expect_damage("normalizer", "{\"type\":\"Replace\",\"content\":\"\"}", ITH_E_FORMAT, "pattern");
    expect_damage("normalizer",
                  "{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"String\":\"\"}}",
                  ITH_E_FORMAT, "empty text");
    expect_damage("normalizer",
                  "{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"\\\\X\"}}",
                  ITH_E_UNSUPPORTED, "the tokenizer's pattern uses \\X");
    expect_damage("normalizer", "{\"type\":\"N\\nF\"}", ITH_E_UNSUPPORTED, "N?F");
    expect_damage("normalizer", "{\"type\":\"Sequence\"}", ITH_E_FORMAT, "normalizers");
    expect_damage("normalizer", "5", ITH_E_FORMAT, "normalizer");
    expect_damage("pre_tokenizer", "null", ITH_E_UNSUPPORTED, "ByteLevel");
    expect_damage("pre_tokenizer", "{\"type\":\"Metaspace\"}", ITH_E_FORMAT, "Metaspace");
    expect_damage("pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"__\"}", ITH_E_FORMAT,
                  "one character");
    expect_damage("pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", ITH_E_UNSUPPORTED,
                  "UnicodeScripts");
    expect_damage("pre_tokenizer", "{\"type\":\"Punctuation\",\"behavior\":\"Shuffled\"}",
                  ITH_E_UNSUPPORTED, "Shuffled");
    expect_damage("decoder", "null", ITH_E_UNSUPPORTED, "decoder");
    expect_damage("decoder", "{\"type\":\"WordPiece\"}", ITH_E_UNSUPPORTED, "WordPiece");
    expect_damage("post_processor", "{\"type\":\"BertProcessing\"}", ITH_E_UNSUPPORTED,
                  "BertProcessing");
    expect_damage("post_processor", "{\"type\":\"TemplateProcessing\"}", ITH_E_UNSUPPORTED,
                  "single");
    expect_damage(
        "post_processor",
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}",
        ITH_E_FORMAT, "special_tokens");
    expect_damage("added_tokens", "{}", ITH_E_FORMAT, "added_tokens");
    expect_damage("added_tokens/0", "3", ITH_E_FORMAT, "added token");
    expect_damage("added_tokens/0/id", "1e3", ITH_E_FORMAT, "added token");
    expect_damage("added_tokens/0/id", "99999999999", ITH_E_FORMAT, "id");
    expect_damage("added_tokens/0/special", "1", ITH_E_FORMAT, "special");
}

static void expect_pattern(const char *pattern, ith_status status, const char *part)
{
    char *value = NULL;
    json_t *text = json_string(pattern);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY);

    assert_true(asprintf(&value,
                         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
                         "\"pattern\":{\"Regex\":%s},"
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
    expect_pattern("\\p{Klingon}", ITH_E_UNSUPPORTED, "\\p{Klingon}");
    expect_pattern("\\p{Alphabetic}", ITH_E_UNSUPPORTED, "\\p{Alphabetic}");
    expect_pattern("\\pL", ITH_E_UNSUPPORTED, "braces");
    expect_pattern("a\\", ITH_E_UNSUPPORTED, "backslash");
    expect_pattern("\\X+", ITH_E_UNSUPPORTED, "\\X");
    expect_pattern("(a)\\1", ITH_E_UNSUPPORTED, "\\1");
    expect_pattern("[[:alpha:]]", ITH_E_UNSUPPORTED, "POSIX");
    expect_pattern("[]a]", ITH_E_UNSUPPORTED, "empty class");
    expect_pattern("[a", ITH_E_FORMAT, "does not end");
    expect_pattern("[a-\\d]", ITH_E_FORMAT, "range");
    expect_pattern("[[[[[[[[[[a]]]]]]]]]]", ITH_E_UNSUPPORTED, "nested too deep");
    expect_pattern("(?i:\u00e9)", ITH_E_UNSUPPORTED, "beyond ASCII");
    expect_pattern("a{2}?", ITH_E_UNSUPPORTED, "lazy interval");
    expect_pattern("\\xC3", ITH_E_UNSUPPORTED, "a code");
    expect_pattern("(?R)", ITH_E_UNSUPPORTED, "group");
    expect_pattern("(*COMMIT)", ITH_E_UNSUPPORTED, "group");
    expect_pattern("a{1,2}+", ITH_E_UNSUPPORTED, "possessive");
}

/* A tokenizer that splits by `pattern` ends with an error on this text, and not after minutes. */
static void expect_costly(const char *pattern, const char *text, size_t len)
{
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    json_t *root = json_object_get(json_array_get(variants, 0), "tokenizer");
    json_t *pre = json_pack("{s:s,s:[{s:s,s:{s:s},s:s},{s:s,s:b}]}", "type", "Sequence",
                            "pretokenizers", "type", "Split", "pattern", "Regex", pattern,
                            "behavior", "Isolated", "type", "ByteLevel", "use_regex", 0);
    ith_error err = {0};
    ith_tokenizer *tok;
    int32_t *ids;
    size_t n;

    assert_non_null(pre);
    json_object_set_new(root, "pre_tokenizer", pre);
    json_dump_file(root, "build/text/costly.json", 0);
    tok = load("build/text/costly.json", NULL);
    assert_int_equal(ith_tokenizer_encode(tok, text, len, 0, &ids, &n, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "pattern"));
    assert_null(ids);
    ith_tokenizer_free(tok);
    json_decref(variants);
}

/* Exponential time on its text. */
static void test_costly_pattern(void **state)
{
    char text[201];

    (void)state;
    memset(text, 'a', 200);
    text[200] = '!';
    expect_costly("(?:a|aa|a(?:a|aa))+$", text, sizeof text);
}

/* One budget for the whole text: each match alone would be within the limit of one. */
static void test_costly_matches(void **state)
{
    char text[300];

    (void)state;
    memset(text, 'a', sizeof text);
    expect_costly("(?<=^|a)a*a*a*a*c|.", text, sizeof text);
}

static void test_config(void **state)
{
    const char *tokenizer = "build/text/configured.json", *path = "build/text/config.json";
    const char *number = "{\"bos_token\": 5}",
               *named = "{\"eos_token\": {\"content\": \"<s>\"}, \"bos_token\": \"nowhere\"}";
    json_t *variants = unpack_json("tests/golden/tokenizer/variants.json.zst");
    ith_error err = {0};
    ith_tokenizer *tok;

    (void)state;
    json_dump_file(json_object_get(json_array_get(variants, 8), "tokenizer"), tokenizer, 0);
    json_decref(variants);
    write_file(path, number, strlen(number));
    assert_int_equal(load_files(tokenizer, path, &tok, &err), ITH_E_FORMAT);
    assert_null(tok);
    assert_non_null(strstr(err.text, "bos_token"));
    write_file(path, named, strlen(named));
    tok = load(tokenizer, path);
    assert_int_equal(ith_tokenizer_eos(tok), ith_tokenizer_find(tok, "<s>", 3));
    ith_tokenizer_free(tok);
    ith_tokenizer_free(NULL);
}

/* ---- Arrays, as GGUF has them ---- */

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
    ith_bytes tokens[] = {{"a", 1}, {"b", 1}, {"ab", 2}, {"<s>", 3}}, merges[] = {{"a b", 3}};
    int32_t types[] = {1, 1, 1, 3};
    const ith_tokenizer_spec good = {.where = "f.gguf",
                                     .pre = {"gpt-2", 5},
                                     .n_tokens = 4,
                                     .tokens = tokens,
                                     .n_merges = 1,
                                     .merges = merges,
                                     .types = types,
                                     .bos = 3,
                                     .eos = -1,
                                     .unk = -1,
                                     .add_bos = true};
    ith_tokenizer_spec bad = good;
    ith_tokenizer *tok;

    (void)state;
    assert_int_equal(ith_tokenizer_from_arrays(&good, &tok, NULL), ITH_OK);
    assert_true(ith_tokenizer_add_bos(tok));
    ith_tokenizer_free(tok);
    bad.pre = (ith_bytes){"klingon", 7};
    expect_spec_error(&bad, ITH_E_UNSUPPORTED, "\"klingon\"");
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
    types[1] = 3;
    expect_spec_error(&good, ITH_E_FORMAT, "single byte 0x62");
    types[1] = 1;
    merges[0] = (ith_bytes){"a c", 3};
    expect_spec_error(&good, ITH_E_FORMAT, "merge 0");
    merges[0] = (ith_bytes){"b a", 3};
    expect_spec_error(&good, ITH_E_FORMAT, "not in the vocabulary");
    for (size_t len = 0; len < 3; len++) {
        merges[0] = (ith_bytes){"a b", len};
        expect_spec_error(&good, ITH_E_FORMAT, "one space");
    }
    merges[0] = (ith_bytes){"a b c", 5};
    expect_spec_error(&good, ITH_E_FORMAT, "one space");
}

/* Names that stand for another pre-tokenizer give its ids. */
static void test_pre_names(void **state)
{
    static const char *const names[][2] = {{"deepseek-r1-qwen", "qwen2"}, {"megrez", "qwen2"},
                                           {"falcon3", "llama-bpe"},      {"lfm2", "llama3"},
                                           {"smaug-bpe", "llama-bpe"},    {"mellum", "gpt-2"}};
    ith_bytes tokens[] = {{"1", 1}, {"11", 2}, {"111", 3}, {"1111", 4}},
              merges[] = {{"1 1", 3}, {"11 1", 4}, {"11 11", 5}};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n[2];
        for (int k = 0; k < 2; k++) {
            const ith_tokenizer_spec spec = {.where = "f.gguf",
                                             .pre = {names[i][k], strlen(names[i][k])},
                                             .n_tokens = 4,
                                             .tokens = tokens,
                                             .n_merges = 3,
                                             .merges = merges,
                                             .bos = -1,
                                             .eos = -1};
            ith_tokenizer *tok;
            int32_t *ids;
            assert_int_equal(ith_tokenizer_from_arrays(&spec, &tok, NULL), ITH_OK);
            assert_int_equal(ith_tokenizer_encode(tok, "1111", 4, 0, &ids, &n[k], NULL), ITH_OK);
            free(ids);
            ith_tokenizer_free(tok);
        }
        assert_int_equal(n[0], n[1]);
    }
}

static int set_up(void **state)
{
    (void)state;
    test_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated),      cmocka_unit_test(test_moved),
        cmocka_unit_test(test_damaged),        cmocka_unit_test(test_damaged_patterns),
        cmocka_unit_test(test_costly_pattern), cmocka_unit_test(test_costly_matches),
        cmocka_unit_test(test_config),         cmocka_unit_test(test_damaged_arrays),
        cmocka_unit_test(test_pre_names),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
