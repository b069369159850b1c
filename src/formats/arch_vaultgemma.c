/* arch_vaultgemma.c - VaultGemma (arXiv 2510.15001): Gemma 2 without norms behind its blocks. */
#include "formats/arch_gemma.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"vaultgemma", "VaultGemmaForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_FFN_NORM, "model.layers.%d.pre_feedforward_layernorm.weight"}, {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"hidden_activation", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)}, {0}};

const ith_arch ith_arch_vaultgemma = {
    .name = "vaultgemma",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .hf_norms_minus_1 = true,
    .traits = ith_gemma_capped_traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 2,
    .window_step_of_class = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_vocab = 256000,
                 .n_heads = 8,
                 .n_kv_heads = 4,
                 .head_dim = 256,
                 .ctx = 8192,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .tied_embeddings = true,
                 .bos = 2,
                 .eos = 1},
    .config_keys = ith_gemma_capped_keys,
    .read_config = ith_gemma_read_capped,
};
