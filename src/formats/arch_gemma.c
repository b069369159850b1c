/* arch_gemma.c - Gemma 1 (arXiv 2403.08295): norms whose weights are stored minus 1, embeddings
 * times sqrt(hidden), GELU. */
#include "formats/arch_gemma.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"
#include "formats/tensor_table.h"

#include <math.h>
#include <string.h>

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

ith_status ith_gemma_read_cap(const json_t *config, const char *where, const char *key, double *cap,
                              ith_error *err)
{
    const json_t *value = json_object_get(config, key);

    if (json_is_null(value))
        *cap = 0;
    if (json_is_number(value) && json_number_value(value) == 0) /* the class would divide by it */
        return ith_hf_refuse(where, key, "0", err);
    return ith_json_real(config, where, key, cap, err);
}

const char *const ith_gemma_capped_keys[] = {"hidden_act", "attn_logit_softcapping",
                                             "final_logit_softcapping", "query_pre_attn_scalar",
                                             NULL};

void ith_gemma_capped_traits(ith_hparams *hp)
{
    hp->act = ITH_ACT_GELU_TANH;
    hp->attn_softcap = 50;
    hp->logit_softcap = 30;
}

ith_status ith_gemma_read_capped(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err)
{
    ITH_TRY(ith_gemma_read_cap(config, where, "attn_logit_softcapping", &hp->attn_softcap, err));
    ITH_TRY(ith_gemma_read_cap(config, where, "final_logit_softcapping", &hp->logit_softcap, err));
    return ith_gemma_read_config(config, where, hp, err);
}

ith_status ith_gemma_read_widths(const struct ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    static const char key[] = "feed_forward_length";
    const ith_gguf_pair *pair = ith_gguf_find(meta, hp->architecture, key);
    uint32_t first = 0, last = 0;

    if (pair == NULL || pair->type != ITH_GGUF_ARRAY)
        return ith_gguf_need_int(meta, hp->architecture, key, &hp->ffn, err);
    if ((pair->item_type != ITH_GGUF_I32 && pair->item_type != ITH_GGUF_U32) ||
        !ith_hparams_lists_layers(hp, pair->count))
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s should be a number or one of each layer",
                        meta->path, hp->architecture, key);
    memcpy(&first, pair->value, sizeof first);
    memcpy(&last, pair->value + 4 * (hp->n_layers - 1), sizeof last);
    hp->ffn = first;
    hp->wide_sharers = hp->shared_kv > 0 && last != first;
    for (int64_t i = 0; i < hp->n_layers; i++) {
        uint32_t rows;
        memcpy(&rows, pair->value + 4 * i, sizeof rows);
        if (rows != ith_hparams_ffn(hp, i))
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: %s.%s: more than one width in layers of a kind is not supported",
                            meta->path, hp->architecture, key);
    }
    return ITH_OK;
}

ith_status ith_gemma_read_inputs(const struct ith_gguf_meta *meta,
                                 const struct ith_tensor_table *tensors, ith_hparams *hp,
                                 ith_error *err)
{
    const ith_arch *arch = ith_arch_find(hp->architecture);
    const char *name = ith_arch_pattern(arch, true, ITH_ROLE_INPUTS_EMBED);
    const ith_tensor *t = ith_tensor_table_find(tensors, name);

    hp->layer_inputs.n_vocab = t != NULL ? t->dims[0] : 0;
    if (hp->layer_inputs.size == 0 || t != NULL)
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing", meta->path, name);
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
