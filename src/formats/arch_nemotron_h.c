/* arch_nemotron_h.c - Nemotron-H (arXiv 2504.03624) and Nemotron 3 Nano: each layer is one block:
 * Mamba2, attention without rotary positions, an MLP without a gate, or experts of that kind. */
#include "formats/arch_experts.h"
#include "formats/arch_recurrent.h"

#include "formats/hf_config.h"
#include "formats/layer_list.h"
#include "formats/tensor_table.h"

#include <string.h>

static const ith_hf_class classes[] = {{"nemotron_h", "NemotronHForCausalLM"}, {NULL, NULL}},
                          no_classes[] = {{NULL, NULL}};

#define MIXER "backbone.layers.%d.mixer."

static const ith_own_name hf_own[] = {
    {ITH_ROLE_EMBED, "backbone.embeddings.weight"},
    {ITH_ROLE_OUT_NORM, "backbone.norm_f.weight"},
    {ITH_ROLE_ATTN_NORM, "backbone.layers.%d.norm.weight"},
    {ITH_ROLE_Q, MIXER "q_proj.weight"},
    {ITH_ROLE_K, MIXER "k_proj.weight"},
    {ITH_ROLE_V, MIXER "v_proj.weight"},
    {ITH_ROLE_O, MIXER "o_proj.weight"},
    {ITH_ROLE_UP, MIXER "up_proj.weight"},
    {ITH_ROLE_DOWN, MIXER "down_proj.weight"},
    {ITH_ROLE_ROUTER, MIXER "gate.weight"},
    {ITH_ROLE_CHOICE_BIAS, MIXER "gate.e_score_correction_bias"},
    {ITH_ROLE_EXPERT_UP, MIXER "experts.%d.up_proj.weight"},
    {ITH_ROLE_EXPERT_DOWN, MIXER "experts.%d.down_proj.weight"},
    {ITH_ROLE_EXPERTS_UP, MIXER "experts.up_proj"},
    {ITH_ROLE_EXPERTS_DOWN, MIXER "experts.down_proj"},
    {ITH_ROLE_SHARED_UP, MIXER "shared_experts.up_proj.weight"},
    {ITH_ROLE_SHARED_DOWN, MIXER "shared_experts.down_proj.weight"},
    ITH_MAMBA_NAMES(MIXER),
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {ITH_MAMBA_GGUF_NAMES, {ITH_ROLE_NONE, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    int32_t traits = ith_hparams_traits(hp, i);
    bool experts = (traits & ITH_LAYER_MLP) && ith_hparams_has_experts(hp, i);
    ith_layer_form form = {1, {{.norm = ITH_ROLE_ATTN_NORM, .block = "attention"}}};

    if (traits & ITH_LAYER_RECURRENT)
        form.sub[0].block = "mamba";
    else if (traits & ITH_LAYER_MLP)
        form.sub[0].block = experts ? "experts" : "mlp";
    if (experts && hp->experts.shared_ffn > 0)
        form.sub[form.n++] = (ith_sublayer_form){.block = "shared", .beside = true};
    return form;
}

static const ith_arch_key keys[] = {
    {"layer_norm_epsilon", NULL, ITH_KEY_REAL, offsetof(ith_hparams, rms_eps)},
    {"mlp_hidden_act", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)},
    {"mamba_num_heads", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.heads)},
    {"mamba_head_dim", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.head_dim)},
    {"n_groups", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.groups)},
    {"ssm_state_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.state)},
    {"conv_kernel", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.taps)},
    {"use_conv_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, mamba.conv_bias)},
    {"time_step_min", NULL, ITH_KEY_REAL, offsetof(ith_hparams, mamba.dt_least)},
    /* Older names, which count where both are there, as in Transformers. */
    {"mamba_n_groups", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.groups)},
    {"mamba_d_conv", NULL, ITH_KEY_INT, offsetof(ith_hparams, mamba.taps)},
    {"mamba_conv_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, mamba.conv_bias)},
    {"mamba_dt_min", NULL, ITH_KEY_REAL, offsetof(ith_hparams, mamba.dt_least)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"n_routed_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"n_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.groups)},
    {"topk_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.top_groups)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"routed_scaling_factor", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.factor)},
    {0}};

