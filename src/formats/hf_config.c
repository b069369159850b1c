/* hf_config.c - config.json: what all families have. */
#include "formats/hf_config.h"

#include "formats/arch.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What the steps below need. */
typedef struct reader {
    const json_t *config;
    const char *where;
    const ith_arch *arch;
    ith_hparams *hp;
} reader;

/* Does the family read the key itself? */
static bool is_taken(const reader *r, const char *key)
{
    return ith_arch_takes(r->arch->config_keys, key) || ith_arch_has_key(r->arch, false, key);
}

/* ---- The family ---- */

/* "Qwen3Model" of "Qwen3ForCausalLM": the class as saved without its output matrix. */
static bool is_without_head(const char *class, const char *wanted)
{
    const char *head = strstr(wanted, "ForCausalLM");
    size_t len = head == NULL ? 0 : (size_t)(head - wanted);

    return head != NULL && strncmp(class, wanted, len) == 0 && strcmp(class + len, "Model") == 0;
}

static ith_status find_arch(const json_t *config, const char *where, const ith_arch **arch,
                            ith_error *err)
{
    const json_t *classes = json_object_get(config, "architectures");
    const char *class = json_string_value(json_array_get(classes, 0)), *type = NULL, *wanted;

    ITH_TRY(ith_json_string(config, where, "model_type", &type, err));
    if (type == NULL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"model_type\" is missing; is this a language model's config.json?",
                        where);
    *arch = ith_arch_find_hf(type, &wanted);
    if (*arch == NULL)
        return ith_arch_unknown(where, type, err);
    if (class != NULL && strcmp(class, wanted) != 0 && !is_without_head(class, wanted))
        return ith_fail(
            err, ITH_E_UNSUPPORTED,
            "%s: \"architectures\": %s is not supported; of model_type %s Ithaca runs %s", where,
            class, type, wanted);
    return ITH_OK;
}

static void set_defaults(const ith_arch *arch, ith_hparams *hp)
{
    const ith_arch_defaults *d = &arch->defaults;

    *hp = ith_arch_hparams(arch);
    hp->ctx_train = d->ctx;
    hp->window = d->window;
    hp->rms_eps = d->rms_eps;
    hp->rope.theta = d->rope_theta;
    hp->tied_embeddings = d->tied_embeddings;
    hp->bos = d->bos;
    if (d->eos >= 0)
        hp->eos[hp->n_eos++] = d->eos;
}

/* ---- Settings that must not change the arithmetic ---- */

static ith_status check_flag(const reader *r, const char *key, ith_error *err)
{
    bool on = false;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    return on ? ith_hf_refuse(r->where, key, "true", err) : ITH_OK;
}

static ith_status check_activation(const reader *r, const char *key, ith_error *err)
{
    return ith_hf_activation(r->config, r->where, key, &r->hp->act, err);
}

/* "attention_bias" and "mlp_bias": their tensors are bound where the family may have them. */
static ith_status check_bias(const reader *r, const char *key, ith_error *err)
{
    bool mlp = strcmp(key, "mlp_bias") == 0,
         may = mlp ? r->arch->may_bias_mlp : r->arch->may_bias_qkv, on = false;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    if (on && !may)
        return ith_hf_refuse(r->where, key, "true", err);
    if (mlp)
        r->hp->mlp_bias |= on;
    else
        r->hp->qkv_bias |= on;
    r->hp->o_bias |= on && !mlp && r->arch->may_bias_o;
    return ITH_OK;
}

static ith_status check_pretraining_tp(const reader *r, const char *key, ith_error *err)
{
    int64_t ranks = 1;

    ITH_TRY(ith_json_int(r->config, r->where, key, 0, ITH_SIZE_LIMIT, &ranks, err));
    return ranks > 1 ? ith_hf_refuse(r->where, key, "a value above 1", err) : ITH_OK;
}

static ith_status check_quantization(const reader *r, const char *key, ith_error *err)
{
    const json_t *quantization = json_object_get(r->config, key);
    const char *method = json_string_value(json_object_get(quantization, "quant_method"));

    if (quantization == NULL || json_is_null(quantization))
        return ITH_OK;
    return ith_hf_refuse(r->where, key, method != NULL ? method : "a quantized checkpoint", err);
}

