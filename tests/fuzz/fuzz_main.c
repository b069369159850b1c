/* fuzz_main.c - runs a fuzz target without libFuzzer, over files and folders of files: the corpus,
 * or the input of a crash.
 *
 *     build/release/tests/fuzz/fuzz_gguf tests/fuzz/corpus/gguf
 *
 * A target that finds a fault ends the process; the line before names the file it had in hand.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* Stands in for libFuzzer's, so that targets with a mutator of their own link. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room)
{
    static prng random = {1};
    buffer b = {0};

    put(&b, data, size);
    mutate(&random, &b);
    size = b.n < room ? b.n : room;
    memcpy(data, b.data, size);
    free(b.data);
    return size;
}

static int run_file(const char *path)
{
    uint8_t chunk[65536];
    buffer file = {0};
    size_t n;
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        printf("not ok %s cannot be read\n", path);
        return 1;
    }
    put(&file, "", 0);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        put(&file, chunk, n);
    fclose(f);
    printf("# %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(file.data, file.n);
    free(file.data);
    return 0;
}

static int run_folder(const char *path)
{
    struct dirent **entries;
    char inside[512];
    int n = scandir(path, &entries, NULL, alphasort), failed = 0;

    if (n < 0)
        return run_file(path);
    for (int i = 0; i < n; i++) {
        snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            failed |= run_file(inside);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        failed |= run_folder(argv[i]);
    if (!failed)
        printf("ok %s\n", strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0]);
    return failed;
}
