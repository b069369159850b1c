/* arch_mistral.c - Mistral (arXiv 2310.06825) and Ministral of 2024 in Hugging Face's files: Llama
 * with a window in all layers, or in those that layer_types lists. GGUF files of these models say
 * that they are of Llama. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {
    {"mistral", "MistralForCausalLM"}, {"ministral", "MinistralForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"mistral3", "Mistral3ForConditionalGeneration"},
                                        {"llava", "LlavaForConditionalGeneration"},
                                        {"llava_next", "LlavaNextForConditionalGeneration"},
                                        {NULL, NULL}};

const ith_arch ith_arch_mistral = {
    .name = "mistral",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {32, 4096, 14336, 32, 32000},
    .windows = ITH_WINDOWS_ALL,
    .typed = "ministral",
    .defaults = {.n_kv_heads = 8,
                 .ctx = 131072,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .bos = 1,
                 .eos = 2},
};
