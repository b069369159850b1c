/* fuzz_main.c - runs a fuzz target without libFuzzer: every file of a corpus as it is, then seeded
 * mutations of them.
 *
 *     make CONFIG=asan build/asan/libithaca.a
 *     mpicc -std=c11 -D_GNU_SOURCE -g -fsanitize=address,undefined -Iinclude -Isrc -I. \
 *         tests/fuzz/fuzz_gguf.c tests/fuzz/fuzz_main.c \
 *         build/asan/libithaca.a -ljansson -lzstd -lxxhash -lm -o fuzz_gguf
 *     ./fuzz_gguf SEED MUTATIONS FILE...
 *
 * With clang, -fsanitize=fuzzer in place of fuzz_main.c makes the same target a libFuzzer program.
 */
#include "tests/fuzz/mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load(const char *path, buffer *b)
{
    uint8_t chunk[65536];
    size_t n;
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        put(b, chunk, n);
    fclose(file);
    return true;
}

int main(int argc, char **argv)
{
    prng random = {argc > 1 ? strtoull(argv[1], NULL, 10) : 0};
    uint64_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

    if (argc < 4) {
        fprintf(stderr, "usage: %s SEED MUTATIONS FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        buffer file = {0};
        if (!load(argv[i], &file)) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        LLVMFuzzerTestOneInput(file.data, file.n);
        for (uint64_t j = 0; j < mutations; j++) {
            buffer damaged = {0};
            put(&damaged, file.data, file.n);
            mutate(&random, &damaged);
            LLVMFuzzerTestOneInput(damaged.data, damaged.n);
            free(damaged.data);
        }
        free(file.data);
    }
    return 0;
}
