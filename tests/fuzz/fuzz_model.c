/* fuzz_model.c - a whole tiny model (model_targets.h). It is opened, and ten tokens give an answer
 * or an error. */
#include "tests/fuzz/model_targets.h"

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
    ith_engine_params params;
    ith_engine *engine;
    ith_error err = {0};
    char path[128];

    fuzz_model(data, size, path);
    params = fuzz_engine_params(path);
    if (fuzz_verdict(ith_engine_open(fuzz_world(), &params, &engine, &err), &err)) {
        answer(engine);
        ith_engine_close(engine);
    } else
        fuzz_must(engine == NULL);
    return 0;
}
