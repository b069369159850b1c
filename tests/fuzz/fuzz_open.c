/* fuzz_open.c - what a path names. The input is a name, and the contents of a file of that name,
 * which is opened; then names and contents of files beside it, such as the other parts of a GGUF
 * model. Contents may be a GGUF file as text (gguf_text.h). With the name "synthetic:SHAPE:TYPE"
 * the contents are SHAPE's file if that ends in ".json". */
#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/gguf_text.h"

enum { FILES = 4 };

/* The last part of `name` as a file's name in the folder. */
static void file_name(const char *name, char file[64])
{
    snprintf(file, 64, "%.60s", name);
    for (char *c = file; *c != '\0'; c++)
        if (*c == '/')
            *c = '_';
    if (strspn(file, ".") == strlen(file))
        strcpy(file, "x");
}

/* "synthetic:FOLDER/SHAPE.json:TYPE" */
static void synthetic(char *name, ith_bytes content, char path[256])
{
    char *shape = strchr(name, ':') + 1, *end = strrchr(shape, ':'), file[64];

    snprintf(path, 256, "%.200s", name);
    if (end == NULL || end - shape < 5 || strncmp(end - 5, ".json", 5) != 0)
        return;
    *end = '\0';
    file_name(shape, file);
    fuzz_file(file, content);
    snprintf(path, 256, "synthetic:%s/%s:%.20s", fuzz_folder(), file, end + 1);
}

static void write_file(ith_bytes name, ith_bytes content, char path[256])
{
    buffer bytes = gguf_input((const uint8_t *)content.data, content.len);
    char file[64];

    file_name(name.data, file);
    fuzz_file(file, (ith_bytes){(const char *)bytes.data, bytes.n});
    snprintf(path, 256, "%s/%s", fuzz_folder(), file);
    free(bytes.data);
}

static void write_others(const uint8_t *data, size_t size)
{
    char path[256];

    for (int i = 0; i < FILES && size > 0; i++) {
        ith_bytes name = fuzz_part(&data, &size), content = fuzz_part(&data, &size);
        write_file(name, content, path);
        fuzz_part_free(name);
        fuzz_part_free(content);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes name = fuzz_part(&data, &size), content = fuzz_part(&data, &size);
    char path[256];
    ith_source *source;
    ith_error err = {0};

    write_others(data, size);
    if (strncmp(name.data, "synthetic:", 10) == 0)
        synthetic((char *)(uintptr_t)name.data, content, path);
    else
        write_file(name, content, path);
    if (fuzz_verdict(ith_source_open(path, 0, &source, &err), &err)) {
        source_touch(source);
        fuzz_must(ith_source_check_unchanged(source, &err) == ITH_OK);
        fuzz_verdict(ith_source_spare(source, path, &err), &err);
        ith_source_close(source);
    } else
        fuzz_must(source == NULL);
    fuzz_remove(fuzz_folder());
    mkdir(fuzz_folder(), 0700);
    fuzz_part_free(name);
    fuzz_part_free(content);
    return 0;
}
