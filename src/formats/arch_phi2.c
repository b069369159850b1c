/* arch_phi2.c - Phi-1, 1.5 and 2 (arXiv 2306.11644): attention and MLP side by side behind one
 * LayerNorm, biases everywhere and on the logits, rotary positions on a part of the head. */
#include "formats/arch.h"

#include "formats/hf_config.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"phi", "PhiForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {{ITH_ROLE_OUT_NORM, "model.final_layernorm.weight"},
                                      {ITH_ROLE_OUT_NORM_BIAS, "model.final_layernorm.bias"},
                                      {ITH_ROLE_O, "model.layers.%d.self_attn.dense.weight"},
                                      {ITH_ROLE_O_BIAS, "model.layers.%d.self_attn.dense.bias"},
                                      {ITH_ROLE_UP, "model.layers.%d.mlp.fc1.weight"},
                                      {ITH_ROLE_UP_BIAS, "model.layers.%d.mlp.fc1.bias"},
                                      {ITH_ROLE_DOWN, "model.layers.%d.mlp.fc2.weight"},
                                      {ITH_ROLE_DOWN_BIAS, "model.layers.%d.mlp.fc2.bias"},
                                      {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_QKV, "blk.%d.attn_qkv.weight"},
                                        {ITH_ROLE_QKV_BIAS, "blk.%d.attn_qkv.bias"},
                                        {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {{"layer_norm_eps", "attention.layer_norm_epsilon", ITH_KEY_REAL,
                                     offsetof(ith_hparams, rms_eps)},
                                    {0}};

static void traits(ith_hparams *hp)
{
    hp->parallel = hp->ungated = true;
    hp->act = ITH_ACT_GELU_TANH;
    hp->qkv_bias = hp->o_bias = hp->mlp_bias = hp->output_bias = true;
}

/* In no published model. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool on = false;

    (void)hp;
    ITH_TRY(ith_json_bool(config, where, "qk_layernorm", &on, err));
    return on ? ith_hf_refuse(where, "qk_layernorm", "true", err) : ITH_OK;
}

const ith_arch ith_arch_phi2 = {
    .name = "phi2",
    .layer = ith_layer_of_parallel,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .norm = ITH_NORM_LAYER,
    .norm_bias = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .partial_rotary = true,
    .defaults = {.n_vocab = 51200,
                 .n_heads = 32,
                 .ctx = 2048,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .rotated = 0.5,
                 .bos = 1,
                 .eos = 2},
    .read_config = read_config,
};