/* Transformers' int(share * head_dim). */
static ith_status read_rotated(const reader *r, const json_t *object, const char *key,
                               ith_error *err)
{
    double share = 0;

    ITH_TRY(ith_json_real(object, r->where, key, &share, err));
    if (share == 0 || share == 1)
        return ITH_OK;
    if (!r->arch->may_rotate_part || !(share > 0 && share < 1))
        return ith_hf_refuse(r->where, key, "a value other than 1", err);
    r->hp->rope.rotated = (int64_t)(share * (double)r->hp->head_dim);
    return ITH_OK;
}

static ith_status check_rotary(const reader *r, const char *key, ith_error *err)
{
    double share = r->arch->defaults.rotated;

    if (share > 0)
        r->hp->rope.rotated = (int64_t)(share * (double)r->hp->head_dim);
    return read_rotated(r, r->config, key, err);
}

/* ---- Windows ---- */

static ith_status read_layer_type(const reader *r, const char *key, const json_t *type, size_t i,
                                  ith_error *err)
{
    const char *name = json_string_value(type);
    bool window = name != NULL && strcmp(name, "sliding_attention") == 0;

    if (window && r->arch->windows == ITH_WINDOWS_NONE)
        return ith_hf_refuse(r->where, key, name, err);
    if (!window && (name == NULL || strcmp(name, "full_attention") != 0))
        return ith_hf_refuse(r->where, key, name != NULL ? name : "a value that is not a string",
                             err);
    if (window && r->hp->window == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"%s\" has windows, but \"sliding_window\" is not a number", r->where,
                        key);
    if (window && r->hp->n_traits == 0)
        ITH_TRY(ith_arch_set_pattern(r->hp, 1, 0, 0, r->where, err));
    if (window && i < (size_t)r->hp->n_traits)
        r->hp->traits[i] |= ITH_LAYER_WINDOW;
    return ITH_OK;
}

static ith_status check_layer_types(const reader *r, const char *key, ith_error *err)
{
    const json_t *types = json_object_get(r->config, key), *type;
    size_t i;

    if (!json_is_array(types))
        return ITH_OK;
    json_array_foreach (types, i, type)
        ITH_TRY(read_layer_type(r, key, type, i, err));
    if (r->hp->n_traits > 0 && json_array_size(types) != (size_t)r->hp->n_layers)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" lists %zu layers, expected %lld", r->where,
                        key, json_array_size(types), (long long)r->hp->n_layers);
    return ITH_OK;
}

static ith_status refuse_window(const reader *r, const char *key, ith_error *err)
{
    return json_is_true(json_object_get(r->config, key))
               ? ith_hf_refuse(r->where, key, "true", err)
               : ith_hf_refuse(r->where, "sliding_window", "a number", err);
}

static ith_status read_window(const reader *r, ith_error *err)
{
    const json_t *value = json_object_get(r->config, "sliding_window");

    if (json_is_null(value))
        r->hp->window = 0;
    return ith_json_int(r->config, r->where, "sliding_window", 0, ITH_SIZE_LIMIT, &r->hp->window,
                        err);
}

/* "sliding_window_pattern": a number of layers, of which the last is full, or their letters, such
 * as "LLLG": L has the window. */
static ith_status read_steps(const reader *r, ith_error *err)
{
    static const char key[] = "sliding_window_pattern";
    const json_t *value = json_object_get(r->config, key);
    const char *letters = json_string_value(value);
    ith_hparams *hp = r->hp;
    int64_t step = r->arch->window_step;

    if (hp->window == 0)
        return ITH_OK;
    if (letters == NULL)
        ITH_TRY(ith_json_int(r->config, r->where, key, 1, ITH_SIZE_LIMIT, &step, err));
    else if (letters[0] == '\0' || letters[strspn(letters, "LG")] != '\0')
        return ith_hf_refuse(r->where, key, letters, err);
    ITH_TRY(ith_arch_set_pattern(hp, step, 0, ITH_LAYER_WINDOW, r->where, err));
    for (int i = 0; letters != NULL && i < hp->n_traits; i++)
        hp->traits[i] = letters[(size_t)i % strlen(letters)] == 'L' ? ITH_LAYER_WINDOW : 0;
    return ITH_OK;
}

