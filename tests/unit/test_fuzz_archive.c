/* test_fuzz_archive.c - some thousand damaged manifests and KV files, from fixed seeds: no crash,
 * and every failure has a text.
 *
 * `make asan` runs it under the sanitizers. tests/fuzz/ has the same targets for longer runs. */
#include "tests/fuzz/archive_targets.h"
#include "tests/fuzz/mutate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROUNDS = 3000 };

/* Frees `file`. */
static int run(bool (*target)(const uint8_t *data, size_t size), buffer file, uint64_t seed)
{
    prng random = {seed};
    int accepted = 0;

    assert_true(target(file.data, file.n));
    for (int i = 0; i < ROUNDS; i++) {
        buffer damaged = {0};
        put(&damaged, file.data, file.n);
        mutate(&random, &damaged);
        accepted += target(damaged.data, damaged.n);
        free(damaged.data);
    }
    free(file.data);
    return accepted;
}

static buffer read_back(const char *path)
{
    buffer b = {0};
    uint8_t bytes[65536];
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    put(&b, bytes, fread(bytes, 1, sizeof bytes, file));
    fclose(file);
    return b;
}

static void damaged_manifest(void **state)
{
    ith_manifest m = {
        .shape = {ITH_KVL_Q8, 2, 3, 64}, .model = "small", .n = 5, .ids = {1, 2, 3, 4, 5}};
    char folder[64], path[128];
    buffer text;
    (void)state;

    m.key = ith_key_next(&m.parent, m.ids, m.n);
    folder_make(folder);
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    assert_int_equal(ith_manifest_write(AT_FDCWD, path, &m, false, NULL), ITH_OK);
    text = read_back(path);
    folder_remove(folder);

    /* Names and numbers may change, tokens may not. */
    assert_in_range(run(fuzz_manifest, text, 1), 1, ROUNDS - 1);
}

static void damaged_kvfile(void **state)
{
    size_t bytes = ith_kvfile_layer_bytes(&fuzz_what, FUZZ_TOKENS);
    uint8_t *layers = calloc(FUZZ_LAYERS, bytes);
    const void *const from[FUZZ_LAYERS] = {layers, layers + bytes};
    ith_kvfile_buffer *b;
    char folder[64], path[128];
    buffer file;
    (void)state;

    for (size_t i = 0; i < bytes; i++) {
        layers[i] = (uint8_t)(i % 7 / 6);                     /* becomes a frame */
        layers[bytes + i] = (uint8_t)(i * 2654435761u >> 13); /* stays */
    }
    folder_make(folder);
    snprintf(path, sizeof path, "%s/head-1.kv", folder);
    assert_int_equal(ith_kvfile_buffer_open(&b, NULL), ITH_OK);
    assert_int_equal(ith_kvfile_write(AT_FDCWD, path, &fuzz_what, from, false, b, NULL), ITH_OK);
    ith_kvfile_buffer_close(b);
    file = read_back(path);
    folder_remove(folder);
    free(layers);
    assert_in_range(run(fuzz_kvfile, file, 2), 1, ROUNDS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_manifest),
        cmocka_unit_test(damaged_kvfile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
