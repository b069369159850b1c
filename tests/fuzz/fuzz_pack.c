/* libFuzzer's entry point for the pack reader, header and index sealed; how to build it:
 * fuzz_main.c. */
#include "tests/fuzz/format_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_pack(data, size);
    return 0;
}
