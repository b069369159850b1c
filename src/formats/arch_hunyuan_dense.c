/* arch_hunyuan_dense.c - HunYuan dense, 0.5B to 7B: RMSNorm on query and key heads after RoPE,
 * whose base grows by a constant of the model ("dynamic" with an alpha; GGUF files hold the
 * product). */
#include "formats/arch.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM"},
                                       {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_Q_NORM, "model.layers.%d.self_attn.query_layernorm.weight"},
    {ITH_ROLE_K_NORM, "model.layers.%d.self_attn.key_layernorm.weight"},
    {ITH_ROLE_NONE, NULL}};

/* Layers that share keys and values. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool shared = false;

    (void)hp;
    ITH_TRY(ith_json_bool(config, where, "use_cla", &shared, err));
    return shared ? ith_hf_refuse(where, "use_cla", "true", err) : ITH_OK;
}

const ith_arch ith_arch_hunyuan_dense = {
    .name = "hunyuan-dense",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .qk_norm = ITH_QK_NORM_HEAD,
    .qk_norm_after_rope = true,
    .hf_classes = classes,
    .rope_alpha = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 2048, .rms_eps = 1e-5, .rope_theta = 10000, .bos = 1, .eos = 2},
    .read_config = read_config,
};
