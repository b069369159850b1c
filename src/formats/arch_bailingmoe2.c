/* arch_bailingmoe2.c - Ling and Ring 2.0 (arXiv 2510.22115): DeepSeek-V3's experts behind
 * grouped-query attention with norms on heads, rotary positions on half of the head. */
#include "formats/arch_experts.h"

#include "formats/hf_config.h"

#include <string.h>

/* The first generation says bailing_moe too, and is of another class. */
static const ith_hf_class classes[] = {{"bailing_moe", "BailingMoeV2ForCausalLM"},
                                       {"bailing_moe_v2", "BailingMoeV2ForCausalLM"},
                                       {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_EMBED, "model.word_embeddings.weight"},
    {ITH_ROLE_QKV, "model.layers.%d.attention.query_key_value.weight"},
    {ITH_ROLE_O, "model.layers.%d.attention.dense.weight"},
    {ITH_ROLE_Q_NORM, "model.layers.%d.attention.query_layernorm.weight"},
    {ITH_ROLE_K_NORM, "model.layers.%d.attention.key_layernorm.weight"},
    {ITH_ROLE_CHOICE_BIAS, "model.layers.%d.mlp.gate.expert_bias"},
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_QKV, "blk.%d.attn_qkv.weight"},
                                        {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"first_k_dense_replace", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.first)},
    {"n_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.groups)},
    {"topk_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.top_groups)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"routed_scaling_factor", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.factor)},
    {"moe_router_enable_expert_bias", NULL, ITH_KEY_BOOL,
     offsetof(ith_hparams, experts.router.choice_bias)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 256,
                                       .used = 8,
                                       .ffn = 512,
                                       .step = 1,
                                       .first = 1,
                                       .router = ith_experts_router_of_deepseek(8, 4, 1)};
}

/* Settings of the class that may have one value only. */
static ith_status check_flags(const json_t *config, const char *where, ith_error *err)
{
    static const struct {
        const char *key;
        bool wanted;
    } flags[] = {{"use_qkv_bias", false}, {"norm_head", false}, {"use_rmsnorm", true}};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        bool on = flags[i].wanted;
        ITH_TRY(ith_json_bool(config, where, flags[i].key, &on, err));
        if (on != flags[i].wanted)
            return ith_hf_refuse(where, flags[i].key, on ? "true" : "false", err);
    }
    return ITH_OK;
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const char *score = "sigmoid";
    int64_t width = hp->experts.ffn, n = 1;

    ITH_TRY(check_flags(config, where, err));
    ITH_TRY(ith_json_string(config, where, "score_function", &score, err));
    if (strcmp(score, "sigmoid") != 0)
        return ith_hf_refuse(where, "score_function", score, err);
    ITH_TRY(ith_json_int(config, where, "moe_shared_expert_intermediate_size", 1, 1 << 20, &width,
                         err));
    ITH_TRY(ith_json_int(config, where, "num_shared_experts", 0, 1 << 10, &n, err));
    hp->experts.shared_ffn = n * width;
    return ITH_OK;
}

const ith_arch ith_arch_bailingmoe2 = {
    .name = "bailingmoe2",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .partial_rotary = true,
    .defaults = {.n_vocab = 157184,
                 .n_heads = 16,
                 .n_kv_heads = 4,
                 .head_dim = 128,
                 .ctx = 32768,
                 .rms_eps = 1e-6,
                 .rope_theta = 600000,
                 .rotated = 0.5,
                 .bos = -1,
                 .eos = 156892},
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
