/* arch_seed_oss.c - Seed-OSS: Llama with biases, head_dim independent of hidden / heads. */
#include "formats/arch.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"seed_oss", "SeedOssForCausalLM"}, {NULL, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_FFN_NORM, "blk.%d.post_attention_norm.weight"},
                                        {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"attention_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, qkv_bias)},
    {"attention_out_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, o_bias)},
    {0}};

const ith_arch ith_arch_seed_oss = {
    .name = "seed_oss",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_own = gguf_own,
    .qkv_bias = true,
    .keys = keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_kv_heads = 8,
                 .head_dim = 128,
                 .ctx = 524288,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .bos = 0,
                 .eos = 2},
};
