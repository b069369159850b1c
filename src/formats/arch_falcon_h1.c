/* arch_falcon_h1.c - Falcon-H1 (arXiv 2507.22448): Mamba2 and attention side by side in every
 * layer, with scales for almost everything, which GGUF files have in the weights. */
#include "formats/arch_recurrent.h"

#include "formats/hf_config.h"
#include "formats/tensor_table.h"

#include <math.h>
#include <stddef.h>

static const ith_hf_class classes[] = {{"falcon_h1", "FalconH1ForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_OUT_NORM, "model.final_layernorm.weight"},
    {ITH_ROLE_FFN_NORM, "model.layers.%d.pre_ff_layernorm.weight"},
    {ITH_ROLE_GATE, "model.layers.%d.feed_forward.gate_proj.weight"},
    {ITH_ROLE_UP, "model.layers.%d.feed_forward.up_proj.weight"},
    {ITH_ROLE_DOWN, "model.layers.%d.feed_forward.down_proj.weight"},
    {ITH_ROLE_GATE_BIAS, "model.layers.%d.feed_forward.gate_proj.bias"},
    {ITH_ROLE_UP_BIAS, "model.layers.%d.feed_forward.up_proj.bias"},
    {ITH_ROLE_DOWN_BIAS, "model.layers.%d.feed_forward.down_proj.bias"},
    ITH_MAMBA_NAMES("model.layers.%d.mamba."),
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {
    {ITH_ROLE_FFN_NORM, "blk.%d.ffn_norm"}, ITH_MAMBA_GGUF_NAMES, {ITH_ROLE_NONE, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    (void)hp, (void)i;
    return (ith_layer_form){3,
                            {{.norm = ITH_ROLE_ATTN_NORM, .block = "mamba"},
                             {.block = "attention", .beside = true},
                             {.norm = ITH_ROLE_FFN_NORM, .block = "mlp"}}};
}

static const ith_arch_key keys[] = {
    {"embedding_multiplier", NULL, ITH_KEY_REAL, offsetof(ith_hparams, embed_scale)},
    {"lm_head_multiplier", NULL, ITH_KEY_REAL, offsetof(ith_hparams, logit_scale)},
    {"ssm_out_multiplier", NULL, ITH_KEY_REAL, offsetof(ith_hparams, mamba.scale_out)},
    {0}};

/* ---- config.json ---- */

/* A list of n numbers, if the key is there. */
static ith_status read_list(const json_t *config, const char *where, const char *key, int n,
                            double *const *out, ith_error *err)
{
    const json_t *list = json_object_get(config, key);

    if (list == NULL || json_is_null(list))
        return ITH_OK;
    if (!json_is_array(list) || json_array_size(list) != (size_t)n)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a list of %d numbers", where, key,
                        n);
    for (int i = 0; i < n; i++) {
        const json_t *number = json_array_get(list, (size_t)i);
        if (!json_is_number(number))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should hold numbers", where, key);
        *out[i] = json_number_value(number);
    }
    return ITH_OK;
}

/* Queries, keys and values are linear in what attention reads, if they have no biases: its scale
 * goes to the scores, twice, and to the output. */
static ith_status read_attention_scales(const json_t *config, const char *where, ith_hparams *hp,
                                        ith_error *err)
{
    double in = 1, key = 1, out = 1;

    ITH_TRY(ith_json_real(config, where, "attention_in_multiplier", &in, err));
    ITH_TRY(ith_json_real(config, where, "key_multiplier", &key, err));
    ITH_TRY(ith_json_real(config, where, "attention_out_multiplier", &out, err));
    if (!(in > 0 && key > 0 && out > 0))
        return ith_hf_refuse(where,
                             "attention_in_multiplier, key_multiplier or "
                             "attention_out_multiplier",
                             "a value that is not positive", err);
    if (in != 1 && json_is_true(json_object_get(config, "attention_bias")))
        return ith_hf_refuse(where, "attention_bias", "true beside attention_in_multiplier", err);
    if (in != 1 || key != 1)
        hp->attn_scale = in * in * key / sqrt((double)hp->head_dim);
    hp->attn_out_scale = in * out;
    return ITH_OK;
}

static ith_status read_scales(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_mamba_params *m = &hp->mamba;
    double in = 1;
    double *const factors[] = {&m->scale_z, &m->scale_x, &m->scale_b, &m->scale_c, &m->scale_dt},
                  *const mlp[] = {&hp->ffn_gate_scale, &hp->ffn_out_scale};

    ITH_TRY(read_attention_scales(config, where, hp, err));
    ITH_TRY(ith_json_real(config, where, "ssm_in_multiplier", &in, err));
    ITH_TRY(read_list(config, where, "ssm_multipliers", 5, factors, err));
    for (int i = 0; i < 5; i++)
        *factors[i] *= in;
    return read_list(config, where, "mlp_multipliers", 2, mlp, err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_mamba_params *m = &hp->mamba;
    int64_t inner = 1024;
    bool before = true, biased = false;

    ith_mamba_set_defaults(hp);
    m->norm = false;
    ITH_TRY(ith_json_bool(config, where, "mamba_rms_norm", &m->norm, err));
    ITH_TRY(ith_json_bool(config, where, "mamba_norm_before_gate", &before, err));
    ITH_TRY(ith_json_bool(config, where, "projectors_bias", &biased, err));
    if (m->norm && before)
        return ith_hf_refuse(where, "mamba_norm_before_gate", "true", err);
    if (biased)
        return ith_hf_refuse(where, "projectors_bias", "true", err);
    ITH_TRY(ith_mamba_read_config(config, where, hp, err));
    ITH_TRY(ith_json_int(config, where, "mamba_d_ssm", 1, ITH_SIZE_LIMIT, &inner, err));
    if (!json_is_integer(json_object_get(config, "mamba_d_head")) &&
        json_is_integer(json_object_get(config, "mamba_d_ssm")) && m->heads > 0)
        m->head_dim = inner / m->heads;
    if (json_is_integer(json_object_get(config, "mamba_d_ssm")) && m->head_dim * m->heads != inner)
        return ith_hf_refuse(where, "mamba_d_ssm", "another size than that of all heads", err);
    return read_scales(config, where, hp, err);
}

/* ---- GGUF ---- */

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    ITH_TRY(ith_gguf_int(meta, hp->architecture, "attention.head_count_kv", 1, ITH_SIZE_LIMIT,
                         &hp->n_kv_heads, err));
    ITH_TRY(ith_mamba_read_gguf(meta, hp, err));
    hp->mamba.norm = ith_tensor_table_find(tensors, "blk.0.ssm_norm.weight") != NULL;
    return ITH_OK;
}

const ith_arch ith_arch_falcon_h1 = {
    .name = "falcon-h1",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .keys = keys,
    .hf_classes = classes,
    .recurrent = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_vocab = 128000,
                 .n_heads = 32,
                 .n_kv_heads = 8,
                 .ctx = 8192,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 1,
                 .eos = 2},
    .read_config = read_config,
    .read_gguf = read_gguf,
};
