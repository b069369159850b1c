/* fuzz_safetensors.c - a safetensors file: header and offsets. */
#include "tests/fuzz/format_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_safetensors(data, size);
    return 0;
}
