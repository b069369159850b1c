/* fuzz_model.c - a whole tiny model: a GGUF file, a pack whose checksums are put right, or a folder
 * as fuzz_folder.c has it (config.json and one safetensors header). It is opened, and ten tokens
 * give finite logits or an error. */
#include "tests/fuzz/format_targets.h"

static ith_world *world_of(void)
{
    static ith_world *world;

    if (world == NULL)
        fuzz_must(ith_world_open(&world, NULL) == ITH_OK);
    return world;
}

/* Writes the model and gives its path. */
static void write_model(const uint8_t *data, size_t size, char path[128])
{
    bool gguf = size > 4 && memcmp(data, "GGUF", 4) == 0, pack = size > 4 && data[0] == 0x89;
    ith_bytes part;

    snprintf(path, 128, "%s", fuzz_folder());
    if (gguf || pack) {
        uint8_t *copy = malloc(size);
        fuzz_must(copy != NULL);
        memcpy(copy, data, size);
        if (pack)
            seal_pack(copy, size);
        folder_write(fuzz_folder(), "model.bin", copy, size);
        strcat(path, "/model.bin");
        free(copy);
        return;
    }
    part = fuzz_part(&data, &size);
    fuzz_file("config.json", part);
    fuzz_part_free(part);
    part = fuzz_part(&data, &size);
    fuzz_safetensors_file("model.safetensors", part);
    fuzz_part_free(part);
}

static void answer(ith_engine *engine)
{
    int n_vocab = ith_engine_get_info(engine)->n_vocab;
    ith_generate_params how = ith_generate_params_default(engine);
    ith_session *session;
    ith_generation got;
    ith_error err = {0};
    int32_t ids[10];

    for (int i = 0; i < 10; i++)
        ids[i] = (int32_t)(i * 7 % n_vocab);
    if (!fuzz_verdict(ith_session_open(engine, &session, &err), &err))
        return;
    if (fuzz_verdict(ith_session_prefill(session, ids, 10, &err), &err)) {
        how.max_tokens = 3;
        if (fuzz_verdict(ith_generate(session, &how, &got, &err), &err)) {
            fuzz_must(got.n_ids <= 3);
            for (size_t i = 0; i < got.n_ids; i++)
                fuzz_must(got.ids[i] >= 0 && got.ids[i] < n_vocab);
            ith_generation_free(&got);
        }
    }
    ith_session_close(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_error err = {0};
    char path[128];

    write_model(data, size, path);
    params.model = path;
    params.threads = 1;
    params.ctx = 32;
    params.chunk = 8;
    params.memory = 1 << 30;
    if (fuzz_verdict(ith_engine_open(world_of(), &params, &engine, &err), &err)) {
        answer(engine);
        ith_engine_close(engine);
    } else
        fuzz_must(engine == NULL);
    return 0;
}
