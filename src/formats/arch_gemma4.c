/* arch_gemma4.c - Gemma 4: Gemma 3's blocks with norms whose weights are as they are, heads of
 * another size in layers without a window, whose values may be their keys' projections, a norm of
 * values, rotation of the fastest pairs only, and a scale of each layer. Some models have experts
 * besides the MLP. In others each layer has inputs of its own besides, and the last layers read
 * keys and values of earlier ones. */
#include "formats/arch_experts.h"
#include "formats/arch_gemma.h"
#include "formats/gguf_meta.h"
#include "formats/hf_config.h"
#include "formats/source.h"
#include "formats/tensor_table.h"
#include "formats/widen.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ith_hf_class classes[] = {{"gemma4_text", "Gemma4ForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"gemma4", "Gemma4ForConditionalGeneration"}, {NULL, NULL}};

#define L "model.layers.%d."

static const ith_own_name hf_own[] = {
    {ITH_ROLE_ATTN_POST_NORM, L "post_attention_layernorm.weight"},
    {ITH_ROLE_FFN_NORM, L "pre_feedforward_layernorm.weight"},
    {ITH_ROLE_FFN_POST_NORM, L "post_feedforward_layernorm.weight"},
    {ITH_ROLE_MLP_POST_NORM, L "post_feedforward_layernorm_1.weight"},
    {ITH_ROLE_EXPERTS_NORM, L "pre_feedforward_layernorm_2.weight"},
    {ITH_ROLE_EXPERTS_POST_NORM, L "post_feedforward_layernorm_2.weight"},
    {ITH_ROLE_ROUTER_NORM, L "router.scale"},
    {ITH_ROLE_ROUTER, L "router.proj.weight"},
    {ITH_ROLE_EXPERT_SCALES, L "router.per_expert_scale"},
    {ITH_ROLE_EXPERTS_GATE_UP, L "experts.gate_up_proj"},
    {ITH_ROLE_EXPERTS_DOWN, L "experts.down_proj"},
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {
    {ITH_ROLE_MLP_POST_NORM, "blk.%d.post_ffw_norm_1.weight"},
    {ITH_ROLE_EXPERTS_NORM, "blk.%d.pre_ffw_norm_2.weight"},
    {ITH_ROLE_EXPERTS_POST_NORM, "blk.%d.post_ffw_norm_2.weight"},
    {ITH_ROLE_ROUTER_NORM, "blk.%d.ffn_gate_inp.scale"},
    {ITH_ROLE_EXPERT_SCALES, "blk.%d.ffn_down_exps.scale"},
    {ITH_ROLE_NONE, NULL}};

/* An MLP and experts read the same x, each behind a norm of its own. */
static ith_layer_form form_of(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_sandwich(hp, i);

    if (ith_hparams_has_experts(hp, i)) {
        form.sub[1].post = ITH_ROLE_MLP_POST_NORM;
        form.sub[1].held = true;
        form.sub[form.n++] = (ith_sublayer_form){.norm = ITH_ROLE_ROUTER_NORM,
                                                 .block = "experts",
                                                 .post = ITH_ROLE_EXPERTS_POST_NORM,
                                                 .both = ITH_ROLE_FFN_POST_NORM};
    }
    if (hp->layer_inputs.size > 0)
        form.sub[form.n++] =
            (ith_sublayer_form){.block = "layer_inputs", .post = ITH_ROLE_INPUT_POST_NORM};
    return form;
}

static const ith_arch_key keys[] = {
    {"global_head_dim", NULL, ITH_KEY_INT, offsetof(ith_hparams, full.head_dim)},
    {"num_global_key_value_heads", NULL, ITH_KEY_INT, offsetof(ith_hparams, full.kv_heads)},
    {"hidden_size_per_layer_input", "embedding_length_per_layer_input", ITH_KEY_INT,
     offsetof(ith_hparams, layer_inputs.size)},
    {"vocab_size_per_layer_input", NULL, ITH_KEY_INT, offsetof(ith_hparams, layer_inputs.n_vocab)},
    {"num_kv_shared_layers", "attention.shared_kv_layers", ITH_KEY_INT,
     offsetof(ith_hparams, shared_kv)},
    {"use_double_wide_mlp", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, wide_sharers)},
    {NULL, "rope.freq_base_swa", ITH_KEY_REAL, offsetof(ith_hparams, window_theta)},
    {"final_logit_softcapping", "final_logit_softcapping", ITH_KEY_REAL,
     offsetof(ith_hparams, logit_softcap)},
    {"hidden_activation", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->act = ITH_ACT_GELU_TANH;
    hp->attn_scale = 1;
    hp->window_theta = 10000;
    hp->value_norm = true;
    hp->layer_scale = true;
    hp->full.head_dim = 512;
    hp->layer_inputs.n_vocab = 262144;
}

static ith_status refuse(const char *where, const char *key, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"%s\": %s is not supported", where, key, what);
}

