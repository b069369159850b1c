/* arch_gemma3.c - Gemma 3 (arXiv 2503.19786): Gemma 2 without caps, with RMSNorm on query and key
 * heads, windows in five of six layers, and a rotary base of their own in these. */
#include "formats/arch_gemma.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"gemma3_text", "Gemma3ForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"gemma3", "Gemma3ForConditionalGeneration"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"rope_local_base_freq", "rope.freq_base_swa", ITH_KEY_REAL,
     offsetof(ith_hparams, window_theta)},
    {"final_logit_softcapping", "final_logit_softcapping", ITH_KEY_REAL,
     offsetof(ith_hparams, logit_softcap)},
    {"hidden_activation", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->act = ITH_ACT_GELU_TANH;
    hp->window_theta = 10000;
}

/* The class has "attn_logit_softcapping", but scores have no cap. */
static const char *const config_keys[] = {"hidden_act", "query_pre_attn_scalar",
                                          "attn_logit_softcapping", NULL};

enum { LAYERS_OF_27B = 62 };

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    (void)meta, (void)tensors, (void)err;
    ith_gemma_scale_gguf(hp, LAYERS_OF_27B);
    return ITH_OK;
}

const ith_arch ith_arch_gemma3 = {
    .name = "gemma3",
    .layer = ith_layer_of_sandwich,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_sandwich,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_norms_minus_1 = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {26, 2304, 9216, 8, 262208},
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 6,
    .window_rope = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_vocab = 262208,
                 .n_heads = 8,
                 .n_kv_heads = 4,
                 .head_dim = 256,
                 .ctx = 131072,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 1000000,
                 .tied_embeddings = true,
                 .bos = 2,
                 .eos = 1},
    .config_keys = config_keys,
    .read_config = ith_gemma_read_config,
    .read_gguf = read_gguf,
};
