/* hf_config.c - config.json: what all families have. */
#include "formats/hf_config_impl.h"

#include "formats/hf_quantization.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- The family ---- */

/* "Qwen3Model" of "Qwen3ForCausalLM": the class as saved without its output matrix. */
static bool is_without_head(const char *class, const char *wanted)
{
    const char *head = strstr(wanted, "ForCausalLM");
    size_t len = head == NULL ? 0 : (size_t)(head - wanted);

    return head != NULL && strncmp(class, wanted, len) == 0 && strcmp(class + len, "Model") == 0;
}

/* A class of the family, or one that its files name otherwise, with this model_type. */
static bool is_class(const ith_arch *arch, const char *type, const char *class)
{
    for (const ith_hf_class *c = arch->hf_classes; c->model_type != NULL; c++)
        if (strcmp(c->model_type, type) == 0 &&
            (strcmp(c->name, class) == 0 || is_without_head(class, c->name)))
            return true;
    return false;
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
    if (class != NULL && !is_class(*arch, type, class))
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

static ith_status check_flag(const ith_hf_reader *r, const char *key, ith_error *err)
{
    bool on = false;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    return on ? ith_hf_refuse(r->where, key, "true", err) : ITH_OK;
}

static ith_status check_activation(const ith_hf_reader *r, const char *key, ith_error *err)
{
    return ith_hf_activation(r->config, r->where, key, &r->hp->act, err);
}

/* "attention_bias" and "mlp_bias": their tensors are bound where the family may have them. A family
 * with biases has them unless the file says otherwise. */
static ith_status check_bias(const ith_hf_reader *r, const char *key, ith_error *err)
{
    bool mlp = strcmp(key, "mlp_bias") == 0,
         may = mlp ? r->arch->may_bias_mlp : r->arch->may_bias_qkv,
         of_family = !mlp && may && r->arch->qkv_bias, on = of_family;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    if (on && !may)
        return ith_hf_refuse(r->where, key, "true", err);
    if (mlp)
        r->hp->mlp_bias |= on;
    else
        r->hp->qkv_bias = on || (r->hp->qkv_bias && !of_family);
    r->hp->o_bias |= on && !mlp && r->arch->may_bias_o;
    return ITH_OK;
}

static ith_status check_pretraining_tp(const ith_hf_reader *r, const char *key, ith_error *err)
{
    int64_t ranks = 1;

    ITH_TRY(ith_json_int(r->config, r->where, key, 0, ITH_SIZE_LIMIT, &ranks, err));
    return ranks > 1 ? ith_hf_refuse(r->where, key, "a value above 1", err) : ITH_OK;
}

static ith_status check_quantization(const ith_hf_reader *r, const char *key, ith_error *err)
{
    ith_hf_quantization quantization; /* of the tensors; hf_folder.c reads it again with them */

    (void)key;
    return ith_hf_quantization_parse(r->config, r->where, &quantization, err);
}

/* "qkv_bias" and "use_qk_norm" may only say what the family has anyway. */
static ith_status check_of_family(const ith_hf_reader *r, const char *key, ith_error *err)
{
    bool has = strcmp(key, "qkv_bias") == 0 ? r->arch->qkv_bias
                                            : r->arch->qk_norm != ITH_QK_NORM_NONE,
         says = has;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &says, err));
    return says == has ? ITH_OK : ith_hf_refuse(r->where, key, says ? "true" : "false", err);
}

static ith_status check_causal(const ith_hf_reader *r, const char *key, ith_error *err)
{
    bool causal = true;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &causal, err));
    return causal ? ITH_OK : ith_hf_refuse(r->where, key, "false", err);
}

/* Only the classes of other families read these, but checkpoints that were renamed to a family's
 * class keep them. They say nothing if they are null, false, or `neutral`. */
static ith_status check_neutral(const ith_hf_reader *r, ith_error *err)
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
        if (ith_hf_is_taken(r, keys[i].key) || value == NULL || json_is_null(value) ||
            json_is_false(value) ||
            (json_is_number(value) && json_number_value(value) == keys[i].neutral))
            continue;
        return ith_hf_refuse(r->where, keys[i].key, "a value that changes the arithmetic", err);
    }
    return ITH_OK;
}

static ith_status check_settings(const ith_hf_reader *r, ith_error *err)
{
    static const struct {
        const char *key;
        ith_status (*check)(const ith_hf_reader *r, const char *key, ith_error *err);
    } settings[] = {
        {"attention_bias", check_bias},
        {"mlp_bias", check_bias},
        {"hidden_act", check_activation},
        {"pretraining_tp", check_pretraining_tp},
        {"quantization_config", check_quantization},
        {"partial_rotary_factor", ith_hf_check_rotary},
        {"layer_types", ith_hf_check_layer_types},
        {"use_sliding_window", ith_hf_check_windows},
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

    ITH_TRY(ith_hf_read_window(r, err));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!ith_hf_is_taken(r, settings[i].key))
            ITH_TRY(settings[i].check(r, settings[i].key, err));
    return check_neutral(r, err);
}

