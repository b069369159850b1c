/* fuzz_gguf.c - a GGUF file: metadata, tokenizer's arrays, tensors, hyperparameters; whole, and for
 * its tokenizer alone. */
#include "tests/fuzz/format_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_gguf(data, size, 0);
    fuzz_gguf(data, size, ITH_SOURCE_TOKENIZER_ONLY);
    return 0;
}
