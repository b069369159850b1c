/* arch_exaone4.c - EXAONE 4 (arXiv 2507.11407): norms after each block, none before; RMSNorm on
 * query and key heads. The larger model has windows in three of four layers, and in the others no
 * rotary positions. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"exaone4", "Exaone4ForCausalLM"}, {NULL, NULL}};

const ith_arch ith_arch_exaone4 = {
    .name = "exaone4",
    .layer = ith_layer_of_post_norms,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_post_norms,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 4,
    .full_no_rope = true,
    .defaults =
        {.ctx = 2048, .window = 4096, .rms_eps = 1e-5, .rope_theta = 10000, .bos = 0, .eos = 2},
};