/* ---- config.json ---- */

static const char *const config_keys[] = {"hidden_act",
                                          "query_pre_attn_scalar",
                                          "attention_k_eq_v",
                                          "enable_moe_block",
                                          "num_experts",
                                          "partial_rotary_factor",
                                          "use_bidirectional_attention",
                                          "per_layer_config",
                                          NULL};

/* What newer files say of the heads of each layer that are unlike those of the whole. */
static ith_status read_layer(const json_t *layers, const char *where, int64_t i, int64_t *kv_heads,
                             int64_t *head_dim, ith_error *err)
{
    static const char *const known[] = {"head_dim", "num_key_value_heads", NULL};
    char number[24];
    const json_t *layer;
    const char *key;
    json_t *value;

    snprintf(number, sizeof number, "%lld", (long long)i);
    layer = json_object_get(layers, number);
    json_object_foreach ((json_t *)(uintptr_t)layer, key, value)
        if (!ith_arch_takes(known, key))
            return refuse(where, "per_layer_config", key, err);
    ITH_TRY(ith_json_int(layer, where, known[0], 1, ITH_SIZE_LIMIT, head_dim, err));
    return ith_json_int(layer, where, known[1], 1, ITH_SIZE_LIMIT, kv_heads, err);
}

/* Layers are numbered from 0, in digits without zeros before them. */
static ith_status check_numbers(const json_t *layers, const char *where, int64_t n, ith_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)layers, key, value) {
        int64_t number =
            strspn(key, "0123456789") == strlen(key) && strlen(key) < 8 ? atoll(key) : n;
        char again[24];
        snprintf(again, sizeof again, "%lld", (long long)number);
        if (number >= n || strcmp(again, key) != 0 || !json_is_object(value))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: \"per_layer_config\": \"%s\" is not the number of a layer with "
                            "an object",
                            where, key);
    }
    return ITH_OK;
}

/* They must be the same in all layers without a window, and in all with one those of the whole. */
static ith_status read_layers(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const json_t *layers = json_object_get(config, "per_layer_config");
    bool first = true;

    if (!json_is_object(layers))
        return ITH_OK;
    ITH_TRY(check_numbers(layers, where, hp->n_layers, err));
    for (int64_t i = 0; i < hp->n_layers; i++) {
        bool window = ith_hparams_traits(hp, i) & ITH_LAYER_WINDOW;
        int64_t kv_heads = hp->n_kv_heads, head_dim = hp->head_dim;
        ITH_TRY(read_layer(layers, where, i, &kv_heads, &head_dim, err));
        if (!window && first) {
            hp->full.kv_heads = kv_heads;
            hp->full.head_dim = head_dim;
            first = false;
        }
        if (kv_heads != ith_hparams_kv_heads(hp, i) || head_dim != ith_hparams_head_dim(hp, i))
            return refuse(where, "per_layer_config",
                          "more than one shape of heads in layers of a type", err);
    }
    return ITH_OK;
}

/* Of layers without a window, whose head size is known now: the share of pairs that turn. */
static ith_status read_turning_share(const json_t *config, const char *where, ith_hparams *hp,
                                     ith_error *err)
{
    static const char key[] = "partial_rotary_factor";
    const json_t *sets = json_object_get(config, "rope_parameters");
    double share = 1;

    ITH_TRY(ith_json_real(config, where, key, &share, err));
    if (share != 1) /* the class would give it to sets that do not have it, whatever their layers */
        return refuse(where, key, "a value for all layers", err);

    /* As the class has it. */
    if (!json_is_object(sets)) {
        hp->rope.kind = ITH_ROPE_PROPORTIONAL;
        hp->rope.factor = 1;
        hp->rope.theta = ith_arch_gemma4.defaults.rope_theta;
        share = 0.25;
    }
    if (hp->rope.kind != ITH_ROPE_PROPORTIONAL)
        return hp->rope.rotated == 0 ? ITH_OK
                                     : refuse(where, "rope_parameters",
                                              "rotation of a part that is not proportional", err);
    if (json_is_object(json_object_get(sets, "full_attention")))
        sets = json_object_get(sets, "full_attention");
    ITH_TRY(ith_json_real(sets, where, key, &share, err));
    if (!(share > 0 && share <= 1))
        return refuse(where, key, "a number outside of 0 to 1", err);
    hp->rope.rotated = 2 * (int64_t)(share * (double)hp->full.head_dim / 2);
    if (hp->rope.rotated == 0)
        return refuse(where, key, "a head that does not turn", err);
    return ITH_OK;
}