static void traits(ith_hparams *hp)
{
    ith_mamba_set_defaults(hp);
    hp->mamba.groups = 8;
    hp->mamba.state = 128;
    hp->mamba.head_dim = 64;
    hp->mamba.dt_least = 0.001; /* GGUF files do not say it */
    hp->act = ITH_ACT_RELU2;
    hp->ungated = true;
    hp->experts = (ith_experts_params){.n = 8,
                                       .used = 2,
                                       .ffn = 7688,
                                       .step = 1,
                                       .router = ith_experts_router_of_deepseek(0, 0, 1)};
}

/* ---- Which layer is what ---- */

typedef enum kind { MAMBA, ATTENTION, MLP, EXPERTS, KINDS } kind;

static ith_status set_kind(ith_hparams *hp, int64_t i, kind k, const char *where, ith_error *err)
{
    static const int32_t layer_traits[KINDS] = {ITH_LAYER_RECURRENT, ITH_LAYER_NO_ROPE,
                                                ITH_LAYER_MLP, ITH_LAYER_MLP};
    ith_experts_params *e = &hp->experts;

    hp->traits[i] = layer_traits[k];
    if (k != MLP || e->n == 0)
        return ITH_OK;
    if (e->n_dense == ITH_MAX_DENSE)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: more than %d layers with an MLP beside those with experts are not "
                        "supported",
                        where, ITH_MAX_DENSE);
    e->dense[e->n_dense++] = (int32_t)i;
    return ITH_OK;
}

/* ---- config.json ---- */

/* The kinds, as Transformers 5 and 4 call them, and their letters in "hybrid_override_pattern". */
static const char *const names[KINDS][ITH_LAYER_NAMES] = {{"linear_attention", "mamba", "M"},
                                                          {"full_attention", "attention", "*"},
                                                          {"mlp", "mlp", "-"},
                                                          {"moe", "moe", "E"}};

static kind kind_of(const ith_layer_list *list, int64_t i)
{
    return (kind)ith_layer_list_kind(list, i, names, KINDS);
}

static bool are_equal(const ith_layer_list *a, const ith_layer_list *b)
{
    bool equal = a->n == b->n;

    for (int64_t i = 0; equal && i < a->n; i++)
        equal = kind_of(a, i) == kind_of(b, i);
    return equal;
}

/* The key that the file has; of several the first, if all say the same. */
static ith_status find_list(const json_t *config, const char *where, ith_layer_list *found,
                            ith_error *err)
{
    static const char *const keys_of_lists[] = {"layers_block_type", "layer_types",
                                                "hybrid_override_pattern"};
    ith_layer_list list;

    *found = (ith_layer_list){0};
    for (size_t i = 0; i < sizeof keys_of_lists / sizeof *keys_of_lists; i++) {
        ITH_TRY(ith_layer_list_read(config, where, keys_of_lists[i], &list, err));
        if (!ith_layer_list_is_there(&list))
            continue;
        if (found->key == NULL)
            *found = list;
        if (!are_equal(found, &list))
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: \"%s\" and \"%s\" say different things of layers", where,
                            found->key, list.key);
    }
    return found->key != NULL
               ? ITH_OK
               : ith_fail(err, ITH_E_FORMAT, "%s: \"hybrid_override_pattern\" is missing", where);
}

static ith_status read_layers(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_layer_list list;
    bool any = false;

    ITH_TRY(find_list(config, where, &list, err));
    hp->n_layers = list.n;
    for (int64_t i = 0; i < list.n; i++)
        any |= kind_of(&list, i) == EXPERTS;
    if (!any)
        hp->experts = (ith_experts_params){0};
    ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, where, err));
    for (int64_t i = 0; i < list.n; i++) {
        kind k = kind_of(&list, i);
        if (k == KINDS)
            return ith_hf_refuse(where, list.key, "an unknown kind of layer", err);
        ITH_TRY(set_kind(hp, i, k, where, err));
    }
    return ITH_OK;
}

static ith_status refuse_others(const json_t *config, const char *where, ith_error *err)
{
    static const char *const biases[] = {"use_bias", "mamba_proj_bias"};
    const json_t *latent = json_object_get(config, "moe_latent_size");
    const char *act = "silu";

    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++) {
        bool biased = false;
        ITH_TRY(ith_json_bool(config, where, biases[i], &biased, err));
        if (biased)
            return ith_hf_refuse(where, biases[i], "true", err);
    }
    if (latent != NULL && !json_is_null(latent))
        return ith_hf_refuse(where, "moe_latent_size", "a number", err);
    ITH_TRY(ith_json_string(config, where, "mamba_hidden_act", &act, err));
    if (strcmp(act, "silu") != 0)
        return ith_hf_refuse(where, "mamba_hidden_act", act, err);
    ITH_TRY(ith_mamba_refuse_bounds(config, where, "mamba_dt_limit", err));
    return ith_mamba_refuse_bounds(config, where, "time_step_limit", err);
}

