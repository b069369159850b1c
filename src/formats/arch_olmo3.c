/* arch_olmo3.c - OLMo 3 in Hugging Face's files: OLMo 2 with windows in three of four layers, which
 * are rotated without scaling. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"olmo3", "Olmo3ForCausalLM"}, {NULL, NULL}};

const ith_arch ith_arch_olmo3 = {
    .name = "olmo3",
    .layer = ith_layer_of_post_norms,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_post_norms,
    .qk_norm = ITH_QK_NORM_WHOLE,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 4,
    .window_step_of_class = true,
    .window_rope = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 2048,
                 .window = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 500000,
                 .bos = -1,
                 .eos = 50279},
};
