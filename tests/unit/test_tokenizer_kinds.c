/* test_tokenizer_kinds.c - every kind of tokenizer against the ids of Hugging Face's tokenizers and
 * of SentencePiece (made by tests/golden/tokenizer/make_kinds.py). */
#include "unit/tokenizer_load.h"

#include "text/stream.h"
#include "text/utf8.h"

enum { BLOCK = 8 };

typedef struct shared {
    json_t *golden, *kinds;
    const json_t *strings;
} shared;

static int set_up(void **state)
{
    shared *s = calloc(1, sizeof *s);

    test_folder();
    s->golden = unpack_json("tests/golden/tokenizer/golden.json.zst");
    s->kinds = unpack_json("tests/golden/tokenizer/kinds.json.zst");
    s->strings = json_object_get(s->golden, "strings");
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    shared *s = *state;

    json_decref(s->golden);
    json_decref(s->kinds);
    free(s);
    return 0;
}

/* FNV-1a. */
static uint32_t add_bytes(uint32_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT32_C(0x01000193);
    return hash;
}

/* Adds the ids of a string, then -1. */
static uint32_t add_ids(uint32_t hash, const int32_t *ids, size_t n)
{
    const int32_t end = -1;
    return add_bytes(add_bytes(hash, ids, n * sizeof *ids), &end, sizeof end);
}

/* Adds the text of a string, then 0xff. What is not UTF-8 is U+FFFD in the golden hashes. */
static uint32_t add_text(uint32_t hash, const char *text, size_t len)
{
    ith_buffer repaired = {0};

    assert_int_equal(ith_buffer_reserve(&repaired, len + 1, NULL), ITH_OK);
    assert_int_equal(ith_utf8_repair(text, len, &repaired, NULL), ITH_OK);
    hash = add_bytes(add_bytes(hash, repaired.data, repaired.len), "\xff", 1);
    ith_buffer_free(&repaired);
    return hash;
}

/* Streamed, the ids give the text that they are decoded to. */
static void expect_streamed(const ith_tokenizer *tok, const int32_t *ids, size_t n,
                            const char *text, size_t len)
{
    ith_detok *stream;
    size_t got, at = 0;

    assert_int_equal(ith_detok_open(tok, &stream, NULL), ITH_OK);
    for (size_t i = 0; i <= n; i++) {
        const char *out =
            i < n ? ith_detok_push(stream, ids[i], &got) : ith_detok_flush(stream, &got);
        assert_true(got <= len - at && memcmp(out, text + at, got) == 0);
        at += got;
    }
    assert_int_equal(at, len);
    ith_detok_close(stream);
}

static uint32_t add_decoded(uint32_t hash, const ith_tokenizer *tok, const int32_t *ids, size_t n)
{
    char *text;
    size_t len;

    assert_int_equal(ith_tokenizer_decode(tok, ids, n, &text, &len, NULL), ITH_OK);
    expect_streamed(tok, ids, n, text, len);
    hash = add_text(hash, text, len);
    free(text);
    return hash;
}

/* Compares the hashes of all strings' ids with `list`, those of their texts with `decoded`. Either
 * may be NULL. */
static void expect_hashes(const shared *s, const char *name, const ith_tokenizer *tok,
                          unsigned flags, const json_t *list, const json_t *decoded)
{
    size_t n_strings = json_array_size(s->strings);

    for (size_t block = 0; block * BLOCK < n_strings; block++) {
        uint32_t of_ids = UINT32_C(0x811c9dc5), of_text = of_ids;
        for (size_t i = block * BLOCK; i < n_strings && i < (block + 1) * BLOCK; i++) {
            const json_t *text = json_array_get(s->strings, i);
            int32_t *ids;
            size_t n;
            ith_error err = {0};
            if (ith_tokenizer_encode(tok, json_string_value(text), json_string_length(text), flags,
                                     &ids, &n, &err) != ITH_OK)
                fail_msg("%s: %s", name, err.text);
            of_ids = add_ids(of_ids, ids, n);
            if (decoded != NULL)
                of_text = add_decoded(of_text, tok, ids, n);
            free(ids);
        }
        if (list != NULL && of_ids != json_integer_value(json_array_get(list, block)))
            fail_msg("%s, flags %u: other ids for one of the strings %zu to %zu", name, flags,
                     block * BLOCK, block * BLOCK + BLOCK - 1);
        if (decoded != NULL && of_text != json_integer_value(json_array_get(decoded, block)))
            fail_msg("%s: one of the strings %zu to %zu is decoded otherwise", name, block * BLOCK,
                     block * BLOCK + BLOCK - 1);
    }
}

static void expect_kind(const shared *s, const json_t *kind, const ith_tokenizer *tok)
{
    const char *name = json_string_value(json_object_get(kind, "name"));

    expect_hashes(s, name, tok, ITH_TOKENIZE_SPECIAL, json_object_get(kind, "special"),
                  json_object_get(kind, "decoded"));
    expect_hashes(s, name, tok, 0, json_object_get(kind, "plain"), NULL);
}

