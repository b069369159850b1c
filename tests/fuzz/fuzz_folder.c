/* fuzz_folder.c - a Hugging Face folder: config.json, generation_config.json, an index, and the
 * headers of two safetensors files. Of what is accepted each tensor is touched. */
#include "tests/fuzz/format_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"config.json", "generation_config.json",
                                        "model.safetensors.index.json"};
    ith_source *source;
    ith_error err = {0};
    ith_bytes part;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        part = fuzz_part(&data, &size);
        fuzz_file(names[i], part);
        fuzz_part_free(part);
    }
    part = fuzz_part(&data, &size);
    fuzz_safetensors_file("model.safetensors", part);
    fuzz_part_free(part);
    part = fuzz_part(&data, &size);
    fuzz_safetensors_file("b.safetensors", part);
    fuzz_part_free(part);
    if (fuzz_verdict(ith_source_open(fuzz_folder(), 0, &source, &err), &err)) {
        source_touch(source);
        fuzz_hparams(ith_source_hparams(source));
        ith_source_close(source);
    } else
        fuzz_must(source == NULL);
    return 0;
}
