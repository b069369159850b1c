/* Qwen3 with mixtures of experts (arXiv 2505.09388): Qwen3-30B-A3B, Qwen3-235B-A22B. The hyperparameters say which layers have experts. */
#include "formats/arch.h"

const ith_arch ith_arch_qwen3moe = {
    .name = "qwen3moe",
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = true,
    .gguf_interleaved_qk = false,
};