/* What counts only beside other settings. */
static void settle(ith_hparams *hp)
{
    if (hp->layer_inputs.size == 0)
        hp->layer_inputs.n_vocab = 0;
    if (hp->shared_kv == 0)
        hp->wide_sharers = false;
}

static const ith_router_params router = {.normalized = true, .factor = 1, .apart = true};

static ith_status read_experts(const json_t *config, const char *where, ith_hparams *hp,
                               ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    bool on = false;

    ITH_TRY(ith_json_bool(config, where, "enable_moe_block", &on, err));
    if (!on)
        return ITH_OK;
    *e = (ith_experts_params){.step = 1, .router = router};
    ITH_TRY(ith_hf_need_int(config, where, "num_experts", &e->n, err));
    ITH_TRY(ith_hf_need_int(config, where, "top_k_experts", &e->used, err));
    ITH_TRY(ith_hf_need_int(config, where, "moe_intermediate_size", &e->ffn, err));
    return e->n > 0 ? ITH_OK : refuse(where, "num_experts", "0", err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const json_t *both = json_object_get(config, "use_bidirectional_attention");

    if (json_object_get(config, "hidden_size_per_layer_input") == NULL)
        hp->layer_inputs.size = 256; /* as the class has it */
    settle(hp);
    ITH_TRY(read_experts(config, where, hp, err));
    /* "vision": of images, which are not read. */
    if (both != NULL && !json_is_null(both) && !json_is_false(both) &&
        !(json_is_string(both) && strcmp(json_string_value(both), "vision") == 0))
        return refuse(where, "use_bidirectional_attention", "attention to later tokens", err);
    if (hp->n_traits > 0) /* the class makes the last layer one without a window */
        hp->traits[hp->n_traits - 1] &= ~ITH_LAYER_WINDOW;
    ITH_TRY(ith_json_bool(config, where, "attention_k_eq_v", &hp->full.keys_are_values, err));
    if (!hp->full.keys_are_values)
        hp->full.kv_heads = 0; /* the number counts with values that are keys */
    ith_gemma_scale_embeddings(hp);
    ITH_TRY(read_layers(config, where, hp, err));
    return read_turning_share(config, where, hp, err);
}

/* ---- GGUF ---- */

static const char *const gguf_keys[] = {
    "attention.head_count_kv",    "attention.value_length", "attention.key_length_swa",
    "attention.value_length_swa", "rope.dimension_count",   "rope.dimension_count_swa",
    "feed_forward_length",        ITH_EXPERTS_GGUF_KEYS,    NULL};

/* Sizes that must be that of heads: values as wide as keys, rotation of the whole head. */
static ith_status check_sizes(const struct ith_gguf_meta *meta, const char *const *names,
                              int64_t head_dim, ith_error *err)
{
    for (; *names != NULL; names++) {
        int64_t value = head_dim;
        ITH_TRY(ith_gguf_int(meta, "gemma4", *names, 0, ITH_SIZE_LIMIT, &value, err));
        if (value != head_dim)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: gemma4.%s is %lld; Ithaca supports only the head size, %lld",
                            meta->path, *names, (long long)value, (long long)head_dim);
    }
    return ITH_OK;
}

/* The file's head size is that of layers without a window. */
static ith_status read_head_sizes(const struct ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    static const char *const full[] = {"attention.value_length", "rope.dimension_count", NULL},
                             *const window[] = {"attention.value_length_swa",
                                                "rope.dimension_count_swa", NULL};

    hp->full.head_dim = hp->head_dim;
    ITH_TRY(ith_gguf_int(meta, "gemma4", "attention.key_length_swa", 1, ITH_SIZE_LIMIT,
                         &hp->head_dim, err));
    ITH_TRY(check_sizes(meta, full, hp->full.head_dim, err));
    return check_sizes(meta, window, hp->head_dim, err);
}

