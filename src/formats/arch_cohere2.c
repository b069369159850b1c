/* arch_cohere2.c - Command-R7B and Command-A (Cohere 2): Command-R with windows and rotary
 * positions in three of four layers, neither in the fourth. */
#include "formats/arch_cohere.h"

static const ith_hf_class classes[] = {{"cohere2", "Cohere2ForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"cohere2_vision", "Cohere2VisionForConditionalGeneration"},
                                        {"aya_vision", "AyaVisionForConditionalGeneration"},
                                        {NULL, NULL}};

const ith_arch ith_arch_cohere2 = {
    .name = "cohere2",
    .layer = ith_layer_of_parallel,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .norm = ITH_NORM_LAYER,
    .rope_pairs = true,
    .traits = ith_cohere_traits,
    .keys = ith_cohere_keys,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {40, 8192, 22528, 64, 256000},
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 4,
    .full_no_rope = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 8192,
                 .window = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .tied_embeddings = true,
                 .bos = 5,
                 .eos = 255001},
};
