/* libFuzzer's entry point for the gguf parser; how to build it: fuzz_main.c. */
#include "tests/fuzz/format_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_gguf(data, size, 0);
    return 0;
}
