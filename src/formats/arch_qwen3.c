/* arch_qwen3.c - Qwen3, dense (arXiv 2505.09388): RMSNorm on every query and key head, no biases,
 * head_dim independent of hidden / heads. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"qwen3", "Qwen3ForCausalLM"}, {NULL, NULL}};

/* Their text is of this family. */
static const ith_hf_class wrappers[] = {{"internvl", "InternVLForConditionalGeneration"},
                                        {NULL, NULL}};

const ith_arch ith_arch_qwen3 = {
    .name = "qwen3",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {32, 4096, 22016, 32, 151936},
    .windows = ITH_WINDOWS_ASKED,
    .defaults = {.n_kv_heads = 32,
                 .head_dim = 128,
                 .ctx = 32768,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .window_first = 28,
                 .bos = -1,
                 .eos = -1},
};
