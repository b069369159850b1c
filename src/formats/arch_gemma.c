/* arch_gemma.c - Gemma 1 (arXiv 2403.08295): norms whose weights are stored minus 1, embeddings
 * times sqrt(hidden), GELU. */
#include "formats/arch_gemma.h"

#include <math.h>

static const ith_hf_class classes[] = {{"gemma", "GemmaForCausalLM"}, {NULL, NULL}};

void ith_gemma_scale_embeddings(ith_hparams *hp)
{
    hp->embed_scale = (double)sqrtf((float)hp->hidden);
}

static void scale(ith_hparams *hp, double scalar)
{
    ith_gemma_scale_embeddings(hp);
    hp->attn_scale = 1 / sqrt(scalar);
}

ith_status ith_gemma_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err)
{
    double scalar = 256;

    ITH_TRY(ith_json_real(config, where, "query_pre_attn_scalar", &scalar, err));
    scale(hp, scalar);
    return ITH_OK;
}

void ith_gemma_scale_gguf(ith_hparams *hp, int64_t layers_of_27b)
{
    scale(hp, hp->n_layers == layers_of_27b ? (double)hp->hidden / (double)hp->n_heads
                                            : (double)hp->head_dim);
}

/* "hidden_act" says "gelu" in old files, and means GELU by tanh. */
static const char *const config_keys[] = {"hidden_act", "hidden_activation", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    (void)config, (void)where, (void)err;
    hp->act = ITH_ACT_GELU_TANH;
    ith_gemma_scale_embeddings(hp);
    return ITH_OK;
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    (void)meta, (void)tensors;
    return read_config(NULL, NULL, hp, err);
}

const ith_arch ith_arch_gemma = {
    .name = "gemma",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_norms_minus_1 = true,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_kv_heads = 16,
                 .head_dim = 256,
                 .ctx = 8192,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .tied_embeddings = true,
                 .bos = 2,
                 .eos = 1},
    .config_keys = config_keys,
    .read_config = read_config,
    .read_gguf = read_gguf,
};