/* Without layer_types, use_sliding_window applies to layers from max_window_layers on. */
static ith_status check_windows(const reader *r, const char *key, ith_error *err)
{
    ith_window_rule rule = r->arch->windows;
    int64_t first = rule == ITH_WINDOWS_ASKED ? 28 : 0; /* as Qwen2's class has it */
    bool on = r->arch->defaults.sliding_window;

    if (json_is_array(json_object_get(r->config, "layer_types")))
        return ITH_OK;
    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    ITH_TRY(ith_json_int(r->config, r->where, "max_window_layers", 0, ITH_SIZE_LIMIT, &first, err));
    if (rule == ITH_WINDOWS_ALL)
        on = true, first = 0;
    if (rule == ITH_WINDOWS_STEPS)
        return read_steps(r, err);
    if (!on || r->hp->window == 0 || first >= r->hp->n_layers)
        return ITH_OK;
    if (rule == ITH_WINDOWS_NONE)
        return refuse_window(r, key, err);
    ITH_TRY(ith_arch_set_pattern(r->hp, 1, 0, 0, r->where, err));
    for (int i = (int)first; i < r->hp->n_traits; i++)
        r->hp->traits[i] = ITH_LAYER_WINDOW;
    return ITH_OK;
}

/* "qkv_bias" and "use_qk_norm" may only say what the family has anyway. */
static ith_status check_of_family(const reader *r, const char *key, ith_error *err)
{
    bool has = strcmp(key, "qkv_bias") == 0 ? r->arch->qkv_bias
                                            : r->arch->qk_norm != ITH_QK_NORM_NONE,
         says = has;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &says, err));
    return says == has ? ITH_OK : ith_hf_refuse(r->where, key, says ? "true" : "false", err);
}

static ith_status check_causal(const reader *r, const char *key, ith_error *err)
{
    bool causal = true;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &causal, err));
    return causal ? ITH_OK : ith_hf_refuse(r->where, key, "false", err);
}

/* Only the classes of other families read these, but checkpoints that were renamed to a family's
 * class keep them. They say nothing if they are null, false, or `neutral`. */
static ith_status check_neutral(const reader *r, ith_error *err)
{
    static const struct {
        const char *key;
        double neutral;
    } keys[] = {
        {"attention_chunk_size", 0},
        {"attention_multiplier", NAN},
        {"attn_logit_softcapping", 0},
        {"clip_qkv", 0},
        {"dim_model_base", 0},
        {"embedding_multiplier", 1},
        {"final_logit_softcapping", 0},
        {"first_k_dense_replace", 0},
        {"logit_scale", 1},
        {"logits_scaling", 1},
        {"n_shared_experts", 0},
        {"no_rope_layer_interval", 0},
        {"num_experts", 0},
        {"num_local_experts", 0},
        {"query_pre_attn_scalar", NAN},
        {"residual_multiplier", 1},
        {"routed_scaling_factor", 1},
        {"scale_depth", 0},
        {"scale_emb", 1},
        {"shared_expert_intermediate_size", 0},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(r->config, keys[i].key);
        if (is_taken(r, keys[i].key) || value == NULL || json_is_null(value) ||
            json_is_false(value) ||
            (json_is_number(value) && json_number_value(value) == keys[i].neutral))
            continue;
        return ith_hf_refuse(r->where, keys[i].key, "a value that changes the arithmetic", err);
    }
    return ITH_OK;
}

static ith_status check_settings(const reader *r, ith_error *err)
{
    static const struct {
        const char *key;
        ith_status (*check)(const reader *r, const char *key, ith_error *err);
    } settings[] = {
        {"attention_bias", check_bias},
        {"mlp_bias", check_bias},
        {"hidden_act", check_activation},
        {"pretraining_tp", check_pretraining_tp},
        {"quantization_config", check_quantization},
        {"partial_rotary_factor", check_rotary},
        {"layer_types", check_layer_types},
        {"use_sliding_window", check_windows},
        {"use_bias", check_flag},
        {"alibi", check_flag},
        {"use_parallel_residual", check_flag},
        {"add_cross_attention", check_flag},
        {"is_encoder_decoder", check_flag},
        {"use_bidirectional_attention", check_flag},
        {"is_causal", check_causal},
        {"qkv_bias", check_of_family},
        {"use_qk_norm", check_of_family},
    };

    ITH_TRY(read_window(r, err));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!is_taken(r, settings[i].key))
            ITH_TRY(settings[i].check(r, settings[i].key, err));
    return check_neutral(r, err);
}

