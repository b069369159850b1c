/* arch_qwen2.c - Qwen2 and Qwen2.5, dense (arXiv 2407.10671, 2412.15115): biases on queries, keys
 * and values, no norm on heads, windows in the last layers of some models. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"qwen2", "Qwen2ForCausalLM"}, {NULL, NULL}};

/* Their text is of this family. */
static const ith_hf_class wrappers[] = {
    {"llava_onevision", "LlavaOnevisionForConditionalGeneration"},
    {"llava_next", "LlavaNextForConditionalGeneration"},
    {"internvl", "InternVLForConditionalGeneration"},
    {NULL, NULL}};

const ith_arch ith_arch_qwen2 = {
    .name = "qwen2",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qkv_bias = true,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {32, 4096, 22016, 32, 151936},
    .windows = ITH_WINDOWS_ASKED,
    .defaults = {.n_kv_heads = 32,
                 .ctx = 32768,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .window_first = 28,
                 .bos = -1,
                 .eos = -1},
};
