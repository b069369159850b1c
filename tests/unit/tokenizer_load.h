/* tokenizer_load.h - a tokenizer from files that must be sound. */
#ifndef ITH_TESTS_TOKENIZER_LOAD_H
#define ITH_TESTS_TOKENIZER_LOAD_H

#include "unit/text_data.h"

#include "text/tokenizer.h"

/* The contents of a file; the path may be NULL. */
static inline ith_tokenizer_file file_at(const char *path)
{
    FILE *file = path != NULL ? fopen(path, "rb") : NULL;
    char *data = NULL;
    size_t len = 0;

    if (path == NULL)
        return (ith_tokenizer_file){NULL, {NULL, 0}};
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    len = (size_t)ftell(file);
    rewind(file);
    data = malloc(len + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, len, file), len);
    fclose(file);
    return (ith_tokenizer_file){path, {data, len}};
}

/* A tokenizer.json and a tokenizer_config.json, which may be NULL. */
static inline ith_status load_files(const char *path, const char *config, ith_tokenizer **tok,
                                    ith_error *err)
{
    ith_tokenizer_files files = {.json = file_at(path), .config = file_at(config)};
    ith_status status = ith_tokenizer_from_files(&files, tok, err);

    free((char *)files.json.bytes.data);
    free((char *)files.config.bytes.data);
    return status;
}

static inline ith_tokenizer *load(const char *path, const char *config)
{
    ith_error err = {0};
    ith_tokenizer *tok;

    if (load_files(path, config, &tok, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return tok;
}

#endif