/* The family's keys (arch->keys). */
static ith_status read_keys(const reader *r, ith_error *err)
{
    for (const ith_arch_key *k = r->arch->keys; k != NULL && (k->config || k->gguf); k++) {
        void *at = (char *)r->hp + k->at;
        if (k->config == NULL)
            continue;
        switch (k->kind) {
        case ITH_KEY_REAL:
            ITH_TRY(ith_json_real(r->config, r->where, k->config, at, err));
            break;
        case ITH_KEY_INT:
            ITH_TRY(ith_json_int(r->config, r->where, k->config, 0, ITH_SIZE_LIMIT, at, err));
            break;
        case ITH_KEY_BOOL:
            ITH_TRY(ith_json_bool(r->config, r->where, k->config, at, err));
            break;
        default:
            ITH_TRY(ith_hf_activation(r->config, r->where, k->config, at, err));
        }
    }
    return ITH_OK;
}

/* ---- RoPE ---- */

static ith_status read_rope_kind(const json_t *params, const char *where, ith_rope_kind *kind,
                                 ith_error *err)
{
    const char *name = "default";

    ITH_TRY(ith_json_string(params, where, "type", &name, err)); /* the older spelling */
    ITH_TRY(ith_json_string(params, where, "rope_type", &name, err));
    for (int i = 0; i < ITH_ROPE_KINDS; i++)
        if (strcmp(ith_rope_kind_names[i], name) == 0) {
            *kind = (ith_rope_kind)i;
            return ITH_OK;
        }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: \"rope_type\": %s is not supported; Ithaca knows default, linear, yarn, "
                    "llama3 and dynamic",
                    where, name);
}

static ith_status read_yarn(const json_t *params, const char *where, ith_rope_params *rope,
                            ith_error *err)
{
    ITH_TRY(ith_json_real(params, where, "beta_fast", &rope->beta_fast, err));
    ITH_TRY(ith_json_real(params, where, "beta_slow", &rope->beta_slow, err));
    ITH_TRY(ith_json_real(params, where, "attention_factor", &rope->attention_factor, err));
    ITH_TRY(ith_json_real(params, where, "mscale", &rope->mscale, err));
    ITH_TRY(ith_json_real(params, where, "mscale_all_dim", &rope->mscale_all_dim, err));
    return ith_json_bool(params, where, "truncate", &rope->truncate, err);
}

/* A parameter of RoPE that nobody reads may change the arithmetic, unless it is null, a flag, or
 * the 1 of a factor. */
static ith_status check_rope_keys(const reader *r, const json_t *params, ith_error *err)
{
    static const char *const known[] = {"type",
                                        "rope_type",
                                        "rope_theta",
                                        "factor",
                                        "original_max_position_embeddings",
                                        "beta_fast",
                                        "beta_slow",
                                        "attention_factor",
                                        "mscale",
                                        "mscale_all_dim",
                                        "truncate",
                                        "low_freq_factor",
                                        "high_freq_factor",
                                        "partial_rotary_factor",
                                        "alpha",
                                        NULL};
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)params, key, value)
        if (!ith_arch_takes(known, key) && !is_taken(r, key) && !json_is_null(value) &&
            !json_is_boolean(value) && !(json_is_number(value) && json_number_value(value) == 1))
            return ith_hf_refuse(r->where, key, "a parameter of RoPE that Ithaca does not know",
                                 err);
    return ITH_OK;
}

static ith_status read_scaling(const reader *r, const json_t *params, ith_error *err)
{
    const char *where = r->where;
    ith_hparams *hp = r->hp;
    ith_rope_params *rope = &hp->rope;

    if (json_object_get(params, "mrope_section") != NULL)
        return ith_hf_refuse(where, "mrope_section", "multimodal RoPE", err);
    ITH_TRY(check_rope_keys(r, params, err));
    ITH_TRY(read_rope_kind(params, where, &rope->kind, err));
    ITH_TRY(read_rotated(r, params, "partial_rotary_factor", err));
    ITH_TRY(ith_json_real(params, where, "rope_theta", &rope->theta, err));
    if (rope->kind == ITH_ROPE_PLAIN)
        return ITH_OK;
    rope->original_context = hp->ctx_train;
    ITH_TRY(ith_json_int(params, where, "original_max_position_embeddings", 1, ITH_SIZE_LIMIT,
                         &rope->original_context, err));
    if (rope->kind == ITH_ROPE_YARN) /* the default if the factor is null or missing */
        rope->factor = (double)hp->ctx_train / (double)rope->original_context;
    ITH_TRY(ith_json_real(params, where, "factor", &rope->factor, err));
    if (rope->kind == ITH_ROPE_YARN)
        ITH_TRY(read_yarn(params, where, rope, err));
    ITH_TRY(ith_json_real(params, where, "low_freq_factor", &rope->low_freq_factor, err));
    ITH_TRY(ith_json_real(params, where, "high_freq_factor", &rope->high_freq_factor, err));
    if (rope->kind == ITH_ROPE_DYNAMIC)
        ITH_TRY(ith_json_real(params, where, "alpha", &rope->alpha, err));
    ith_hparams_extend_context(hp);
    return ITH_OK;
}

