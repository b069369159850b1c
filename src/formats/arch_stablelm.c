/* arch_stablelm.c - StableLM 3B and 2 (arXiv 2402.17834): LayerNorm with bias, a quarter of the
 * head rotated; 2-12B has attention and MLP side by side and a LayerNorm with its own weights on
 * each query and key head. */
#include "formats/arch.h"

#include "formats/hf_config.h"
#include "formats/tensor_table.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"stablelm", "StableLmForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_Q_HEAD_NORM, "model.layers.%d.self_attn.q_layernorm.norms.%d.weight"},
    {ITH_ROLE_K_HEAD_NORM, "model.layers.%d.self_attn.k_layernorm.norms.%d.weight"},
    {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"layer_norm_eps", "attention.layer_norm_epsilon", ITH_KEY_REAL,
     offsetof(ith_hparams, rms_eps)},
    {"use_qkv_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, qkv_bias)},
    {"use_parallel_residual", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, parallel)},
    {0}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    return hp->parallel ? ith_layer_of_parallel(hp, i) : ith_layer_of_attention_and_mlp(hp, i);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool on = false;

    ITH_TRY(ith_json_bool(config, where, "qk_layernorm", &on, err));
    hp->qk_norm = on ? ITH_QK_NORM_HEADS : ITH_QK_NORM_NONE;
    return ITH_OK;
}

/* GGUF files tell by their tensors; use_parallel_residual says nothing that these do not. */
static const char *const gguf_keys[] = {"use_parallel_residual", NULL};

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    bool norm = ith_tensor_table_find(tensors, "blk.0.attn_q_norm.weight") != NULL;

    (void)meta, (void)err;
    hp->qk_norm = norm ? ITH_QK_NORM_HEADS : ITH_QK_NORM_NONE;
    hp->parallel = ith_tensor_table_find(tensors, "blk.0.ffn_norm.weight") == NULL;
    return ITH_OK;
}

const ith_arch ith_arch_stablelm = {
    .name = "stablelm",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .norm = ITH_NORM_LAYER,
    .norm_bias = true,
    .keys = keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .partial_rotary = true,
    .defaults = {.n_kv_heads = 32,
                 .ctx = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .rotated = 0.25,
                 .bos = 0,
                 .eos = 0},
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
};
