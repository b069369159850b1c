/* test_source.c - paths as users give them: folders, files, and the errors for those that are no
 * model. */
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char config[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 8, \"intermediate_size\": 16, "
    "\"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 2, \"vocab_size\": 4, \"tie_word_embeddings\": true}";

#define SHARD(name) "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"

typedef struct folder {
    char path[64];
} folder;

static int setup(void **state)
{
    folder *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -1;
    folder_make(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    folder_remove(((folder *)*state)->path);
    free(*state);
    return 0;
}

static void expect(const char *path, unsigned flags, ith_status status, const char *text)
{
    ith_source *source = NULL;
    ith_error err = {0};
    ith_status got = ith_source_open(path, flags, &source, &err);

    if (got != status || strstr(err.text, text) == NULL)
        fail_msg("%s: status %d, \"%s\" instead of %d, \"%s\"", path, got, err.text, status, text);
    ith_source_close(source);
}

static void expect_in(const folder *f, const char *name, ith_status status, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    expect(path, 0, status, text);
}

static void a_folder_is_a_model(void **state)
{
    const folder *f = *state;
    ith_source *source = NULL;
    ith_error err = {0};
    char expected[512];

    folder_write_text(f->path, "config.json", config);
    folder_write_text(f->path, "generation_config.json", "{\"eos_token_id\": [3, 1]}");
    folder_write_text(f->path, "tokenizer.json", "{}");
    folder_write_buffer(f->path, "model.safetensors",
                        safetensors_file(SAFETENSORS_SMALL, SAFETENSORS_SMALL_DATA));
    assert_int_equal(ith_source_open(f->path, 0, &source, &err), ITH_OK);
    assert_int_equal(ith_source_get_kind(source), ITH_SOURCE_HF);
    assert_string_equal(ith_source_path(source), f->path);
    assert_string_equal(ith_source_hparams(source)->name, strrchr(f->path, '/') + 1);
    assert_true(ith_source_hparams(source)->tied_embeddings);
    assert_int_equal(ith_source_hparams(source)->n_eos, 2);
    assert_int_equal(ith_source_hparams(source)->eos[0], 3);
    snprintf(expected, sizeof expected, "%s/tokenizer.json", f->path);
    assert_string_equal(ith_source_tokenizer_file(source), expected);
    assert_null(ith_source_gguf_vocab(source));
    assert_int_equal(ith_source_n_tensors(source), 3);
    assert_int_equal(ith_source_find(source, "b")->data[0], 9);
    assert_null(ith_source_tensor(source, 3));
    ith_source_close(source);
}

static void write_shards(const folder *f, const char *map)
{
    char index[1000];
    folder_write_text(f->path, "config.json", config);
    folder_write_buffer(f->path, "model-00001-of-00002.safetensors",
                        safetensors_file(SHARD("a"), 8));
    folder_write_buffer(f->path, "model-00002-of-00002.safetensors",
                        safetensors_file(SHARD("b"), 8));
    snprintf(index, sizeof index, "{\"metadata\": {\"total_size\": 16}, \"weight_map\": {%s}}",
             map);
    folder_write_text(f->path, "model.safetensors.index.json", index);
}

static void shards_are_joined(void **state)
{
    const folder *f = *state;
    ith_source *source = NULL;
    ith_error err = {0};

    write_shards(
        f,
        "\"b\": \"model-00002-of-00002.safetensors\", \"a\": \"model-00001-of-00002.safetensors\"");
    assert_int_equal(ith_source_open(f->path, 0, &source, &err), ITH_OK);
    assert_int_equal(ith_source_n_tensors(source), 2);
    assert_non_null(strstr(ith_source_find(source, "a")->file, "model-00001-of-00002.safetensors"));
    assert_non_null(strstr(ith_source_find(source, "b")->file, "model-00002-of-00002.safetensors"));
    assert_int_equal(ith_source_find(source, "b")->data[7], 8);
    ith_source_close(source);
}

static void bad_indexes_are_refused(void **state)
{
    static const struct {
        const char *map;
        ith_status status;
        const char *text;
    } cases[] = {
        {"\"a\": \"model-00003-of-00003.safetensors\"", ITH_E_IO,
         "model-00003-of-00003.safetensors: this shard is missing"},
        {"\"a\": \"model-00002-of-00002.safetensors\"", ITH_E_FORMAT,
         "tensor a should be in model-00002"},
        {"\"c\": \"model-00001-of-00002.safetensors\"", ITH_E_FORMAT,
         "tensor c should be in model-00001"},
        {"\"a\": \"../secret\"", ITH_E_FORMAT, "not a file of the same folder"},
        {"\"a\": \"..\"", ITH_E_FORMAT, "not a file of the same folder"},
        {"\"a\": \"\"", ITH_E_FORMAT, "not a file of the same folder"},
        {"\"a\": 1", ITH_E_FORMAT, "tensor a has no file name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_shards(*state, cases[i].map);
        expect(((folder *)*state)->path, 0, cases[i].status, cases[i].text);
    }
    folder_write_text(((folder *)*state)->path, "model.safetensors.index.json", "{}");
    expect(((folder *)*state)->path, 0, ITH_E_FORMAT, "\"weight_map\" is missing");
}

static void a_tensor_in_two_shards_is_refused(void **state)
{
    const folder *f = *state;
    write_shards(
        f,
        "\"a\": \"model-00001-of-00002.safetensors\", \"b\": \"model-00002-of-00002.safetensors\"");
    folder_write_buffer(f->path, "model-00002-of-00002.safetensors",
                        safetensors_file(SHARD("a"), 8));
    expect(f->path, 0, ITH_E_FORMAT, "tensor a occurs twice");
}

static void folders_of_another_kind_are_explained(void **state)
{
    const folder *f = *state;
    expect(f->path, 0, ITH_E_ARGUMENT,
           "is a directory without config.json; a Hugging Face model folder has");
    expect(f->path, ITH_SOURCE_TOKENIZER_ONLY, ITH_E_ARGUMENT,
           "is a directory without tokenizer.json");
    folder_write_buffer(f->path, "model.gguf", gguf_small());
    expect(f->path, 0, ITH_E_ARGUMENT, "give the GGUF file in it");
    folder_write_text(f->path, "config.json", config);
    expect(f->path, 0, ITH_E_FORMAT, "has no weights");
    folder_write_text(f->path, "other.safetensors", "");
    expect(f->path, 0, ITH_E_FORMAT, "only files such as other.safetensors");
    folder_write_text(f->path, "pytorch_model.bin", "");
    expect(f->path, 0, ITH_E_UNSUPPORTED, "only PyTorch weights (pytorch_model.bin)");
    folder_write_text(f->path, "config.json", "{\"model_type\": ");
    expect(f->path, 0, ITH_E_FORMAT, "config.json: line");
    folder_write_text(f->path, "config.json", config);
    folder_write_text(f->path, "model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
    expect(f->path, 0, ITH_E_FORMAT, "Git LFS pointer");
}

static void a_tokenizer_alone_will_do_if_asked_for(void **state)
{
    const folder *f = *state;
    ith_source *source = NULL;

    folder_write_text(f->path, "tokenizer.json", "{}");
    folder_write_text(f->path, "config.json",
                      "{\"model_type\": \"unheard-of\", \"eos_token_id\": 5}");
    assert_int_equal(ith_source_open(f->path, ITH_SOURCE_TOKENIZER_ONLY, &source, NULL), ITH_OK);
    assert_int_equal(ith_source_n_tensors(source), 0);
    assert_int_equal(ith_source_hparams(source)->eos[0], 5);
    assert_null(ith_source_find(source, "a"));
    ith_source_close(source);
}

static void files_of_another_kind_are_explained(void **state)
{
    const folder *f = *state;
    folder_write_buffer(f->path, "model.safetensors",
                        safetensors_file(SAFETENSORS_SMALL, SAFETENSORS_SMALL_DATA));
    expect_in(f, "model.safetensors", ITH_E_ARGUMENT, "give its folder, with config.json");
    folder_write_buffer(f->path, "renamed",
                        safetensors_file(SAFETENSORS_SMALL, SAFETENSORS_SMALL_DATA));
    expect_in(f, "renamed", ITH_E_ARGUMENT, "a safetensors file");
    folder_write_text(f->path, "model.ith", "ITHPACK");
    expect_in(f, "model.ith", ITH_E_FORMAT, "damaged or not a pack");
    folder_write_text(f->path, "pytorch_model.bin", "PK\003\004");
    expect_in(f, "pytorch_model.bin", ITH_E_UNSUPPORTED, "a PyTorch file");
    folder_write_text(f->path, "old.bin", "tjgg....");
    expect_in(f, "old.bin", ITH_E_UNSUPPORTED, "before GGUF");
    folder_write_text(f->path, "config.json", config);
    expect_in(f, "config.json", ITH_E_ARGUMENT, "give the folder");
    folder_write_text(f->path, "empty.gguf", "");
    expect_in(f, "empty.gguf", ITH_E_FORMAT, "does not begin with \"GGUF\"");
    folder_write_text(f->path, "notes.txt", "hello");
    expect_in(f, "notes.txt", ITH_E_ARGUMENT,
              "neither a GGUF file, a pack (.ith) nor a Hugging Face folder");
    folder_write_text(f->path, "pointer.gguf", "version https://git-lfs.github.com/spec/v1\n");
    expect_in(f, "pointer.gguf", ITH_E_FORMAT, "Git LFS pointer");
    expect("/dev/null", 0, ITH_E_ARGUMENT, "not a regular file");
    expect("no/such/model", 0, ITH_E_IO, "No such file");
    expect("No-Such/Model-8B", 0, ITH_E_IO, "ithaca pull No-Such/Model-8B");
}

static void a_gguf_file_is_known_by_its_magic(void **state)
{
    const folder *f = *state;
    ith_source *source = NULL;
    json_t *description = NULL;
    char path[512];

    folder_write_buffer(f->path, "any-name", gguf_small());
    snprintf(path, sizeof path, "%s/any-name", f->path);
    assert_int_equal(ith_source_open(path, 0, &source, NULL), ITH_OK);
    assert_int_equal(ith_source_get_kind(source), ITH_SOURCE_GGUF);
    assert_null(ith_source_tokenizer_file(source));
    assert_int_equal(ith_source_describe(source, &description, NULL), ITH_OK);
    assert_string_equal(json_string_value(json_object_get(description, "format")), "GGUF v3");
    assert_int_equal(json_integer_value(json_object_get(description, "parameters")),
                     5 * 64 + 64 + 64 * 64);
    assert_int_equal(json_integer_value(json_object_get(description, "bytes")), 340 + 256 + 2560);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(description, "hyperparameters"), "head_dim")),
                     16);
    assert_int_equal(json_array_size(json_object_get(description, "tensors")), 3);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(description, "tokenizer"), "tokens")),
        5);
    json_decref(description);
    ith_source_close(source);
}

