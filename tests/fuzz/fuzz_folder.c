/* fuzz_folder.c - a Hugging Face folder: config.json, generation_config.json, an index, and the
 * headers of two safetensors files; then any number of files whose first line is their name. Of
 * what is accepted each tensor is touched; it is opened for its tokenizer alone, too. */
#include "tests/fuzz/format_targets.h"

static void other_file(ith_bytes part)
{
    size_t len = strcspn(part.data, "\n/");
    char name[64];

    if (len == 0 || len >= sizeof name || part.data[len] != '\n' || part.data[0] == '.')
        return;
    memcpy(name, part.data, len);
    name[len] = '\0';
    fuzz_file(name, (ith_bytes){part.data + len, part.len - len});
}

static void open_folder(unsigned flags)
{
    ith_source *source;
    ith_error err = {0};

    if (fuzz_verdict(ith_source_open(fuzz_folder(), flags, &source, &err), &err)) {
        source_touch(source);
        fuzz_line(ith_source_hparams(source)->name);
        if (flags == 0)
            fuzz_hparams(ith_source_hparams(source));
        ith_source_close(source);
    } else
        fuzz_must(source == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"config.json", "generation_config.json",
                                        "model.safetensors.index.json"};
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
    while (size > 0) {
        part = fuzz_part(&data, &size);
        other_file(part);
        fuzz_part_free(part);
    }
    open_folder(0);
    open_folder(ITH_SOURCE_TOKENIZER_ONLY);
    fuzz_remove(fuzz_folder());
    mkdir(fuzz_folder(), 0700);
    return 0;
}
