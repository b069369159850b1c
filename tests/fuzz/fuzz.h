/* fuzz.h - what the fuzz targets share. A target fuzz_NAME.c is one function that takes any bytes;
 * tests/fuzz/README.md says how targets are built and run.
 *
 * Besides crashes and reports of the sanitizers, targets look for wrong answers: they call abort().
 */
#ifndef ITH_TESTS_FUZZ_FUZZ_H
#define ITH_TESTS_FUZZ_FUZZ_H

#include "base/character.h"
#include "tests/model_files.h"

#include <ftw.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_must(bool condition)
{
    if (!condition)
        abort();
}

/* One line of UTF-8. */
static inline void fuzz_line(const char *text)
{
    size_t len = strlen(text), n;

    for (; len > 0; text += n, len -= n) {
        n = ith_utf8_bytes(text, len);
        fuzz_must(n > 0 && (unsigned char)*text >= ' ' && *text != 0x7f);
    }
}

/* True: the bytes were accepted. A failure has its status and one line of text; success leaves
 * neither. */
static inline bool fuzz_verdict(ith_status status, const ith_error *err)
{
    if (status == ITH_OK)
        return true;
    fuzz_must(err->status == status && err->text[0] != '\0');
    fuzz_must(memchr(err->text, '\0', sizeof err->text) != NULL);
    fuzz_line(err->text);
    return false;
}

/* The same of a function that also gives JSON, which is freed here. */
static inline bool fuzz_json(ith_status status, char *const *json, const ith_error *err)
{
    json_t *root = *json == NULL ? NULL : json_loads(*json, 0, NULL);

    fuzz_must(fuzz_verdict(status, err) == (root != NULL) && (root == NULL) == (*json == NULL));
    json_decref(root);
    free(*json);
    return status == ITH_OK;
}

/* ---- Inputs of several parts ---- */

#define FUZZ_CUT "\n--8<--\n"

/* The next part, up to a FUZZ_CUT or the end; *data and *size move past it. An exact copy with a
 * NUL behind it, so that a sanitizer sees an access past its end. The caller frees it. */
static inline ith_bytes fuzz_part(const uint8_t **data, size_t *size)
{
    const uint8_t *cut = *size > 0 ? memmem(*data, *size, FUZZ_CUT, sizeof FUZZ_CUT - 1) : NULL;
    size_t len = cut != NULL ? (size_t)(cut - *data) : *size,
           used = cut != NULL ? len + sizeof FUZZ_CUT - 1 : len;
    char *copy = malloc(len + 1);

    fuzz_must(copy != NULL);
    if (len > 0)
        memcpy(copy, *data, len);
    copy[len] = '\0';
    *data += used;
    *size -= used;
    return (ith_bytes){copy, len};
}

static inline void fuzz_part_free(ith_bytes part)
{
    free((void *)(uintptr_t)part.data);
}

/* ---- Files ---- */

static char fuzz_folder_path[64];

