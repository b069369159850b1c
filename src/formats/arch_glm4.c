/* arch_glm4.c - GLM-4-0414: norms before and after each block, adjacent rotary pairs on half of the
 * head, biases on queries, keys and values, a fused MLP. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"glm4", "Glm4ForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_ATTN_POST_NORM, "model.layers.%d.post_self_attn_layernorm.weight"},
    {ITH_ROLE_FFN_POST_NORM, "model.layers.%d.post_mlp_layernorm.weight"},
    {ITH_ROLE_GATE_UP, "model.layers.%d.mlp.gate_up_proj.weight"},
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_GATE_UP, "blk.%d.ffn_up.weight"},
                                        {ITH_ROLE_GATE, NULL},
                                        {ITH_ROLE_UP, NULL},
                                        {ITH_ROLE_NONE, NULL}};

const ith_arch ith_arch_glm4 = {
    .name = "glm4",
    .layer = ith_layer_of_sandwich,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .qkv_bias = true,
    .rope_pairs = true,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .partial_rotary = true,
    .defaults = {.n_kv_heads = 2,
                 .head_dim = 128,
                 .ctx = 131072,
                 .rms_eps = 1.5625e-07,
                 .rope_theta = 10000,
                 .rotated = 0.5,
                 .bos = -1,
                 .eos = -1},
};
