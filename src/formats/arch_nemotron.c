/* arch_nemotron.c - Nemotron-4 and Minitron (arXiv 2402.16819, 2407.14679): LayerNorm with bias,
 * whose weights are stored minus 1, an MLP of squared ReLU without a gate, half of the head
 * rotated. */
#include "formats/arch.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"nemotron", "NemotronForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"norm_eps", "attention.layer_norm_epsilon", ITH_KEY_REAL, offsetof(ith_hparams, rms_eps)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->ungated = true;
    hp->act = ITH_ACT_RELU2;
}

const ith_arch ith_arch_nemotron = {
    .name = "nemotron",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .norm = ITH_NORM_LAYER,
    .norm_bias = true,
    .hf_norms_minus_1 = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .partial_rotary = true,
    .defaults = {.n_vocab = 256000,
                 .n_heads = 48,
                 .ctx = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .rotated = 0.5,
                 .bos = 2,
                 .eos = 3},
};
