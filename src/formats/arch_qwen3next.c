/* arch_qwen3next.c - Qwen3-Next and Qwen3-Coder-Next: the layers of Qwen3.5 with experts; recurrent
 * layers' rows lie key head by key head. */
#include "formats/arch_experts.h"
#include "formats/arch_qwen35.h"

static const ith_hf_class classes[] = {{"qwen3_next", "Qwen3NextForCausalLM"}, {NULL, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 512,
                                       .used = 10,
                                       .ffn = 512,
                                       .shared_ffn = 512,
                                       .shared_gated = true,
                                       .step = 1,
                                       .router = {.normalized = true, .factor = 1}};
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ITH_TRY(ith_experts_read_dense_layers(config, where, &hp->experts, err));
    return ith_qwen35_read_config(config, where, hp, err);
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    return ith_qwen35_read_gguf(meta, false, hp, err);
}

const ith_arch ith_arch_qwen3next = {
    .name = "qwen3next",
    .layer = ith_qwen35_layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_gated_shared_expert,
    .gguf_own = ith_qwen35_gguf_names,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_norms_minus_1 = true,
    .traits = traits,
    .keys = ith_experts_keys_of_qwen,
    .hf_classes = classes,
    .partial_rotary = true,
    .recurrent = true,
    .defaults = {.n_vocab = 151936,
                 .n_heads = 16,
                 .n_kv_heads = 2,
                 .head_dim = 256,
                 .ctx = 32768,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .rotated = 0.25,
                 .bos = -1,
                 .eos = -1},
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