static void test_json(void **state)
{
    const shared *s = *state;
    const json_t *kind;
    size_t i, n = 0;

    assert_true(json_array_size(s->strings) >= 2000);
    json_array_foreach (s->kinds, i, kind) {
        json_t *tokenizer = json_object_get(kind, "tokenizer");
        ith_tokenizer *tok;
        if (tokenizer == NULL)
            continue;
        assert_int_equal(json_dump_file(tokenizer, "build/text/kind.json", 0), 0);
        tok = load("build/text/kind.json", NULL);
        expect_kind(s, kind, tok);
        ith_tokenizer_free(tok);
        n++;
    }
    assert_true(n >= 40);
}

/* ---- SentencePiece's own files ---- */

static void test_sentencepiece(void **state)
{
    const shared *s = *state;
    const json_t *kind;
    size_t i, n = 0;

    json_array_foreach (s->kinds, i, kind) {
        const char *model = json_string_value(json_object_get(kind, "model"));
        ith_tokenizer_files files = {.model = {NULL, {NULL, 0}}};
        ith_error err = {0};
        ith_tokenizer *tok;
        char path[100];
        if (model == NULL)
            continue;
        snprintf(path, sizeof path, "tests/golden/tokenizer/%s", model);
        files.model = file_at(path);
        if (ith_tokenizer_from_files(&files, &tok, &err) != ITH_OK)
            fail_msg("%s", err.text);
        free((char *)files.model.bytes.data);
        expect_hashes(s, model, tok, 0, json_object_get(kind, "plain"),
                      json_object_get(kind, "decoded"));
        ith_tokenizer_free(tok);
        n++;
    }
    assert_int_equal(n, 2);
}

/* ---- As a GGUF file has it ---- */

typedef struct arrays {
    ith_bytes *tokens, *merges;
    int32_t *types;
    size_t n, n_merges;
} arrays;

static arrays arrays_of(const json_t *tokenizer)
{
    json_t *model = json_object_get(tokenizer, "model"), *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges"),
                 *added = json_object_get(tokenizer, "added_tokens"), *item;
    arrays a = {.n = json_object_size(vocab), .n_merges = json_array_size(merges)};
    size_t room = a.n + json_array_size(added), i;
    const char *key;
    json_t *id;

    a.tokens = calloc(room, sizeof *a.tokens);
    a.types = calloc(room, sizeof *a.types);
    a.merges = calloc(a.n_merges + 1, sizeof *a.merges);
    json_object_foreach (vocab, key, id) {
        a.tokens[json_integer_value(id)] = (ith_bytes){key, strlen(key)};
        a.types[json_integer_value(id)] = 1;
    }
    json_array_foreach (added, i, item) {
        const json_t *text = json_object_get(item, "content");
        size_t at = (size_t)json_integer_value(json_object_get(item, "id"));
        a.tokens[at] = (ith_bytes){json_string_value(text), json_string_length(text)};
        a.types[at] = !json_is_true(json_object_get(item, "special")) ? 4
                      : strcmp(json_string_value(text), "<unk>") == 0 ? 2
                                                                      : 3;
        a.n = at >= a.n ? at + 1 : a.n;
    }
    json_array_foreach (merges, i, item) {
        char *both = NULL;
        int len = asprintf(&both, "%s %s", json_string_value(json_array_get(item, 0)),
                           json_string_value(json_array_get(item, 1)));
        a.merges[i] = (ith_bytes){both, (size_t)len};
    }
    return a;
}

static void free_arrays(arrays *a)
{
    for (size_t i = 0; i < a->n_merges; i++)
        free((char *)a->merges[i].data);
    free(a->tokens);
    free(a->merges);
    free(a->types);
}

static void test_gguf(void **state)
{
    const shared *s = *state;
    const json_t *kind;
    size_t i, n = 0;

    json_array_foreach (s->kinds, i, kind) {
        const char *pre = json_string_value(json_object_get(kind, "pre"));
        ith_error err = {0};
        ith_tokenizer *tok;
        arrays a;
        if (pre == NULL)
            continue;
        a = arrays_of(json_object_get(kind, "tokenizer"));
        if (ith_tokenizer_from_arrays(&(ith_tokenizer_spec){.where = pre,
                                                            .pre = {pre, strlen(pre)},
                                                            .n_tokens = a.n,
                                                            .tokens = a.tokens,
                                                            .n_merges = a.n_merges,
                                                            .merges = a.merges,
                                                            .types = a.types,
                                                            .bos = -1,
                                                            .eos = -1,
                                                            .unk = -1},
                                      &tok, &err) != ITH_OK)
            fail_msg("%s: %s", pre, err.text);
        expect_kind(s, kind, tok);
        ith_tokenizer_free(tok);
        free_arrays(&a);
        n++;
    }
    assert_true(n >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_sentencepiece),
        cmocka_unit_test(test_gguf),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
