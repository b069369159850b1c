/* arch_olmo.c - OLMo, first generation (arXiv 2402.00838): Llama with LayerNorms that have no
 * weights, and in some models a limit of queries, keys and values. */
#include "formats/arch.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"olmo", "OlmoForCausalLM"}, {NULL, NULL}};

/* Of both formats. */
static const ith_own_name no_norms[] = {{ITH_ROLE_ATTN_NORM, NULL},
                                        {ITH_ROLE_FFN_NORM, NULL},
                                        {ITH_ROLE_OUT_NORM, NULL},
                                        {ITH_ROLE_NONE, NULL}};

/* Folders do not say the epsilon. */
static const ith_arch_key keys[] = {
    {NULL, "attention.layer_norm_epsilon", ITH_KEY_REAL, offsetof(ith_hparams, rms_eps)},
    {"clip_qkv", "attention.clamp_kqv", ITH_KEY_REAL, offsetof(ith_hparams, qkv_limit)},
    {0}};

const ith_arch ith_arch_olmo = {
    .name = "olmo",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = no_norms,
    .gguf_own = no_norms,
    .norm = ITH_NORM_LAYER,
    .gguf_interleaved_qk = true,
    .keys = keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_vocab = 50304,
                 .n_heads = 32,
                 .ctx = 2048,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = -1,
                 .eos = 50279},
};
