/* arch_phi3.c - Phi-3, Phi-3.5 and Phi-4 (arXiv 2404.14219, 2412.08905): Llama with fused
 * projections. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"phi3", "Phi3ForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {{ITH_ROLE_QKV, "model.layers.%d.self_attn.qkv_proj.weight"},
                                      {ITH_ROLE_GATE_UP, "model.layers.%d.mlp.gate_up_proj.weight"},
                                      {ITH_ROLE_NONE, NULL}};

const ith_arch ith_arch_phi3 = {
    .name = "phi3",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = ith_names_gguf_of_fused,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_ALL,
    .partial_rotary = true,
    .rope_yarn_is_long = true,
    .defaults = {.ctx = 4096,
                 .original_ctx = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 1,
                 .eos = 32000},
};