/* num_hidden_layers may be missing or say nothing. n_shared_experts says nothing: the class has
 * shared experts of one width. */
static const char *const config_keys[] = {"num_hidden_layers", "rms_norm_eps",     "hidden_act",
                                          "layer_types",       "n_shared_experts", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    hp->experts.shared_ffn = 7688;
    ITH_TRY(refuse_others(config, where, err));
    ITH_TRY(ith_json_int(config, where, "moe_shared_expert_intermediate_size", 1, ITH_SIZE_LIMIT,
                         &hp->experts.shared_ffn, err));
    return read_layers(config, where, hp, err);
}

/* ---- GGUF ---- */

static const ith_tensor *look(const ith_tensor_table *tensors, int64_t i, const char *what)
{
    char name[ITH_TENSOR_NAME];
    snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)i, what);
    return ith_tensor_table_find(tensors, name);
}

static kind kind_by_tensors(const ith_tensor_table *tensors, int64_t i)
{
    static const char *const tell[KINDS] = {"ssm_in", "attn_q", "ffn_up", "ffn_up_exps"};
    int k = 0;

    while (k < KINDS && look(tensors, i, tell[k]) == NULL)
        k++;
    return (kind)k;
}

static const char *const epsilons[] = {"attention.layer_norm_rms_epsilon",
                                       "attention.layer_norm_epsilon", NULL};

static const char *const gguf_keys[] = {ITH_EXPERTS_GGUF_KEYS,
                                        "expert_shared_feed_forward_length",
                                        "attention.layer_norm_rms_epsilon",
                                        "attention.layer_norm_epsilon",
                                        "feed_forward_length",
                                        "rope.dimension_count",
                                        NULL};

/* The second is that of a block that is not read, but stands for the first where it is missing. */
static ith_status read_epsilon(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    for (const char *const *key = epsilons; *key != NULL; key++)
        if (ith_gguf_find(meta, hp->architecture, *key) != NULL)
            return ith_gguf_real(meta, hp->architecture, *key, &hp->rms_eps, err);
    return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s is missing", meta->path, hp->architecture,
                    epsilons[0]);
}

/* The tensors say what a layer is; the metadata say less, and are wrong in some files. */
static ith_status read_layer(const char *where, const ith_tensor_table *tensors, int64_t i,
                             ith_hparams *hp, ith_error *err)
{
    const kind k = kind_by_tensors(tensors, i);
    const ith_tensor *up = look(tensors, i, "ffn_up");

    if (k == KINDS)
        return ith_fail(err, ITH_E_FORMAT, "%s: layer %lld has no tensors that tell what it is",
                        where, (long long)i);
    if (k == MLP)
        hp->ffn = up->dims[0];
    return set_kind(hp, i, k, where, err);
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    bool any = false;

    ITH_TRY(read_epsilon(meta, hp, err));
    ITH_TRY(ith_recurrent_by_kv_heads(meta, hp, err));
    ITH_TRY(ith_mamba_read_gguf(meta, hp, err));
    for (int64_t i = 0; i < hp->n_layers; i++)
        any |= kind_by_tensors(tensors, i) == EXPERTS;
    if (any)
        ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    else
        hp->experts = (ith_experts_params){0};
    ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, meta->path, err));
    hp->ffn = any ? hp->experts.ffn : 0;
    for (int64_t i = 0; i < hp->n_layers; i++)
        ITH_TRY(read_layer(meta->path, tensors, i, hp, err));
    return ITH_OK;
}

#define DEFAULTS                                                                                   \
    {                                                                                              \
        .n_vocab = 131072, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .ctx = 4096,           \
        .rms_eps = 1e-5, .rope_theta = 10000, .bos = 1, .eos = 2                                   \
    }

const ith_arch ith_arch_nemotron_h = {
    .name = "nemotron_h",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .recurrent = true,
    .lone_mlps = true,
    .recurrent_act = true,
    .defaults = DEFAULTS,
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields_if_any,
};

/* GGUF files of those with experts. */
const ith_arch ith_arch_nemotron_h_moe = {
    .name = "nemotron_h_moe",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .traits = traits,
    .keys = keys,
    .hf_classes = no_classes,
    .recurrent = true,
    .lone_mlps = true,
    .defaults = DEFAULTS,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields_if_any,
};
