#include "formats/hf_config.h"

#include "formats/architectures.h"
#include "formats/hparams.h"

#include <stdio.h>
#include <string.h>

static const int64_t SIZE_LIMIT = INT64_C(1) << 40; /* wider than any field; ith_hparams_check has the real bounds */

static ith_status refuse(const char *where, const char *key, const char *value, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"%s\": %s is not supported", where, key, value);
}

static ith_status required_int(const json_t *config, const char *where, const char *key, int64_t *out, ith_error *err)
{
    *out = -1;
    ITH_TRY(ith_json_int(config, where, key, 0, SIZE_LIMIT, out, err));
    return *out >= 0 ? ITH_OK : ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" is missing", where, key);
}

/* ---- Architecture ---- */

static ith_status find_architecture(const json_t *config, const char *where, const ith_architecture **arch,
                                    ith_error *err)
{
    const char *type = NULL, *class = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));

    ITH_TRY(ith_json_string(config, where, "model_type", &type, err));
    if (type == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"model_type\" is missing; is this a language model's config.json?",
                        where);
    *arch = ith_architecture_by_model_type(type);
    if (*arch == NULL)
        return ith_architecture_unknown(where, type, err);
    if (class != NULL && strcmp(class, (*arch)->hf_class) != 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: \"architectures\": %s is not supported; of model_type %s Ithaca runs %s", where, class,
                        type, (*arch)->hf_class);
    return ITH_OK;
}

/* ---- What Ithaca does not do ---- */

static ith_status check_flags(const json_t *config, const char *where, ith_error *err)
{
    static const char *const flags[] = {"attention_bias", "mlp_bias"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        bool on = false;
        ITH_TRY(ith_json_bool(config, where, flags[i], &on, err));
        if (on)
            return refuse(where, flags[i], "true", err);
    }
    return ITH_OK;
}

static ith_status check_partial_rotary(const json_t *object, const char *where, ith_error *err)
{
    double part = 1;

    ITH_TRY(ith_json_real(object, where, "partial_rotary_factor", &part, err));
    return part == 1 ? ITH_OK : refuse(where, "partial_rotary_factor", "a value other than 1", err);
}

/* layer_types says it for each layer; without it, layers from max_window_layers on have a window if use_sliding_window is set. */
static ith_status check_windows(const json_t *config, const char *where, const ith_hparams *hp, ith_error *err)
{
    const json_t *types = json_object_get(config, "layer_types"), *type;
    int64_t window = 0, max_window_layers = 0;
    bool on = false;
    size_t i;

    if (json_is_array(types)) {
        json_array_foreach(types, i, type)
        {
            if (!json_is_string(type) || strcmp(json_string_value(type), "full_attention") != 0)
                return refuse(where, "layer_types", json_is_string(type) ? json_string_value(type) : "such a value",
                              err);
        }
        return ITH_OK;
    }
    ITH_TRY(ith_json_bool(config, where, "use_sliding_window", &on, err));
    ITH_TRY(ith_json_int(config, where, "sliding_window", 0, SIZE_LIMIT, &window, err));
    ITH_TRY(ith_json_int(config, where, "max_window_layers", 0, SIZE_LIMIT, &max_window_layers, err));
    return on && window > 0 && max_window_layers < hp->n_layers ? refuse(where, "use_sliding_window", "true", err)
                                                                : ITH_OK;
}

static ith_status check_supported(const json_t *config, const char *where, const ith_hparams *hp, ith_error *err)
{
    const json_t *quantization = json_object_get(config, "quantization_config");
    const char *act = "silu";
    int64_t pretraining_tp = 1;

    ITH_TRY(check_flags(config, where, err));
    ITH_TRY(ith_json_string(config, where, "hidden_act", &act, err));
    if (strcmp(act, "silu") != 0 && strcmp(act, "swish") != 0) /* two names of one function */
        return refuse(where, "hidden_act", act, err);
    ITH_TRY(ith_json_int(config, where, "pretraining_tp", 0, SIZE_LIMIT, &pretraining_tp, err));
    if (pretraining_tp > 1)
        return refuse(where, "pretraining_tp", "a value above 1", err);
    if (quantization != NULL && !json_is_null(quantization)) {
        const char *method = json_string_value(json_object_get(quantization, "quant_method"));
        return refuse(where, "quantization_config", method != NULL ? method : "a quantized checkpoint", err);
    }
    ITH_TRY(check_partial_rotary(config, where, err));
    return check_windows(config, where, hp, err);
}

/* ---- RoPE ---- */

static const struct {
    const char *name;
    ith_rope_kind kind;
} rope_kinds[] = {
    {"default", ITH_ROPE_PLAIN}, {"linear", ITH_ROPE_LINEAR}, {"yarn", ITH_ROPE_YARN}, {"llama3", ITH_ROPE_LLAMA3}};

