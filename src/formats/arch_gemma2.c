/* arch_gemma2.c - Gemma 2 (arXiv 2408.00118): Gemma with norms before and after each block, soft
 * caps of scores and logits, and windows in every other layer. */
#include "formats/arch_gemma.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"gemma2", "Gemma2ForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {NULL, "attn_logit_softcapping", ITH_KEY_REAL, offsetof(ith_hparams, attn_softcap)},
    {NULL, "final_logit_softcapping", ITH_KEY_REAL, offsetof(ith_hparams, logit_softcap)},
    {"hidden_activation", NULL, ITH_KEY_ACTIVATION, offsetof(ith_hparams, act)},
    {0}};

enum { LAYERS_OF_27B = 46 };

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    (void)meta, (void)tensors, (void)err;
    ith_gemma_scale_gguf(hp, LAYERS_OF_27B);
    return ITH_OK;
}

const ith_arch ith_arch_gemma2 = {
    .name = "gemma2",
    .layer = ith_layer_of_sandwich,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_names_hf_of_sandwich,
    .hf_norms_minus_1 = true,
    .traits = ith_gemma_capped_traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 2,
    .window_step_of_class = true,
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
    .config_keys = ith_gemma_capped_keys,
    .read_config = ith_gemma_read_capped,
    .read_gguf = read_gguf,
};
