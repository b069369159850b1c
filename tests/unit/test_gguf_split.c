/* test_gguf_split.c - a GGUF model in several files: opened by the first, and refused by name if a
 * file is missing, has another number or is of another model. */
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FILES = 3 };

static char folder[64];

/* The path of file `no` of `count`, both as they stand in the name. */
static const char *path_of(int no, int count)
{
    static char path[2][200];
    static int turn;
    char *out = path[turn = !turn];
    snprintf(out, sizeof path[0], "%s/small-%05d-of-%05d.gguf", folder, no, count);
    return out;
}

static void add_keys(gguf_writer *w, uint32_t no, uint32_t count, uint32_t tensors)
{
    gguf_u32(w, "split.no", no);
    gguf_u32(w, "split.count", count);
    gguf_u32(w, "split.tensors.count", tensors);
}

static void write_to(const char *path, gguf_writer *w)
{
    buffer b = gguf_finish(w);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.data, 1, b.n, f), b.n);
    fclose(f);
    free(b.data);
}

/* File `no` (from 0) of the small model, one tensor each, as file `says` of `count`. */
static void write_file(uint32_t no, uint32_t says, uint32_t count, uint32_t tensors)
{
    gguf_writer w = no == 0 ? gguf_small_pairs() : (gguf_writer){.version = 3, .alignment = 32};
    add_keys(&w, says, count, tensors);
    if (no == 0)
        gguf_tensor(&w, "token_embd.weight", 8, 2, (uint64_t[]){64, 5}, 5 * 2 * 34, 1);
    else if (no == 1)
        gguf_tensor(&w, "output_norm.weight", 0, 1, (uint64_t[]){64}, 256, 2);
    else
        gguf_tensor(&w, "blk.0.attn_q.weight", 3, 2, (uint64_t[]){64, 64}, 64 * 2 * 20, 3);
    write_to(path_of((int)no + 1, FILES), &w);
}

static int set_up(void **state)
{
    (void)state;
    folder_make(folder);
    for (uint32_t no = 0; no < FILES; no++)
        write_file(no, no, FILES, 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void expect(const char *path, ith_status status, const char *text)
{
    ith_source *source = NULL;
    ith_error err = {0};
    ith_status got = ith_source_open(path, 0, &source, &err);

    if (got != status || strstr(err.text, text) == NULL || strchr(err.text, '\n') != NULL)
        fail_msg("status %d, \"%s\" instead of %d, \"%s\"", got, err.text, status, text);
    ith_source_close(source);
}

static void files_come_together(void **state)
{
    static const char *const names[] = {"token_embd.weight", "output_norm.weight",
                                        "blk.0.attn_q.weight"};
    ith_source *source;
    ith_error err = {0};

    (void)state;
    if (ith_source_open(path_of(1, FILES), 0, &source, &err) != ITH_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ith_source_n_tensors(source), 3);
    assert_string_equal(ith_source_hparams(source)->name, "small");
    for (int i = 0; i < 3; i++) {
        const ith_tensor *t = ith_source_find(source, names[i]);
        assert_int_equal(t->data[0], i + 1);
        assert_string_equal(t->file, path_of(i + 1, FILES));
        assert_string_equal(t->mapping->path, t->file);
    }
    source_touch(source);
    ith_source_close(source);
}

static void the_first_file_is_enough_for_the_tokenizer(void **state)
{
    ith_source *source;
    ith_error err = {0};

    (void)state;
    assert_int_equal(unlink(path_of(2, FILES)), 0);
    assert_int_equal(ith_source_open(path_of(1, FILES), ITH_SOURCE_TOKENIZER_ONLY, &source, &err),
                     ITH_OK);
    ith_source_close(source);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    assert_int_equal(unlink(path_of(3, FILES)), 0);
    expect(path_of(1, FILES), ITH_E_IO, "small-00003-of-00003.gguf: No such file");
}

static void other_files_are_refused(void **state)
{
    (void)state;
    expect(path_of(2, FILES), ITH_E_ARGUMENT,
           "small-00002-of-00003.gguf: file 2 of 3 of a split model; give the first file, which "
           "ends in "
           "-00001-of-00003.gguf");
    write_file(1, 2, FILES, 3);
    expect(path_of(1, FILES), ITH_E_FORMAT,
           "small-00002-of-00003.gguf: it says that it is file 3 of 3 of a model with 3 tensors, "
           "expected file 2 of 3 with 3");
    write_file(1, 1, 4, 3);
    expect(path_of(1, FILES), ITH_E_FORMAT, "file 2 of 4 of a model with 3 tensors, expected");
    write_file(1, 1, FILES, 9);
    expect(path_of(1, FILES), ITH_E_FORMAT, "file 2 of 3 of a model with 9 tensors, expected");
}

static void files_of_another_model_are_refused(void **state)
{
    gguf_writer w = {.version = 3, .alignment = 32};

    (void)state;
    add_keys(&w, 1, FILES, 3); /* no tensor, where there should be one */
    write_to(path_of(2, FILES), &w);
    expect(path_of(1, FILES), ITH_E_FORMAT,
           "its 3 files have 2 tensors, expected 3: some are of another model");
    w = (gguf_writer){.version = 3, .alignment = 32};
    add_keys(&w, 1, FILES, 3); /* the tensor of another file */
    gguf_tensor(&w, "token_embd.weight", 8, 2, (uint64_t[]){64, 5}, 5 * 2 * 34, 1);
    write_to(path_of(2, FILES), &w);
    expect(path_of(1, FILES), ITH_E_FORMAT, "tensor token_embd.weight occurs twice");
    w = (gguf_writer){.version = 3, .alignment = 32};
    gguf_tensor(&w, "output_norm.weight", 0, 1, (uint64_t[]){64}, 256, 2); /* of no split model */
    write_to(path_of(2, FILES), &w);
    expect(path_of(1, FILES), ITH_E_FORMAT, "it says that it is file 1 of 1");
}

static void other_names_are_refused(void **state)
{
    char path[200];

    (void)state;
    snprintf(path, sizeof path, "%s/renamed.gguf", folder);
    assert_int_equal(rename(path_of(1, FILES), path), 0);
    expect(path, ITH_E_FORMAT,
           "renamed.gguf: the first of 3 files of a model: its name should end in "
           "-00001-of-00003.gguf");
}

static void one_file_of_one_is_a_model(void **state)
{
    gguf_writer w = gguf_small_pairs();
    char path[200];

    (void)state;
    add_keys(&w, 0, 1, 3);
    gguf_small_tensors(&w);
    snprintf(path, sizeof path, "%s/whole.gguf", folder);
    write_to(path, &w);
    expect(path, ITH_OK, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_come_together),
        TEST(the_first_file_is_enough_for_the_tokenizer),
        TEST(missing_files_are_named),
        TEST(other_files_are_refused),
        TEST(files_of_another_model_are_refused),
        TEST(other_names_are_refused),
        TEST(one_file_of_one_is_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