/* Is 0 how *hp says that there is none? Files say that by null, or leave the key out: to the
 * classes 0 is a number like others, which they divide by, or multiply with. */
static bool is_none_at_0(const ith_arch_key *k)
{
    static const size_t members[] = {offsetof(ith_hparams, attn_scale),
                                     offsetof(ith_hparams, attn_softcap),
                                     offsetof(ith_hparams, logit_softcap),
                                     offsetof(ith_hparams, window_theta),
                                     offsetof(ith_hparams, swiglu_limit),
                                     offsetof(ith_hparams, qkv_limit),
                                     offsetof(ith_hparams, full.head_dim),
                                     offsetof(ith_hparams, full.kv_heads),
                                     offsetof(ith_hparams, experts.router.groups),
                                     offsetof(ith_hparams, experts.router.top_groups)};
    size_t i = 0;

    while (i < sizeof members / sizeof *members && members[i] != k->at)
        i++;
    return i < sizeof members / sizeof *members;
}

/* The family's keys (arch->keys). */
static ith_status read_keys(const ith_hf_reader *r, ith_error *err)
{
    for (const ith_arch_key *k = r->arch->keys; k != NULL && (k->config || k->gguf); k++) {
        void *at = (char *)r->hp + k->at;
        const json_t *value = k->config != NULL ? json_object_get(r->config, k->config) : NULL;
        if (k->config == NULL)
            continue;
        if (json_is_number(value) && json_number_value(value) == 0 && is_none_at_0(k))
            return ith_hf_refuse(r->where, k->config, "0", err);
        switch (k->kind) {
        case ITH_KEY_REAL:
            ITH_TRY(ith_json_real(r->config, r->where, k->config, at, err));
            break;
        case ITH_KEY_INT:
            ITH_TRY(ith_json_int(r->config, r->where, k->config, 0, ITH_SIZE_LIMIT, at, err));
            break;
        case ITH_KEY_BOOL: /* null is false to Python */
            if (json_is_null(json_object_get(r->config, k->config)))
                *(bool *)at = false;
            ITH_TRY(ith_json_bool(r->config, r->where, k->config, at, err));
            break;
        default:
            ITH_TRY(ith_hf_activation(r->config, r->where, k->config, at, err));
        }
    }
    return ITH_OK;
}

/* ---- Sizes and tokens ---- */

static ith_status need(const ith_hf_reader *r, const char *key, int64_t *out, ith_error *err)
{
    return ith_hf_is_taken(r, key) ? ITH_OK : ith_hf_need_int(r->config, r->where, key, out, err);
}

static ith_status read_int(const ith_hf_reader *r, const char *key, int64_t *out, ith_error *err)
{
    if (ith_hf_is_taken(r, key))
        return ITH_OK;
    return ith_json_int(r->config, r->where, key, 1, ITH_SIZE_LIMIT, out, err);
}

/* The family's number where the file says none, if it has one. */
static ith_status need_or(const ith_hf_reader *r, const char *key, int64_t number, int64_t *out,
                          ith_error *err)
{
    if (number == 0)
        return need(r, key, out, err);
    *out = number;
    return read_int(r, key, out, err);
}

static ith_status read_heads(const ith_hf_reader *r, ith_error *err)
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

static ith_status read_sizes(const ith_hf_reader *r, ith_error *err)
{
    ith_hparams *hp = r->hp;

    ITH_TRY(need(r, "num_hidden_layers", &hp->n_layers, err));
    ITH_TRY(ith_json_int(r->config, r->where, "num_nextn_predict_layers", 0, ITH_MAX_LISTED_LAYERS,
                         &hp->draft_layers, err));
    ITH_TRY(need(r, "hidden_size", &hp->hidden, err));
    ITH_TRY(need_or(r, "intermediate_size", r->arch->defaults.ffn, &hp->ffn, err));
    ITH_TRY(need_or(r, "vocab_size", r->arch->defaults.n_vocab, &hp->n_vocab, err));
    ITH_TRY(read_heads(r, err));
    ITH_TRY(read_int(r, "max_position_embeddings", &hp->ctx_train, err));
    if (r->arch->norm == ITH_NORM_RMS && !ith_hf_is_taken(r, "rms_norm_eps"))
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

/* In recurrent layers of most families the activation of MLPs is that of convolutions and gates,
 * too: silu alone. */
static ith_status check_recurrent(const ith_hf_reader *r, ith_error *err)
{
    const ith_hparams *hp = r->hp;

    if (r->arch->recurrent_act || hp->act == ITH_ACT_SILU ||
        (hp->delta.key_heads == 0 && hp->mamba.heads == 0))
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: recurrent layers with %s in place of silu are not supported", r->where,
                    ith_activation_names[hp->act]);
}

