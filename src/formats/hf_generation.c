/* hf_generation.c - generation_config.json: how a model's answers are sampled. */
#include "formats/hf_config.h"

#include <stdio.h>
#include <string.h>

ith_status ith_hf_generation_parse(const json_t *generation, const char *where, ith_hparams *hp,
                                   ith_error *err)
{
    int64_t top_k = 50; /* the defaults of GenerationConfig */
    double temperature = 1;

    if (!json_is_object(generation))
        return ith_fail(err, ITH_E_FORMAT, "%s: not a JSON object", where);
    ITH_TRY(ith_hf_special_tokens(generation, where, hp, err));
    ITH_TRY(ith_json_bool(generation, where, "do_sample", &hp->has_sampling, err));
    ITH_TRY(ith_json_real(generation, where, "temperature", &temperature, err));
    ITH_TRY(ith_json_int(generation, where, "top_k", 0, INT32_MAX, &top_k, err));
    ITH_TRY(ith_json_real(generation, where, "top_p", &hp->top_p, err));
    ITH_TRY(ith_json_real(generation, where, "min_p", &hp->min_p, err));
    ITH_TRY(ith_json_real(generation, where, "repetition_penalty", &hp->repetition_penalty, err));
    hp->temperature = hp->has_sampling ? temperature : 0;
    hp->top_k = hp->has_sampling ? (int)top_k : 0;
    return ith_hparams_check_sampling(hp, where, err);
}

/* ---- What is not done ---- */

/* Settings that change answers, and the number that means no change. Null, false and empty lists
 * mean none either. */
static const struct {
    const char *key;
    double none;
} not_done[] = {
    {"bad_words_ids", 0},
    {"begin_suppress_tokens", 0},
    {"diversity_penalty", 0},
    {"encoder_no_repeat_ngram_size", 0},
    {"encoder_repetition_penalty", 1},
    {"epsilon_cutoff", 0},
    {"eta_cutoff", 0},
    {"exponential_decay_length_penalty", 0},
    {"force_words_ids", 0},
    {"forced_bos_token_id", -1},
    {"forced_decoder_ids", 0},
    {"forced_eos_token_id", -1},
    {"guidance_scale", 1},
    {"min_length", 0},
    {"min_new_tokens", 0},
    {"no_repeat_ngram_size", 0},
    {"num_beams", 1},
    {"penalty_alpha", 0},
    {"remove_invalid_values", 0},
    {"sequence_bias", 0},
    {"stop_strings", 0},
    {"suppress_tokens", 0},
    {"token_healing", 0},
    {"top_h", 0},
    {"typical_p", 1},
    {"watermarking_config", 0},
};

static bool means_none(const json_t *value, double none)
{
    if (value == NULL || json_is_null(value) || json_is_false(value))
        return true;
    if (json_is_number(value))
        return json_number_value(value) == none;
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

void ith_hf_generation_not_done(const json_t *generation, char *list, size_t size)
{
    size_t len = 0;

    list[0] = '\0';
    for (size_t i = 0; i < sizeof not_done / sizeof *not_done; i++) {
        if (means_none(json_object_get(generation, not_done[i].key), not_done[i].none))
            continue;
        snprintf(list + len, size - len, "%s%s", len > 0 ? ", " : "", not_done[i].key);
        len = strlen(list);
    }
}
