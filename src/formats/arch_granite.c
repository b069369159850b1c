/* arch_granite.c - Granite 3, dense: Llama with a scale for embeddings, scores, what each block
 * adds, and logits. */
#include "formats/arch_granite.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"granite", "GraniteForCausalLM"}, {NULL, NULL}};

const ith_arch_key ith_granite_keys[] = {
    {"embedding_multiplier", "embedding_scale", ITH_KEY_REAL, offsetof(ith_hparams, embed_scale)},
    {"residual_multiplier", "residual_scale", ITH_KEY_REAL, offsetof(ith_hparams, residual_scale)},
    {"attention_multiplier", "attention.scale", ITH_KEY_REAL, offsetof(ith_hparams, attn_scale)},
    {"logits_scaling", "logit_scale", ITH_KEY_REAL, offsetof(ith_hparams, logit_scale)},
    {0}};

void ith_granite_traits(ith_hparams *hp)
{
    hp->attn_scale = 1;
}

/* Both formats have the number that logits are divided by. */
ith_status ith_granite_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                   ith_error *err)
{
    (void)config, (void)where, (void)err;
    hp->logit_scale = 1 / hp->logit_scale;
    return ITH_OK;
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    (void)meta, (void)tensors;
    return ith_granite_read_config(NULL, NULL, hp, err);
}

const ith_arch ith_arch_granite = {
    .name = "granite",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_interleaved_qk = true,
    .traits = ith_granite_traits,
    .keys = ith_granite_keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.ctx = 2048, .rms_eps = 1e-6, .rope_theta = 10000, .bos = 1, .eos = 2},
    .read_config = ith_granite_read_config,
    .read_gguf = read_gguf,
};
