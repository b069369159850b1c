/* fuzz_convert.c - what is made of a model. The input is two letters, weights and zstd level, then
 * a model (model_targets.h). It is packed, and the pack is sound and computes the same bits, in
 * chunks of another size; it is calibrated, and what that writes can be read and packed with. */
#include "formats/stats.h"
#include "tests/fuzz/model_targets.h"

#include "ithaca_tools.h"

enum { TOKENS = 12 };

/* The digest of the logits after a few tokens; "" and an error if there are none. stats: the file
 * that calibration writes; NULL: none. */
static bool run(const ith_engine_params *params, const char *stats, char digest[65])
{
    ith_calibrate_params calibrate = {.output = stats, .n_ids = TOKENS};
    int32_t ids[TOKENS];
    ith_session *session;
    ith_engine *engine;
    ith_error err = {0};
    bool good;

    if (!fuzz_verdict(ith_engine_open(fuzz_world(), params, &engine, &err), &err))
        return false;
    for (int i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)(i * 5 % ith_engine_get_info(engine)->n_vocab);
    calibrate.ids = ids;
    fuzz_must(ith_session_open(engine, &session, &err) == ITH_OK);
    good = fuzz_verdict(ith_session_prefill(session, ids, TOKENS, &err), &err);
    if (good)
        ith_session_logits_sha256(session, digest);
    ith_session_close(session);
    if (good && stats != NULL)
        fuzz_must(ith_calibrate(engine, &calibrate, &err) == ITH_OK);
    ith_engine_close(engine);
    return good;
}

static bool pack(const ith_pack_params *params)
{
    ith_error err = {0};
    char *json;
    ith_status status = ith_pack(params, &json, &err);

    if (!fuzz_json(status, &json, &err))
        return false;
    fuzz_must(ith_pack_verify(params->output, 1, NULL, NULL, &err) == ITH_OK);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_engine_params params, packed;
    ith_pack_params how = ith_pack_params_default();
    char path[128], output[128], stats[128], before[65], after[65], *json;
    ith_error err = {0};

    if (size < 2)
        return 0;
    fuzz_model(data + 2, size - 2, path);
    snprintf(output, sizeof output, "%s/out.ith", fuzz_folder());
    snprintf(stats, sizeof stats, "%s/stats.safetensors", fuzz_folder());
    unlink(stats);
    params = packed = fuzz_engine_params(path);
    packed.model = output;
    packed.chunk = 5;
    params.quant = (ith_quant)(data[0] % (ITH_QUANT_AUTO + 1));
    params.kv = packed.kv = (ith_kv_type)(data[0] / 8 % 3);
    how = (ith_pack_params){.model = path,
                            .output = output,
                            .quant = params.quant,
                            .zstd_level = data[1] % 4 - 1,
                            .threads = 1,
                            .force = true};
    fuzz_json(ith_inspect(path, &json, &err), &json, &err);
    if (!pack(&how) || !run(&params, stats, before))
        return 0;
    fuzz_must(run(&packed, NULL, after) && strcmp(before, after) == 0);
    fuzz_json(ith_inspect(output, &json, &err), &json, &err);
    how.stats = stats;
    fuzz_must(pack(&how));
    return 0;
}