static void names_are_cleaned(void **state)
{
    static const struct {
        const char *name, *expected;
    } cases[] = {{"caf\xc3\xa9 \xe6\xbc\xa2", "caf\xc3\xa9 \xe6\xbc\xa2"},
                 {"a\033[2Jb\n", "a?[2Jb?"},
                 {"\xff\xc3", "??"},
                 {"\xc0\xaf\xed\xa0\x80", "?????"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_writer w = {.version = 3, .alignment = 32};
        buffer b;
        memory_source m;
        gguf_text(&w, "general.architecture", "llama");
        gguf_text(&w, "general.name", cases[i].name);
        gguf_u32(&w, "llama.block_count", 1);
        gguf_u32(&w, "llama.context_length", 8);
        gguf_u32(&w, "llama.embedding_length", 64);
        gguf_u32(&w, "llama.feed_forward_length", 96);
        gguf_u32(&w, "llama.attention.head_count", 4);
        gguf_f32(&w, "llama.attention.layer_norm_rms_epsilon", 0.5f);
        gguf_small_tensors(&w);
        b = gguf_finish(&w);
        assert_int_equal(memory_gguf(&m, b.data, b.n, 0, NULL), ITH_OK);
        assert_string_equal(ith_source_hparams(&m.source)->name, cases[i].expected);
        source_touch(&m.source);
        memory_source_close(&m);
        free(b.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_is_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(shards_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_indexes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tensor_in_two_shards_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_of_another_kind_are_explained, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tokenizer_alone_will_do_if_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(files_of_another_kind_are_explained, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gguf_file_is_known_by_its_magic, setup, teardown),
        cmocka_unit_test(names_are_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