/* The set of window layers: without scaling. */
static ith_status read_window_rope(const reader *r, const json_t *params, ith_error *err)
{
    ith_rope_kind kind = ITH_ROPE_PLAIN;

    ITH_TRY(check_rope_keys(r, params, err));
    ITH_TRY(read_rope_kind(params, r->where, &kind, err));
    if (kind != ITH_ROPE_PLAIN)
        return ith_hf_refuse(r->where, "sliding_attention", "RoPE scaling of window layers", err);
    r->hp->window_theta = r->hp->rope.theta;
    return ith_json_real(params, r->where, "rope_theta", &r->hp->window_theta, err);
}

/* One set, or one for each type of layer. */
static ith_status read_rope_sets(const reader *r, const json_t *params, ith_error *err)
{
    const json_t *full = json_object_get(params, "full_attention"),
                 *window = json_object_get(params, "sliding_attention");

    if (!json_is_object(full) && !json_is_object(window))
        return read_scaling(r, params, err);
    if (!r->arch->window_rope || json_object_size(params) > 2)
        return ith_hf_refuse(r->where, "rope_parameters", "a set for each layer type", err);
    if (json_is_object(full))
        ITH_TRY(read_scaling(r, full, err));
    return json_is_object(window) ? read_window_rope(r, window, err) : ITH_OK;
}

/* Transformers 4 writes rope_theta and rope_scaling; 5 writes rope_parameters with everything. */
static ith_status read_rope(const reader *r, ith_error *err)
{
    const json_t *params = json_object_get(r->config, "rope_scaling");

    if (is_taken(r, "rope_parameters"))
        return ITH_OK;
    ITH_TRY(ith_json_real(r->config, r->where, "rope_theta", &r->hp->rope.theta, err));
    if (params == NULL || json_is_null(params))
        params = json_object_get(r->config, "rope_parameters");
    if (params == NULL || json_is_null(params))
        return ITH_OK;
    if (!json_is_object(params))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"rope_scaling\" or \"rope_parameters\" should be an object",
                        r->where);
    return read_rope_sets(r, params, err);
}

/* ---- Sizes and tokens ---- */

static ith_status need(const reader *r, const char *key, int64_t *out, ith_error *err)
{
    return is_taken(r, key) ? ITH_OK : ith_hf_need_int(r->config, r->where, key, out, err);
}

static ith_status read_int(const reader *r, const char *key, int64_t *out, ith_error *err)
{
    if (is_taken(r, key))
        return ITH_OK;
    return ith_json_int(r->config, r->where, key, 1, ITH_SIZE_LIMIT, out, err);
}

/* The family's number where the file says none, if it has one. */
static ith_status need_or(const reader *r, const char *key, int64_t number, int64_t *out,
                          ith_error *err)
{
    if (number == 0)
        return need(r, key, out, err);
    *out = number;
    return read_int(r, key, out, err);
}

static ith_status read_heads(const reader *r, ith_error *err)
{
    const ith_arch_defaults *d = &r->arch->defaults;
    ith_hparams *hp = r->hp;

    ITH_TRY(need_or(r, "num_attention_heads", d->n_heads, &hp->n_heads, err));
    if (hp->n_heads == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"num_attention_heads\" is 0", r->where);
    hp->n_kv_heads = d->n_kv_heads > 0 ? d->n_kv_heads : hp->n_heads;
    if (json_is_null(json_object_get(r->config, "num_key_value_heads")))
        hp->n_kv_heads = hp->n_heads;
    ITH_TRY(read_int(r, "num_key_value_heads", &hp->n_kv_heads, err));
    hp->head_dim = d->head_dim > 0 ? d->head_dim : hp->hidden / hp->n_heads;
    return read_int(r, "head_dim", &hp->head_dim, err);
}

