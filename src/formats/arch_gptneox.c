/* arch_gptneox.c - GPT-NeoX and Pythia (arXiv 2204.06745, 2304.01373): attention and MLP side by
 * side, each behind a LayerNorm of its own, biases everywhere, rotary positions on a quarter of the
 * head. */
#include "formats/arch.h"

#include "formats/hf_config.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"gpt_neox", "GPTNeoXForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_EMBED, "gpt_neox.embed_in.weight"},
    {ITH_ROLE_OUT_NORM, "gpt_neox.final_layer_norm.weight"},
    {ITH_ROLE_OUT_NORM_BIAS, "gpt_neox.final_layer_norm.bias"},
    {ITH_ROLE_OUTPUT, "embed_out.weight"},
    {ITH_ROLE_ATTN_NORM, "gpt_neox.layers.%d.input_layernorm.weight"},
    {ITH_ROLE_ATTN_NORM_BIAS, "gpt_neox.layers.%d.input_layernorm.bias"},
    {ITH_ROLE_QKV, "gpt_neox.layers.%d.attention.query_key_value.weight"},
    {ITH_ROLE_QKV_BIAS, "gpt_neox.layers.%d.attention.query_key_value.bias"},
    {ITH_ROLE_O, "gpt_neox.layers.%d.attention.dense.weight"},
    {ITH_ROLE_O_BIAS, "gpt_neox.layers.%d.attention.dense.bias"},
    {ITH_ROLE_FFN_NORM, "gpt_neox.layers.%d.post_attention_layernorm.weight"},
    {ITH_ROLE_FFN_NORM_BIAS, "gpt_neox.layers.%d.post_attention_layernorm.bias"},
    {ITH_ROLE_UP, "gpt_neox.layers.%d.mlp.dense_h_to_4h.weight"},
    {ITH_ROLE_UP_BIAS, "gpt_neox.layers.%d.mlp.dense_h_to_4h.bias"},
    {ITH_ROLE_DOWN, "gpt_neox.layers.%d.mlp.dense_4h_to_h.weight"},
    {ITH_ROLE_DOWN_BIAS, "gpt_neox.layers.%d.mlp.dense_4h_to_h.bias"},
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_QKV, "blk.%d.attn_qkv.weight"},
                                        {ITH_ROLE_QKV_BIAS, "blk.%d.attn_qkv.bias"},
                                        {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {{"layer_norm_eps", "attention.layer_norm_epsilon", ITH_KEY_REAL,
                                     offsetof(ith_hparams, rms_eps)},
                                    {"use_parallel_residual", "use_parallel_residual", ITH_KEY_BOOL,
                                     offsetof(ith_hparams, parallel)},
                                    {0}};

static void traits(ith_hparams *hp)
{
    hp->parallel = hp->ungated = true;
    hp->act = ITH_ACT_GELU;
    hp->qkv_bias = hp->o_bias = hp->mlp_bias = true;
}

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_mlp(hp, i);

    form.sub[1].beside = hp->parallel;
    return form;
}

static const char *const config_keys[] = {"attention_bias", "rotary_pct", "partial_rotary_factor",
                                          NULL};

/* A number that the class does not read if the file says it under `key` outside of RoPE's own
 * object; it may stand there as it is. */
static ith_status check_same(const json_t *config, const char *where, const char *key, double read,
                             ith_error *err)
{
    double value = read;

    ITH_TRY(ith_json_real(config, where, key, &value, err));
    return value == read ? ITH_OK
                         : ith_hf_refuse(where, key, "another value than the class reads", err);
}

/* Transformers' class reads RoPE's own object, then its own old names "rotary_pct" and
 * "rotary_emb_base". */
static ith_status read_rope(const json_t *config, const char *where, ith_hparams *hp,
                            ith_error *err)
{
    static const char key[] = "partial_rotary_factor";
    const json_t *params = ith_hf_rope_params(config);
    double share = 0.25, theta = 10000;

    ITH_TRY(ith_json_real(config, where, "rotary_pct", &share, err));
    ITH_TRY(ith_json_real(params, where, key, &share, err));
    ITH_TRY(ith_json_real(config, where, "rotary_emb_base", &theta, err));
    ITH_TRY(ith_json_real(params, where, "rope_theta", &theta, err));
    ITH_TRY(check_same(config, where, key, share, err));
    ITH_TRY(check_same(config, where, "rope_theta", theta, err));
    hp->rope.theta = theta;
    return ith_hf_rotate_share(where, key, share, hp, err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool on = true;

    ITH_TRY(ith_json_bool(config, where, "attention_bias", &on, err));
    hp->qkv_bias = hp->o_bias = on;
    return read_rope(config, where, hp, err);
}

const ith_arch ith_arch_gptneox = {
    .name = "gptneox",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .norm = ITH_NORM_LAYER,
    .norm_bias = true,
    .hf_qkv_in_turn = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .partial_rotary = true,
    .defaults = {.n_vocab = 50432,
                 .n_heads = 64,
                 .ctx = 2048,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 0,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
};
