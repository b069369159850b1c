/* text_data.h - for the tests of src/text: packed test data, and strings with their lengths. */
#ifndef ITH_TESTS_TEXT_DATA_H
#define ITH_TESTS_TEXT_DATA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

static inline void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* The unpacked contents of a .zst file, malloc'd. */
static inline char *unpack(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    size_t packed_len, cap = 8u << 20;
    char *packed = malloc(cap), *data;

    assert_non_null(file);
    assert_non_null(packed);
    packed_len = fread(packed, 1, cap, file);
    fclose(file);
    *len = (size_t)ZSTD_getFrameContentSize(packed, packed_len);
    assert_true(*len < 64u << 20);
    data = malloc(*len + 1);
    assert_non_null(data);
    assert_int_equal(ZSTD_decompress(data, *len, packed, packed_len), *len);
    free(packed);
    return data;
}

/* Where test files are written; made if need be. */
static inline const char *test_folder(void)
{
    mkdir("build", 0777);
    mkdir("build/text", 0777);
    return "build/text";
}

static inline void unpack_to(const char *packed, const char *path)
{
    size_t len;
    char *data = unpack(packed, &len);

    test_folder();
    write_file(path, data, len);
    free(data);
}

static inline json_t *unpack_json(const char *path)
{
    size_t len;
    char *data = unpack(path, &len);
    json_t *root = json_loadb(data, len, JSON_ALLOW_NUL, NULL);

    free(data);
    assert_non_null(root);
    return root;
}

#endif
