/* arch_mixtral.c - Mixtral 8x7B and 8x22B (arXiv 2401.04088) in Hugging Face's files: Mistral with
 * experts. GGUF files of these models say that they are of Llama. */
#include "formats/arch_experts.h"

static const ith_hf_class classes[] = {{"mixtral", "MixtralForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){
        .n = 8, .used = 2, .step = 1, .router = {.normalized = true, .factor = 1}};
}

const ith_arch ith_arch_mixtral = {
    .name = "mixtral",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_experts_names_of_mixtral,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_ALL,
    .defaults =
        {.n_kv_heads = 8, .ctx = 131072, .rms_eps = 1e-5, .rope_theta = 1e6, .bos = 1, .eos = 2},
    .read_config = ith_experts_take_width,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
