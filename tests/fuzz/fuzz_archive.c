/* libFuzzer's entry point for the archive's manifests and files of keys and values; how to build
 * it: fuzz_main.c. */
#include "tests/fuzz/archive_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == '{')
        fuzz_manifest(data, size);
    else
        fuzz_kvfile(data, size);
    return 0;
}
