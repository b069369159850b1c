/* arch_gemma2.c - Gemma 2 (arXiv 2408.00118): Gemma with norms before and after each block, soft
 * caps of scores and logits, and windows in every other layer. */
#include "formats/arch.h"

#include "formats/hf_config.h"

#include <math.h>
#include <stddef.h>

static const ith_hf_class classes[] = {{"gemma2", "Gemma2ForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_ATTN_POST_NORM, "model.layers.%d.post_attention_layernorm.weight"},
    {ITH_ROLE_FFN_NORM, "model.layers.%d.pre_feedforward_layernorm.weight"},
    {ITH_ROLE_FFN_POST_NORM, "model.layers.%d.post_feedforward_layernorm.weight"},
    {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {NULL, "attn_logit_softcapping", ITH_KEY_REAL, offsetof(ith_hparams, attn_softcap)},
    {NULL, "final_logit_softcapping", ITH_KEY_REAL, offsetof(ith_hparams, logit_softcap)},
    {"hidden_activation", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->act = ITH_ACT_GELU_TANH;
    hp->attn_softcap = 50;
    hp->logit_softcap = 30;
}

static const char *const config_keys[] = {"hidden_act", "attn_logit_softcapping",
                                          "final_logit_softcapping", "query_pre_attn_scalar", NULL};

/* null: no cap. */
static ith_status read_cap(const json_t *config, const char *where, const char *key, double *cap,
                           ith_error *err)
{
    if (json_is_null(json_object_get(config, key)))
        *cap = 0;
    return ith_json_real(config, where, key, cap, err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    double scalar = 256;

    hp->embed_scale = (double)sqrtf((float)hp->hidden);
    ITH_TRY(read_cap(config, where, "attn_logit_softcapping", &hp->attn_softcap, err));
    ITH_TRY(read_cap(config, where, "final_logit_softcapping", &hp->logit_softcap, err));
    ITH_TRY(ith_json_real(config, where, "query_pre_attn_scalar", &scalar, err));
    hp->attn_scale = 1 / sqrt(scalar);
    return ITH_OK;
}

/* GGUF files have no query_pre_attn_scalar: it is the head size, but in the 27B model, which has 46
 * layers, hidden / heads. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    double scalar =
        hp->n_layers == 46 ? (double)hp->hidden / (double)hp->n_heads : (double)hp->head_dim;

    (void)meta, (void)tensors, (void)err;
    hp->embed_scale = (double)sqrtf((float)hp->hidden);
    hp->attn_scale = 1 / sqrt(scalar);
    return ITH_OK;
}

const ith_arch ith_arch_gemma2 = {
    .name = "gemma2",
    .layer = ith_layer_of_sandwich,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .hf_norms_minus_1 = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 2,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_kv_heads = 4,
                 .head_dim = 256,
                 .ctx = 8192,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .tied_embeddings = true,
                 .bos = 2,
                 .eos = 1},
    .config_keys = config_keys,
    .read_config = read_config,
    .read_gguf = read_gguf,
};