static ith_status read_parts(const ith_arch *arch, const json_t *config, const char *where,
                             ith_hparams *hp, ith_error *err)
{
    const ith_hf_reader r = {config, where, arch, hp};

    set_defaults(arch, hp);
    ITH_TRY(read_sizes(&r, err));
    ITH_TRY(read_keys(&r, err));
    ITH_TRY(check_settings(&r, err));
    ITH_TRY(ith_hf_read_rope(&r, err));
    ITH_TRY(ith_hf_special_tokens(config, where, hp, err));
    if (arch->read_config != NULL)
        ITH_TRY(arch->read_config(config, where, hp, err));
    ITH_TRY(check_recurrent(&r, err));
    ITH_TRY(ith_arch_settle(arch, where, hp, err));
    return ith_hparams_check(hp, where, err);
}

static ith_status read_all(const ith_arch *arch, const json_t *config, const char *where,
                           ith_hparams *hp, ith_error *err)
{
    ith_status status = read_parts(arch, config, where, hp, err);

    if (status != ITH_OK)
        ith_hf_name_key(config, err);
    return status;
}

static ith_status no_memory(const char *where, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", where);
}

/* Where the file says nothing of rotary positions, those of the class stand in it. */
ith_status ith_hf_config_read(const ith_arch *arch, const json_t *config, const char *where,
                              ith_hparams *hp, ith_error *err)
{
    const json_t *params = ith_hf_rope_params(config);
    json_t *whole;
    ith_status status;

    if (arch->defaults.rope == NULL || (params != NULL && !json_is_null(params)))
        return read_all(arch, config, where, hp, err);
    whole = json_copy((json_t *)(uintptr_t)config);
    status =
        json_object_set_new(whole, "rope_parameters", json_loads(arch->defaults.rope, 0, NULL)) == 0
            ? read_all(arch, whole, where, hp, err)
            : no_memory(where, err);
    json_decref(whole);
    return status;
}

/* False: no memory. */
static bool set_text_sizes(json_t *text, const ith_text_defaults *d)
{
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"num_hidden_layers", d->n_layers},
                 {"hidden_size", d->hidden},
                 {"intermediate_size", d->ffn},
                 {"num_attention_heads", d->n_heads},
                 {"vocab_size", d->n_vocab}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value > 0 && json_object_get(text, sizes[i].key) == NULL &&
            json_object_set_new(text, sizes[i].key, json_integer(sizes[i].value)) != 0)
            return false;
    return true;
}

/* What the whole of a model of images and text says of its text, too. False: no memory. */
static bool set_of_both(json_t *text, const json_t *config)
{
    static const char *const of_both[] = {"tie_word_embeddings", "quantization_config",
                                          "bos_token_id", "eos_token_id"};
    bool fine = true;

    for (size_t i = 0; i < sizeof of_both / sizeof *of_both; i++) {
        const json_t *own = json_object_get(text, of_both[i]);
        json_t *value = json_object_get(config, of_both[i]);
        /* a class that ties does so whatever its text says */
        bool ties = i == 0 && json_is_true(value);
        if (value != NULL && (own == NULL || json_is_null(own) || ties))
            fine = json_object_set(text, of_both[i], value) == 0 && fine;
    }
    return fine;
}

/* The "text_config" of a model of images and text, the caller's; *text NULL: it is none. *arch:
 * that of the text. */
static ith_status text_of(const json_t *config, const char *where, const ith_arch **arch,
                          json_t **text, ith_error *err)
{
    const json_t *inner = json_object_get(config, "text_config");
    const char *whole = json_string_value(json_object_get(config, "model_type")), *class,
               *type = json_string_value(json_object_get(inner, "model_type"));
    const ith_hf_class *wrapper;

    *text = NULL;
    *arch = whole != NULL && type != NULL ? ith_arch_find_hf(type, &class) : NULL;
    wrapper = *arch != NULL ? (*arch)->hf_wrappers : NULL;
    while (wrapper != NULL && wrapper->model_type != NULL &&
           strcmp(wrapper->model_type, whole) != 0)
        wrapper++;
    if (wrapper == NULL || wrapper->model_type == NULL)
        return ITH_OK;
    *text = json_copy((json_t *)(uintptr_t)inner);
    if (*text != NULL && set_text_sizes(*text, &(*arch)->text) && set_of_both(*text, config))
        return ITH_OK;
    json_decref(*text);
    *text = NULL;
    return no_memory(where, err);
}

ith_status ith_hf_config_parse(const json_t *config, const char *where, ith_hparams *hp,
                               ith_error *err)
{
    const ith_arch *arch = NULL;
    ith_status status;
    json_t *text;

    if (!json_is_object(config))
        return ith_fail(err, ITH_E_FORMAT, "%s: not a JSON object", where);
    ITH_TRY(text_of(config, where, &arch, &text, err));
    if (text != NULL) {
        status = ith_hf_config_read(arch, text, where, hp, err);
        json_decref(text);
        return status;
    }
    ITH_TRY(find_arch(config, where, &arch, err));
    return ith_hf_config_read(arch, config, where, hp, err);
}
