/* arch_starcoder2.c - StarCoder2 (arXiv 2402.19173): LayerNorm with bias, biases everywhere, an MLP
 * without a gate, a window in all layers. */
#include "formats/arch.h"

#include "formats/hf_config.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"starcoder2", "Starcoder2ForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {{ITH_ROLE_UP, "model.layers.%d.mlp.c_fc.weight"},
                                      {ITH_ROLE_DOWN, "model.layers.%d.mlp.c_proj.weight"},
                                      {ITH_ROLE_UP_BIAS, "model.layers.%d.mlp.c_fc.bias"},
                                      {ITH_ROLE_DOWN_BIAS, "model.layers.%d.mlp.c_proj.bias"},
                                      {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"norm_epsilon", "attention.layer_norm_epsilon", ITH_KEY_REAL, offsetof(ith_hparams, rms_eps)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->ungated = true;
    hp->act = ITH_ACT_GELU_TANH;
    hp->qkv_bias = hp->o_bias = hp->mlp_bias = true;
}

static const char *const config_keys[] = {"use_bias", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool on = true;

    ITH_TRY(ith_json_bool(config, where, "use_bias", &on, err));
    hp->qkv_bias = hp->o_bias = hp->mlp_bias = on;
    return ITH_OK;
}

const ith_arch ith_arch_starcoder2 = {
    .name = "starcoder2",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .norm = ITH_NORM_LAYER,
    .norm_bias = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_ALL,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_kv_heads = 2,
                 .ctx = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .tied_embeddings = true,
                 .bos = 50256,
                 .eos = 50256},
    .config_keys = config_keys,
    .read_config = read_config,
};