/* One number, or one of each layer: those of a type must be equal. */
static ith_status read_kv_heads(const struct ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    static const char key[] = "attention.head_count_kv";
    const ith_gguf_pair *pair = ith_gguf_find(meta, "gemma4", key);
    bool seen[2] = {false, false};

    if (pair == NULL || pair->type != ITH_GGUF_ARRAY)
        return ith_gguf_int(meta, "gemma4", key, 1, ITH_SIZE_LIMIT, &hp->n_kv_heads, err);
    if ((pair->item_type != ITH_GGUF_I32 && pair->item_type != ITH_GGUF_U32) ||
        !ith_hparams_lists_layers(hp, pair->count))
        return ith_fail(err, ITH_E_FORMAT, "%s: gemma4.%s should be a number or one of each layer",
                        meta->path, key);
    for (int64_t i = 0; i < hp->n_layers; i++) {
        bool window = ith_hparams_traits(hp, i) & ITH_LAYER_WINDOW;
        int64_t *of_type = window ? &hp->n_kv_heads : &hp->full.kv_heads;
        uint32_t heads;
        memcpy(&heads, pair->value + 4 * i, sizeof heads);
        if (seen[window] && heads != *of_type)
            return refuse(meta->path, key, "more than one number in layers of a type", err);
        *of_type = heads;
        seen[window] = true;
    }
    if (!seen[true]) /* no layer tells */
        hp->n_kv_heads = hp->full.kv_heads;
    return ITH_OK;
}

/* "rope_freqs.weight" has a 1 for each pair that turns, then a huge divisor for each that does
 * not. */
static ith_status read_turning(const struct ith_gguf_meta *meta,
                               const struct ith_tensor_table *tensors, ith_hparams *hp,
                               ith_error *err)
{
    const float never = 1e20f;
    const ith_tensor *t = ith_tensor_table_find(tensors, "rope_freqs.weight");
    float values[ITH_MAX_HEAD_DIM / 2];
    int64_t n = 0;

    if (t == NULL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: no tensor rope_freqs.weight, which says how many channels of a head "
                        "rotate in layers without a window",
                        meta->path);
    ITH_TRY(ith_tensor_check_read(t, err));
    if (t->n_dims != 1 || t->dims[0] != hp->full.head_dim / 2 || t->dims[0] > ITH_MAX_HEAD_DIM / 2)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s should have %lld elements", t->file,
                        t->name, (long long)hp->full.head_dim / 2);
    ith_dtype_to_f32(t->dtype, t->data, t->dims[0], values);
    while (n < t->dims[0] && values[n] == 1)
        n++;
    for (int64_t i = n; i < t->dims[0]; i++)
        if (!(values[i] > never))
            return refuse(meta->path, t->name, "a divisor that is neither 1 nor huge", err);
    if (n == 0)
        return refuse(meta->path, t->name, "a head that does not turn", err);
    hp->rope.kind = ITH_ROPE_PROPORTIONAL;
    hp->rope.rotated = 2 * n; /* ith_hparams_settle makes all 0 */
    return ITH_OK;
}

static bool has_values(const struct ith_tensor_table *tensors, int64_t layer)
{
    char name[ITH_TENSOR_NAME];
    return ith_arch_tensor_name(&ith_arch_gemma4, true, ITH_ROLE_V, (int)layer, 0, name) &&
           ith_tensor_table_find(tensors, name) != NULL;
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    int64_t experts = 0;

    ITH_TRY(ith_gemma_read_widths(meta, hp, err));
    ITH_TRY(ith_gemma_read_inputs(meta, tensors, hp, err));
    ITH_TRY(ith_gguf_int(meta, "gemma4", "expert_count", 0, ITH_SIZE_LIMIT, &experts, err));
    if (experts > 0) {
        hp->experts = (ith_experts_params){.step = 1, .router = router};
        ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    }
    ITH_TRY(read_head_sizes(meta, hp, err));
    ITH_TRY(read_kv_heads(meta, hp, err));
    ITH_TRY(read_turning(meta, tensors, hp, err));
    for (int64_t i = 0; i < hp->n_layers - hp->shared_kv; i++) /* a layer without a window tells */
        if (!(ith_hparams_traits(hp, i) & ITH_LAYER_WINDOW))
            hp->full.keys_are_values = !has_values(tensors, i);
    ith_gemma_scale_embeddings(hp);
    return ITH_OK;
}

const ith_arch ith_arch_gemma4 = {
    .name = "gemma4",
    .layer = form_of,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {30, 2304, 9216, 8, 262144},
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 6,
    .window_step_of_class = true,
    .window_rope = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .partial_rotary = true,
    .rope_proportional = true,
    .defaults = {.n_vocab = 262144,
                 .n_heads = 8,
                 .n_kv_heads = 4,
                 .head_dim = 256,
                 .ctx = 131072,
                 .window = 512,
                 .rms_eps = 1e-6,
                 .rope_theta = 1000000,
                 .tied_embeddings = true,
                 .bos = 2,
                 .eos = 1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields_if_any,
};
