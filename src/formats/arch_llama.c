/* Llama 2 and 3 (arXiv 2307.09288, 2407.21783) and models of their shape, SmolLM2 among them. */
#include "formats/arch.h"

const ith_arch ith_arch_llama = {
    .name = "llama",
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = false,
    .gguf_interleaved_qk = true,
};