static ith_status read_rope_kind(const json_t *params, const char *where, ith_rope_kind *kind, ith_error *err)
{
    const char *name = "default";

    ITH_TRY(ith_json_string(params, where, "type", &name, err)); /* the older spelling */
    ITH_TRY(ith_json_string(params, where, "rope_type", &name, err));
    for (size_t i = 0; i < sizeof rope_kinds / sizeof *rope_kinds; i++)
        if (strcmp(rope_kinds[i].name, name) == 0) {
            *kind = rope_kinds[i].kind;
            return ITH_OK;
        }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: \"rope_type\": %s is not supported; Ithaca knows default, linear, yarn and llama3", where,
                    name);
}

static ith_status read_yarn(const json_t *params, const char *where, ith_rope_params *rope, ith_error *err)
{
    ITH_TRY(ith_json_real(params, where, "beta_fast", &rope->beta_fast, err));
    ITH_TRY(ith_json_real(params, where, "beta_slow", &rope->beta_slow, err));
    ITH_TRY(ith_json_real(params, where, "attention_factor", &rope->attention_factor, err));
    ITH_TRY(ith_json_real(params, where, "mscale", &rope->mscale, err));
    ITH_TRY(ith_json_real(params, where, "mscale_all_dim", &rope->mscale_all_dim, err));
    return ith_json_bool(params, where, "truncate", &rope->truncate, err);
}

static ith_status read_scaling(const json_t *params, const char *where, ith_hparams *hp, ith_error *err)
{
    ith_rope_params *rope = &hp->rope;

    if (json_is_object(json_object_get(params, "full_attention")) ||
        json_is_object(json_object_get(params, "sliding_attention")))
        return refuse(where, "rope_parameters", "a set for each layer type", err);
    if (json_object_get(params, "mrope_section") != NULL)
        return refuse(where, "mrope_section", "multimodal RoPE", err);
    ITH_TRY(read_rope_kind(params, where, &rope->kind, err));
    ITH_TRY(check_partial_rotary(params, where, err));
    ITH_TRY(ith_json_real(params, where, "rope_theta", &rope->theta, err));
    if (rope->kind == ITH_ROPE_PLAIN)
        return ITH_OK;
    rope->original_context = hp->ctx_train;
    ITH_TRY(
        ith_json_int(params, where, "original_max_position_embeddings", 1, SIZE_LIMIT, &rope->original_context, err));
    if (rope->kind == ITH_ROPE_YARN) /* the default of a factor that is null or missing */
        rope->factor = (double)hp->ctx_train / (double)rope->original_context;
    ITH_TRY(ith_json_real(params, where, "factor", &rope->factor, err));
    if (rope->kind == ITH_ROPE_YARN)
        ITH_TRY(read_yarn(params, where, rope, err));
    ITH_TRY(ith_json_real(params, where, "low_freq_factor", &rope->low_freq_factor, err));
    ITH_TRY(ith_json_real(params, where, "high_freq_factor", &rope->high_freq_factor, err));
    ith_hparams_extend_context(hp);
    return ITH_OK;
}

static ith_status read_rope(const json_t *config, const char *where, ith_hparams *hp, ith_error *err)
{
    const json_t *params = json_object_get(config, "rope_scaling");

    ITH_TRY(ith_json_real(config, where, "rope_theta", &hp->rope.theta, err));
    if (params == NULL || json_is_null(params)) /* Transformers 5 */
        params = json_object_get(config, "rope_parameters");
    if (params == NULL || json_is_null(params))
        return ITH_OK;
    if (!json_is_object(params))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"rope_scaling\" or \"rope_parameters\" should be an object", where);
    return read_scaling(params, where, hp, err);
}

/* ---- Sizes and tokens ---- */

static ith_status read_sizes(const json_t *config, const char *where, const ith_architecture *arch, ith_hparams *hp,
                             ith_error *err)
{
    ITH_TRY(required_int(config, where, "num_hidden_layers", &hp->n_layers, err));
    ITH_TRY(required_int(config, where, "hidden_size", &hp->hidden, err));
    ITH_TRY(required_int(config, where, "intermediate_size", &hp->ffn, err));
    ITH_TRY(required_int(config, where, "num_attention_heads", &hp->n_heads, err));
    ITH_TRY(required_int(config, where, "vocab_size", &hp->n_vocab, err));
    if (hp->n_heads == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"num_attention_heads\" is 0", where);
    hp->n_kv_heads = arch->n_kv_heads > 0 ? arch->n_kv_heads : hp->n_heads;
    if (json_is_null(json_object_get(config, "num_key_value_heads")))
        hp->n_kv_heads = hp->n_heads;
    ITH_TRY(ith_json_int(config, where, "num_key_value_heads", 1, SIZE_LIMIT, &hp->n_kv_heads, err));
    hp->head_dim = arch->head_dim > 0 ? arch->head_dim : hp->hidden / hp->n_heads;
    ITH_TRY(ith_json_int(config, where, "head_dim", 1, SIZE_LIMIT, &hp->head_dim, err));
    hp->ctx_train = arch->ctx;
    return ith_json_int(config, where, "max_position_embeddings", 1, SIZE_LIMIT, &hp->ctx_train, err);
}

