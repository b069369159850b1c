/* arch_dots1.c - dots.llm1 (arXiv 2506.05767): DeepSeek-V3's experts behind Qwen3's attention. */
#include "formats/arch_experts.h"

static const ith_hf_class classes[] = {{"dots1", "Dots1ForCausalLM"}, {NULL, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){
        .ffn = 1408, .step = 1, .router = ith_experts_router_of_deepseek(0, 0, 1)};
    hp->experts.router.normalized = false;
}

static const char *const config_keys[] = {"n_shared_experts", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    return ith_experts_read_shared(config, where, "n_shared_experts", hp->experts.ffn, hp, err);
}

const ith_arch ith_arch_dots1 = {
    .name = "dots1",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = ith_experts_keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .windows = ITH_WINDOWS_FROM,
    .defaults = {.n_kv_heads = 32,
                 .ctx = 2048,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .window = 4096,
                 .window_first = 62,
                 .bos = -1,
                 .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
