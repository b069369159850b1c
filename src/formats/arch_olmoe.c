/* arch_olmoe.c - OLMoE (arXiv 2409.02060): experts, and RMSNorm over all query heads together, and
 * all key heads. */
#include "formats/arch_experts.h"

static const ith_hf_class classes[] = {{"olmoe", "OlmoeForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 64, .used = 8, .step = 1, .router = {.factor = 1}};
}

const ith_arch ith_arch_olmoe = {
    .name = "olmoe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = ITH_QK_NORM_WHOLE,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 4096, .rms_eps = 1e-5, .rope_theta = 10000, .bos = -1, .eos = 50279},
    .read_config = ith_experts_take_width,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