static inline int fuzz_remove_entry(const char *path, const struct stat *info, int kind,
                                    struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

/* A file, or a folder with all that is in it; nothing, if it is not there. */
static inline void fuzz_remove(const char *path)
{
    nftw(path, fuzz_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fuzz_folder_remove(void)
{
    fuzz_remove(fuzz_folder_path);
}

/* One folder for a process; its files are replaced by each input. */
static inline const char *fuzz_folder(void)
{
    if (fuzz_folder_path[0] == '\0') {
        folder_make(fuzz_folder_path);
        atexit(fuzz_folder_remove);
    }
    return fuzz_folder_path;
}

/* The whole of a file that can be read; the caller frees it. */
static inline buffer fuzz_read_file(const char *path)
{
    uint8_t chunk[4096];
    buffer file = {0};
    size_t n;
    FILE *f = fopen(path, "rb");

    fuzz_must(f != NULL);
    put(&file, "", 0);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        put(&file, chunk, n);
    fclose(f);
    return file;
}

/* Writes a part as a file; an empty part removes it. */
static inline void fuzz_file(const char *name, ith_bytes part)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    unlink(path);
    if (part.len > 0)
        folder_write(fuzz_folder(), name, part.data, part.len);
}

/* Small numbers, as BF16, F16 and F32. */
static inline void put_numbers(buffer *b, size_t bytes)
{
    uint8_t *data = malloc(bytes + 1);

    fuzz_must(data != NULL);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t) "\x01\x3c\x02\xbc"[i % 4];
    put(b, data, bytes);
    free(data);
}

enum { FUZZ_DATA_MAX = 1 << 20 };

/* ["F32", 4, 8] as a header has it, with the data from *end on, which moves past them. */
static inline json_t *fuzz_safetensors_entry(const json_t *list, int64_t *end)
{
    const char *type = json_string_value(json_array_get(list, 0));
    json_t *shape = json_array();
    int64_t bytes = 1;

    for (size_t i = 1; json_is_integer(json_array_get(list, i)); i++) {
        int64_t n = json_integer_value(json_array_get(list, i));
        bytes = n < 0 || n > FUZZ_DATA_MAX || bytes > FUZZ_DATA_MAX ? FUZZ_DATA_MAX : bytes * n;
        json_array_append_new(shape, json_integer(n));
    }
    for (const char *c = type != NULL ? type : ""; *c != '\0'; c++) /* bits, the last number */
        if (strspn(c, "1234567890") >= 2)
            bytes = bytes > FUZZ_DATA_MAX ? FUZZ_DATA_MAX : bytes * (atoi(c) / 8);
    bytes = bytes > FUZZ_DATA_MAX ? FUZZ_DATA_MAX : bytes;
    *end += *end > FUZZ_DATA_MAX ? 0 : bytes;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type != NULL ? type : "", "shape", shape,
                     "data_offsets", (json_int_t)(*end - bytes), (json_int_t)*end);
}

/* Where a tensor's data begins or ends. */
static inline int64_t fuzz_safetensors_offset(const json_t *tensor, size_t i)
{
    return json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), i));
}

/* The whole numbers at the end of a list, one behind another, as far as there is room. */
static inline void fuzz_safetensors_values(const json_t *list, const json_t *entry, uint8_t *data,
                                           int64_t bytes)
{
    const json_t *values = json_array_get(list, json_array_size(list) - 1);
    int64_t begin = fuzz_safetensors_offset(entry, 0), end = fuzz_safetensors_offset(entry, 1),
            width =
                json_array_size(values) > 0 ? (end - begin) / (int64_t)json_array_size(values) : 0;

    if (end > bytes || width < 1 || width > 8)
        return;
    for (size_t i = 0; i < json_array_size(values); i++) {
        int64_t value = json_integer_value(json_array_get(values, i));
        memcpy(data + begin + (int64_t)i * width, &value, (size_t)width);
    }
}

/* As `fuzz_file`, of a safetensors file whose header is the part: its length goes before it, and
 * as much data after it as its offsets ask for, up to a megabyte. Tensors may also be given as
 * ["F32", 4, 8], or with their data: ["I64", 2, [32, 64]]. */
static inline void fuzz_safetensors_file(const char *name, ith_bytes header)
{
    json_t *given = json_loadb(header.data, header.len, 0, NULL), *root = json_copy(given), *tensor;
    const char *key;
    char *text = NULL;
    int64_t bytes = 0, end = 0;
    buffer file = {0};

    json_object_foreach (given, key, tensor)
        if (json_is_array(tensor))
            json_object_set_new(root, key, fuzz_safetensors_entry(tensor, &end));
    if (end > 0)
        text = json_dumps(root, JSON_COMPACT);
    json_object_foreach (root, key, tensor) {
        int64_t to = fuzz_safetensors_offset(tensor, 1);
        if (to > bytes && to <= FUZZ_DATA_MAX)
            bytes = to;
    }
    if (text != NULL)
        header = (ith_bytes){text, strlen(text)};
    put_u64(&file, header.len);
    put(&file, header.data, header.len);
    put_numbers(&file, (size_t)bytes);
    json_object_foreach (given, key, tensor)
        if (json_is_array(tensor))
            fuzz_safetensors_values(tensor, json_object_get(root, key),
                                    file.data + file.n - (size_t)bytes, bytes);
    fuzz_file(name,
              header.len > 0 ? (ith_bytes){(const char *)file.data, file.n} : (ith_bytes){"", 0});
    json_decref(given);
    json_decref(root);
    free(file.data);
    free(text);
}

#endif