static ith_status read_sizes(const reader *r, ith_error *err)
{
    ith_hparams *hp = r->hp;

    ITH_TRY(need(r, "num_hidden_layers", &hp->n_layers, err));
    ITH_TRY(need(r, "hidden_size", &hp->hidden, err));
    ITH_TRY(need(r, "intermediate_size", &hp->ffn, err));
    ITH_TRY(need_or(r, "vocab_size", r->arch->defaults.n_vocab, &hp->n_vocab, err));
    ITH_TRY(read_heads(r, err));
    ITH_TRY(read_int(r, "max_position_embeddings", &hp->ctx_train, err));
    ITH_TRY(ith_json_real(r->config, r->where, "rms_norm_eps", &hp->rms_eps, err));
    return ith_json_bool(r->config, r->where, "tie_word_embeddings", &hp->tied_embeddings, err);
}

ith_status ith_hf_special_tokens(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err)
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
        return ith_hparams_add_eos(hp, json_integer_value(eos), where, err);
    if (!json_is_array(eos))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"eos_token_id\" should be a whole number or a list of them", where);
    json_array_foreach (eos, i, item) {
        if (!json_is_integer(item))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"eos_token_id\" should hold whole numbers",
                            where);
        ITH_TRY(ith_hparams_add_eos(hp, json_integer_value(item), where, err));
    }
    return ITH_OK;
}

ith_status ith_hf_config_read(const ith_arch *arch, const json_t *config, const char *where,
                              ith_hparams *hp, ith_error *err)
{
    const reader r = {config, where, arch, hp};

    set_defaults(arch, hp);
    ITH_TRY(read_sizes(&r, err));
    ITH_TRY(read_keys(&r, err));
    ITH_TRY(check_settings(&r, err));
    ITH_TRY(read_rope(&r, err));
    ITH_TRY(ith_hf_special_tokens(config, where, hp, err));
    if (arch->read_config != NULL)
        ITH_TRY(arch->read_config(config, where, hp, err));
    ith_arch_settle(arch, hp);
    return ith_hparams_check(hp, where, err);
}

/* The "text_config" of a model of images and text, with what the whole says of both; NULL: it is
 * none. *arch: that of the text. The caller's. */
static json_t *text_of(const json_t *config, const ith_arch **arch)
{
    static const char *const of_both[] = {"tie_word_embeddings", "quantization_config",
                                          "bos_token_id", "eos_token_id"};
    const json_t *part = json_object_get(config, "text_config");
    const char *whole = json_string_value(json_object_get(config, "model_type")), *class,
               *type = json_string_value(json_object_get(part, "model_type"));
    const ith_hf_class *wrapper;
    json_t *text;

    *arch = whole != NULL && type != NULL ? ith_arch_find_hf(type, &class) : NULL;
    wrapper = *arch != NULL ? (*arch)->hf_wrappers : NULL;
    while (wrapper != NULL && wrapper->model_type != NULL &&
           strcmp(wrapper->model_type, whole) != 0)
        wrapper++;
    if (wrapper == NULL || wrapper->model_type == NULL)
        return NULL;
    text = json_copy((json_t *)(uintptr_t)part);
    for (size_t i = 0; i < sizeof of_both / sizeof *of_both; i++) {
        const json_t *own = json_object_get(text, of_both[i]);
        if (own == NULL || json_is_null(own))
            json_object_set(text, of_both[i], json_object_get(config, of_both[i]));
    }
    return text;
}

ith_status ith_hf_config_parse(const json_t *config, const char *where, ith_hparams *hp,
                               ith_error *err)
{
    const ith_arch *arch = NULL;
    ith_status status;
    json_t *text;

    if (!json_is_object(config))
        return ith_fail(err, ITH_E_FORMAT, "%s: not a JSON object", where);
    text = text_of(config, &arch);
    if (text != NULL) {
        status = ith_hf_config_read(arch, text, where, hp, err);
        json_decref(text);
        return status;
    }
    ITH_TRY(find_arch(config, where, &arch, err));
    return ith_hf_config_read(arch, config, where, hp, err);
}