static ith_status read_dense_layers(const json_t *config, const char *where, ith_experts_params *e, ith_error *err)
{
    const json_t *layers = json_object_get(config, "mlp_only_layers"), *layer;
    size_t i;

    if (layers == NULL || json_is_null(layers))
        return ITH_OK;
    if (!json_is_array(layers))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"mlp_only_layers\" should be a list", where);
    json_array_foreach(layers, i, layer)
    {
        int64_t number = json_integer_value(layer);
        if (!json_is_integer(layer) || number < 0 || number > INT32_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"mlp_only_layers\" should hold layers' numbers", where);
        if (e->n_dense == ITH_MAX_DENSE)
            return refuse(where, "mlp_only_layers", "a list of more than 32 layers", err);
        e->dense[e->n_dense++] = (int32_t)number;
    }
    return ITH_OK;
}

/* Transformers 5 writes num_local_experts for num_experts. */
static ith_status read_experts(const json_t *config, const char *where, ith_hparams *hp, ith_error *err)
{
    ith_experts_params *e = &hp->experts;

    *e = (ith_experts_params){.n = 128, .used = 8, .ffn = 768, .step = 1};
    ITH_TRY(ith_json_int(config, where, "num_local_experts", 1, SIZE_LIMIT, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts", 1, SIZE_LIMIT, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts_per_tok", 1, SIZE_LIMIT, &e->used, err));
    ITH_TRY(ith_json_int(config, where, "moe_intermediate_size", 1, SIZE_LIMIT, &e->ffn, err));
    ITH_TRY(ith_json_int(config, where, "decoder_sparse_step", 1, SIZE_LIMIT, &e->step, err));
    ITH_TRY(ith_json_bool(config, where, "norm_topk_prob", &e->normalized, err));
    return read_dense_layers(config, where, e, err);
}

ith_status ith_hf_special_tokens(const json_t *config, const char *where, ith_hparams *hp, ith_error *err)
{
    const json_t *eos = json_object_get(config, "eos_token_id"), *item;
    int64_t bos = hp->bos;
    size_t i;

    ITH_TRY(ith_json_int(config, where, "bos_token_id", -1, INT32_MAX, &bos, err));
    hp->bos = (int32_t)bos;
    if (eos == NULL || json_is_null(eos))
        return ITH_OK;
    hp->n_eos = 0;
    if (json_is_integer(eos))
        ith_hparams_add_eos(hp, json_integer_value(eos));
    else if (!json_is_array(eos))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"eos_token_id\" should be a whole number or a list of them", where);
    json_array_foreach(eos, i, item)
    {
        if (!json_is_integer(item))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"eos_token_id\" should hold whole numbers", where);
        ith_hparams_add_eos(hp, json_integer_value(item));
    }
    return ITH_OK;
}

ith_status ith_hf_config_parse(const json_t *config, const char *where, ith_hparams *hp, ith_error *err)
{
    const ith_architecture *arch = NULL;

    if (!json_is_object(config))
        return ith_fail(err, ITH_E_FORMAT, "%s: not a JSON object", where);
    ITH_TRY(find_architecture(config, where, &arch, err));
    *hp = ith_hparams_default();
    hp->bos = arch->bos;
    snprintf(hp->architecture, sizeof hp->architecture, "%s", arch->name);
    ith_hparams_add_eos(hp, arch->eos);
    ITH_TRY(read_sizes(config, where, arch, hp, err));
    if (arch->experts)
        ITH_TRY(read_experts(config, where, hp, err));
    ITH_TRY(ith_json_real(config, where, "rms_norm_eps", &hp->rms_eps, err));
    ITH_TRY(ith_json_bool(config, where, "tie_word_embeddings", &hp->tied_embeddings, err));
    ITH_TRY(check_supported(config, where, hp, err));
    ITH_TRY(read_rope(config, where, hp, err));
    ITH_TRY(ith_hf_special_tokens(config, where, hp, err));
    return ith_hparams_check(hp, where, err);
}

/* ---- generation_config.json ---- */

ith_status ith_hf_generation_parse(const json_t *generation, const char *where, ith_hparams *hp, ith_error *err)
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
