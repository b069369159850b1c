/* arch_qwen35moe.c - Qwen3.5 with experts (35B-A3B, 122B-A10B, 397B-A17B): Qwen3.5's layers with a
 * mixture of experts, and one for all tokens behind a gate. */
#include "formats/arch_experts.h"
#include "formats/arch_qwen35.h"

static const ith_hf_class classes[] = {{"qwen3_5_moe_text", "Qwen3_5MoeForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"qwen3_5_moe", "Qwen3_5MoeForConditionalGeneration"},
                                        {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"shared_expert_intermediate_size", NULL, ITH_KEY_INT,
     offsetof(ith_hparams, experts.shared_ffn)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 256,
                                       .used = 8,
                                       .ffn = 512,
                                       .shared_ffn = 512,
                                       .shared_gated = true,
                                       .step = 1,
                                       .router = {.normalized = true, .factor = 1}};
}

/* No layer has an MLP: nothing says how wide it would be. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    hp->ffn = hp->experts.ffn;
    return ith_qwen35_read_config(config, where, hp, err);
}

static const char *const gguf_keys[] = {ITH_EXPERTS_GGUF_KEYS, "expert_shared_feed_forward_length",
                                        "feed_forward_length", NULL};

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    hp->ffn = hp->experts.ffn;
    return ith_qwen35_read_gguf(meta, true, hp, err);
}

const ith_arch ith_arch_qwen35moe = {
    .name = "qwen35moe",
    .layer = ith_qwen35_layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_gated_shared_expert,
    .gguf_own = ith_qwen35_gguf_names,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_norms_minus_1 = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {40, 2048, 0, 16, 248320},
    .partial_rotary = true,
    .recurrent = true,
    .defaults = {.n_vocab = 248320,
                 .n_heads = 16,
                 .n_kv_heads = 2,
                 .head_dim = 256,
                 .ctx = 32768,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .rotated = 0.25,
                 .bos = -1,
                 .eos = -1},
    .config_keys = ith_qwen35_config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
