/* fuzz_config.c - a config.json, of each architecture, with keys of generation_config.json. */
#include "tests/fuzz/format_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_hf_config(data, size);
    return 0;
}
