/* arch_qwen3vl.c - the text of Qwen3-VL, dense (arXiv 2511.21631): Qwen3. Images would add to the
 * first layers too; of text all sections of rotary positions are the same. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"qwen3_vl_text", "Qwen3VLForConditionalGeneration"},
                                       {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"qwen3_vl", "Qwen3VLForConditionalGeneration"},
                                        {NULL, NULL}};

static const char *const config_keys[] = {"mrope_section", NULL};
static const char *const gguf_keys[] = {"rope.dimension_sections", "n_deepstack_layers", NULL};

const ith_arch ith_arch_qwen3vl = {
    .name = "qwen3vl",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {32, 4096, 22016, 32, 151936},
    .defaults = {.n_vocab = 151936,
                 .n_heads = 32,
                 .n_kv_heads = 32,
                 .head_dim = 128,
                 .ctx = 128000,
                 .rms_eps = 1e-6,
                 .rope_theta = 500000,
                 .bos = -1,
                 .eos = -1},
    .config_keys = config_keys,
    .gguf_keys = gguf_keys,
};
