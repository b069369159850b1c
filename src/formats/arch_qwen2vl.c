/* arch_qwen2vl.c - the text of Qwen2-VL and Qwen2.5-VL (arXiv 2409.12191, 2502.13923): Qwen2. Its
 * rotary positions have three sections, for time, height and width; of text all are the same. */
#include "formats/arch.h"

/* Files of the hub say of the whole what newer ones say in text_config. */
static const ith_hf_class classes[] = {{"qwen2_vl", "Qwen2VLForConditionalGeneration"},
                                       {"qwen2_vl_text", "Qwen2VLForConditionalGeneration"},
                                       {"qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration"},
                                       {"qwen2_5_vl_text", "Qwen2_5_VLForConditionalGeneration"},
                                       {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"qwen2_vl", "Qwen2VLForConditionalGeneration"},
                                        {"qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration"},
                                        {NULL, NULL}};

static const char *const config_keys[] = {"mrope_section", NULL};
static const char *const gguf_keys[] = {"rope.dimension_sections", NULL};

const ith_arch ith_arch_qwen2vl = {
    .name = "qwen2vl",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qkv_bias = true,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {80, 8192, 29568, 64, 152064},
    .windows = ITH_WINDOWS_ASKED,
    .defaults = {.n_vocab = 152064,
                 .n_heads = 64,
                 .n_kv_heads = 8,
                 .ctx = 32768,
                 .window = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .window_first = 80,
                 .bos = 151643,
                 .eos = 151645},
    .config_keys = config_keys,
    .gguf_keys = gguf_keys,
};
