/* arch_qwen2moe.c - Qwen2 with experts (arXiv 2407.10671): Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B.
 * Shared experts have a gate. */
#include "formats/arch_experts.h"

static const ith_hf_class classes[] = {{"qwen2_moe", "Qwen2MoeForCausalLM"}, {NULL, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 60,
                                       .used = 4,
                                       .ffn = 1408,
                                       .shared_ffn = 5632,
                                       .shared_gated = true,
                                       .step = 1,
                                       .router = {.factor = 1}};
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    return ith_experts_read_dense_layers(config, where, &hp->experts, err);
}

const ith_arch ith_arch_qwen2moe = {
    .name = "qwen2moe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_gated_shared_expert,
    .qkv_bias = true,
    .traits = traits,
    .keys = ith_experts_keys_of_qwen,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_EVEN,
    .defaults = {.n_kv_heads = 16,
                 .ctx = 32768,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .window_first = 28,
                 .bos = -1,
                 .eos = -1},
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
