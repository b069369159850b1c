/* keep_answer.c - a keeper's checkpoint: the description of the run, and the answer's tokens as
 * they are chosen. */
#include "keep/keep_answer.h"
#include "grammar/grammar.h"

/* ---- Which run it is ---- */

static json_t *describe_prompt(const ith_keep_params *params)
{
    char hex[65];

    ith_sha256_hex(params->ids, params->n_ids * sizeof *params->ids, hex);
    return json_pack("{s:I, s:s}", "tokens", (json_int_t)params->n_ids, "sha256", hex);
}

static json_t *describe_generation(const ith_generate_params *g)
{
    json_t *stop = json_array(), *answer;

    for (size_t i = 0; i < g->n_stop; i++)
        json_array_append_new(stop, ith_json_c_string(g->stop[i]));
    answer = json_pack("{s:I, s:b, s:o, s:o, s:i, s:o, s:o, s:o, s:i, s:I}", "max_tokens",
                       (json_int_t)g->max_tokens, "ignore_eos", g->ignore_eos, "stop", stop,
                       "temperature", ith_json_number((double)g->sampling.temperature), "top_k",
                       g->sampling.top_k, "top_p", ith_json_number((double)g->sampling.top_p),
                       "min_p", ith_json_number((double)g->sampling.min_p), "repeat_penalty",
                       ith_json_number((double)g->sampling.repeat_penalty), "repeat_window",
                       g->sampling.repeat_window, "seed", (json_int_t)g->sampling.seed);
    if (g->grammar != NULL)
        json_object_set_new(answer, "grammar", json_string(ith_grammar_key(g->grammar)));
    return answer;
}

/* What must be the same for a run to be resumed. The key comes last, so that of two models their
 * names are told if these differ. */
static json_t *describe_run(const ith_keep *keep, const ith_keep_params *params)
{
    char key[ITH_KEY_HEX];
    json_t *run = json_object();

    ith_key_hex(&keep->model, key);
    json_object_set_new(run, "model",
                        json_pack("{s:s, s:s, s:s}", "architecture",
                                  keep->session->engine->info.architecture, "kv",
                                  ith_kv_layout_name(keep->shape.layout), "key", key));
    json_object_set_new(run, "prompt", describe_prompt(params));
    if (params->generate != NULL)
        json_object_set_new(run, "answer", describe_generation(params->generate));
    return run;
}

/* How many tokens of the saved answer this run can have given. A choice draws one number at most
 * (text/sampler.h), and a run that goes on draws as many again. */
static int64_t usable_answer(const ith_keep *keep, const ith_keep_params *params)
{
    int64_t n, most = params->generate == NULL ? 0 : params->generate->max_tokens, drawn = 0;
    const int32_t *ids = ith_checkpoint_answer(keep->checkpoint, &n);

    for (int64_t i = 0; i < n && i < most; i++) {
        int64_t draws = ith_checkpoint_draws(keep->checkpoint, i);
        if (ids[i] < 0 || ids[i] >= keep->session->engine->info.n_vocab || draws < drawn ||
            draws > i + 1)
            return i;
        drawn = draws;
    }
    return n < most ? n : most;
}

ith_status ith_keep_open_checkpoint(ith_keep *keep, const ith_keep_params *params, ith_error *err)
{
    json_t *run = describe_run(keep, params);
    ith_status status = ith_checkpoint_open(params->checkpoint, run, &keep->checkpoint, err);

    json_decref(run);
    if (status == ITH_OK) {
        int64_t n = usable_answer(keep, params);
        keep->n_found = n;
        keep->n_answer = n > 0 ? n - 1 : 0;
    }
    return status;
}

bool ith_checkpoint_seed(const char *folder, uint64_t *seed)
{
    json_t *run = ith_checkpoint_peek(folder);
    const json_t *value = json_object_get(json_object_get(run, "answer"), "seed");
    bool there = json_is_integer(value);

    if (there)
        *seed = (uint64_t)json_integer_value(value);
    json_decref(run);
    return there;
}

/* ---- The answer ---- */

const int32_t *ith_keep_answer(ith_keeper *keeper, int64_t *n, int64_t *draws)
{
    ith_keep *keep = ith_keep_of(keeper);
    const int32_t *ids;

    *n = *draws = 0;
    if (keep->checkpoint == NULL || keep->answer_begun)
        return NULL;
    ids = ith_checkpoint_answer(keep->checkpoint, n);
    keep->answer_begun = true;
    *n = keep->n_answer;
    *draws = *n > 0 ? ith_checkpoint_draws(keep->checkpoint, *n - 1) : 0;
    return ids;
}

void ith_keep_token(ith_keeper *keeper, int64_t i, int32_t id, int64_t draws)
{
    ith_keep *keep = ith_keep_of(keeper);
    ith_error err;

    if (keep->checkpoint == NULL || keep->answer_lost || i < keep->n_answer)
        return;
    if (ith_checkpoint_put(keep->checkpoint, i, id, draws, &err) == ITH_OK) {
        keep->added += i >= keep->n_found;
        return;
    }
    keep->answer_lost = true;
    ith_keep_warn(keep, err.text, "the rest of the answer is not saved");
}

ith_status ith_keep_sync_answer(const ith_keep *keep, ith_error *err)
{
    if (keep->checkpoint == NULL)
        return ITH_OK;
    if (keep->answer_lost)
        return ith_fail(err, ITH_E_IO, "the answer could not be written to the checkpoint");
    return ith_checkpoint_sync(keep->checkpoint, err);
}
