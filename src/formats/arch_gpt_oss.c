/* arch_gpt_oss.c - gpt-oss 20b and 120b (arXiv 2508.10925): experts with biases and a gate with
 * limits, sinks in attention, windows in every other layer. The router's weights are softmax over
 * the chosen. */
#include "formats/arch_experts.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"gpt_oss", "GptOssForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_SINKS, "model.layers.%d.self_attn.sinks"},
    {ITH_ROLE_ROUTER, "model.layers.%d.mlp.router.weight"},
    {ITH_ROLE_ROUTER_BIAS, "model.layers.%d.mlp.router.bias"},
    {ITH_ROLE_EXPERTS_GATE_BIAS, "model.layers.%d.mlp.experts.gate_proj_bias"},
    {ITH_ROLE_EXPERTS_UP_BIAS, "model.layers.%d.mlp.experts.up_proj_bias"},
    {ITH_ROLE_EXPERTS_GATE_UP_BIAS, "model.layers.%d.mlp.experts.gate_up_proj_bias"},
    {ITH_ROLE_EXPERTS_DOWN_BIAS, "model.layers.%d.mlp.experts.down_proj_bias"},
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_FFN_NORM, "blk.%d.post_attention_norm.weight"},
                                        {ITH_ROLE_ATTN_POST_NORM, NULL},
                                        {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"attention_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, qkv_bias)},
    {"swiglu_alpha", NULL, ITH_KEY_REAL, offsetof(ith_hparams, swiglu_alpha)},
    {"swiglu_limit", NULL, ITH_KEY_REAL, offsetof(ith_hparams, swiglu_limit)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->sinks = hp->qkv_bias = hp->o_bias = true;
    hp->swiglu_alpha = 1.702;
    hp->swiglu_limit = 7;
    hp->swiglu_plus = 1;
    hp->experts = (ith_experts_params){.n = 128,
                                       .used = 4,
                                       .bias = true,
                                       .step = 1,
                                       .router = {.bias = true, .normalized = true, .factor = 1}};
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    hp->o_bias = hp->qkv_bias;
    if (hp->swiglu_limit <= 0)
        return ith_hf_refuse(where, "swiglu_limit", "a value that is not above 0", err);
    return ith_experts_take_width(config, where, hp, err);
}

/* Files do not say how the bounds of YaRN's ramp are taken. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    hp->rope.truncate = false;
    return ith_experts_read_gguf(meta, tensors, hp, err);
}

const ith_arch ith_arch_gpt_oss = {
    .name = "gpt-oss",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .hf_experts_turned = true,
    .hf_gate_up_in_turn = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 2,
    .window_step_of_class = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_kv_heads = 8,
                 .head_dim = 64,
                 .ctx = 131072,
                 .window = 128,
                 .rms_eps = 1e-5,
                 .rope_theta = 150000,
                 .rope = "{\"rope_type\": \"yarn\", \"factor\": 32.0, \"truncate\": false, "
                         "\"original_max_position_embeddings\": 4096}",
                 .bos = -1,
                 .eos = -1},
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
