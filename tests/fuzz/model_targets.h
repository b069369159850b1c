/* model_targets.h - a whole tiny model, for the targets that open one: a GGUF file as bytes or as
 * text (gguf_text.h), a pack whose checksums are put right, or a folder of config.json and one
 * safetensors header (fuzz_safetensors_file). */
#ifndef ITH_TESTS_FUZZ_MODEL_TARGETS_H
#define ITH_TESTS_FUZZ_MODEL_TARGETS_H

#include "tests/fuzz/format_targets.h"
#include "tests/fuzz/gguf_text.h"

static inline ith_world *fuzz_world(void)
{
    static ith_world *world;

    if (world == NULL)
        fuzz_must(ith_world_open(&world, NULL) == ITH_OK);
    return world;
}

/* Writes the model and gives its path. */
static inline void fuzz_model(const uint8_t *data, size_t size, char path[128])
{
    ith_bytes part;
    buffer file;

    snprintf(path, 128, "%s/model.bin", fuzz_folder());
    if (size > 4 && (memcmp(data, "GGUF", 4) == 0 || data[0] == 0x89)) {
        uint8_t *copy = malloc(size);
        fuzz_must(copy != NULL);
        memcpy(copy, data, size);
        if (data[0] == 0x89)
            seal_pack(copy, size);
        folder_write(fuzz_folder(), "model.bin", copy, size);
        free(copy);
        return;
    }
    part = fuzz_part(&data, &size);
    if (gguf_from_json(part, &file))
        folder_write(fuzz_folder(), "model.bin", file.data, file.n);
    else {
        snprintf(path, 128, "%s", fuzz_folder());
        fuzz_file("config.json", part);
        fuzz_part_free(part);
        part = fuzz_part(&data, &size);
        fuzz_safetensors_file("model.safetensors", part);
    }
    free(file.data);
    fuzz_part_free(part);
}

/* A small engine. */
static inline ith_engine_params fuzz_engine_params(const char *path)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = path;
    params.threads = 1;
    params.ctx = 32;
    params.chunk = 8;
    params.memory = 1 << 30;
    return params;
}

#endif
