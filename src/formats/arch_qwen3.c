/* Qwen3, dense (arXiv 2505.09388): RMSNorm on every query and key head, no biases, head_dim apart from hidden / heads. */
#include "formats/arch.h"

const ith_arch ith_arch_qwen3 = {
    .name = "qwen3",
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = true,
    .gguf_interleaved_qk = false,
};
