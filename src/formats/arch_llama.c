/* arch_llama.c - Llama 2 and 3 (arXiv 2307.09288, 2407.21783) and models of their shape, SmolLM2
 * among them. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"llama", "LlamaForCausalLM"}, {NULL, NULL}};

const ith_arch ith_arch_llama = {
    .name = "llama",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_interleaved_qk = true,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.ctx = 2048,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .sliding_window = true,
                 .bos = 1,
                 .eos = 2},
};
