/* arch_glm.c - GLM-4's first generation (arXiv 2406.12793): adjacent rotary pairs on half of the
 * head, biases on queries, keys and values, a fused MLP. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"glm", "GlmForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {{ITH_ROLE_GATE_UP, "model.layers.%d.mlp.gate_up_proj.weight"},
                                      {ITH_ROLE_NONE, NULL}};

const ith_arch ith_arch_glm = {
    .name = "chatglm",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = ith_names_gguf_of_fused,
    .qkv_bias = true,
    .rope_pairs = true,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .partial_rotary = true,
    .defaults = {.n_vocab = 151552,
                 .n_heads = 32,
                 .n_kv_heads = 2,
                 .head_dim = 128,
                 .ctx = 131072,
                 .rms_eps = 1.5625e-07,
                 .rope_theta = 10000,
                 .rotated = 0.5,
                 .bos = -1,
                 .eos = -1},
};
