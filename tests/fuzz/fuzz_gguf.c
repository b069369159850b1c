/* fuzz_gguf.c - a GGUF file, as bytes or as text (gguf_text.h): metadata, tokenizer's arrays,
 * tensors, hyperparameters; whole, and for its tokenizer alone. */
#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/gguf_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buffer file = gguf_input(data, size);

    fuzz_gguf(file.data, file.n, 0);
    fuzz_gguf(file.data, file.n, ITH_SOURCE_TOKENIZER_ONLY);
    free(file.data);
    return 0;
}
