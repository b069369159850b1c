/* arch_qwen35.c - Qwen3.5, dense: three layers of Gated DeltaNet, then one of gated attention;
 * norms whose weights are stored minus 1. */
#include "formats/arch_qwen35.h"

#include "formats/arch_recurrent.h"
#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"qwen3_5_text", "Qwen3_5ForCausalLM"}, {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"qwen3_5", "Qwen3_5ForConditionalGeneration"},
                                        {NULL, NULL}};

ith_layer_form ith_qwen35_layer(const ith_hparams *hp, int64_t i)
{
    return ith_layer_of_recurrent(hp, i, "delta");
}

/* ---- config.json ---- */

/* Every so many layers one has attention. */
static ith_status set_interval(ith_hparams *hp, int64_t interval, const char *where, ith_error *err)
{
    return ith_arch_set_pattern(hp, interval, 0, ITH_LAYER_RECURRENT, where, err);
}

ith_status ith_qwen35_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                  ith_error *err)
{
    ith_delta_params *d = &hp->delta;
    const int64_t most = ITH_SIZE_LIMIT;
    int64_t interval = 4;

    *d = (ith_delta_params){16, 32, 128, 128, 4, false};
    hp->attn_gate = true;
    ITH_TRY(ith_json_int(config, where, "linear_num_key_heads", 1, most, &d->key_heads, err));
    ITH_TRY(ith_json_int(config, where, "linear_num_value_heads", 1, most, &d->value_heads, err));
    ITH_TRY(ith_json_int(config, where, "linear_key_head_dim", 1, most, &d->key_dim, err));
    ITH_TRY(ith_json_int(config, where, "linear_value_head_dim", 1, most, &d->value_dim, err));
    ITH_TRY(ith_json_int(config, where, "linear_conv_kernel_dim", 1, most, &d->taps, err));
    ITH_TRY(ith_json_bool(config, where, "attn_output_gate", &hp->attn_gate, err));
    ITH_TRY(ith_json_int(config, where, "full_attention_interval", 1, most, &interval, err));
    if (json_is_array(json_object_get(config, "layer_types")))
        return ITH_OK;
    return set_interval(hp, interval, where, err);
}

const char *const ith_qwen35_config_keys[] = {"mrope_section", "intermediate_size", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ITH_TRY(ith_hf_need_int(config, where, "intermediate_size", &hp->ffn, err));
    return ith_qwen35_read_config(config, where, hp, err);
}

/* ---- GGUF ---- */

static ith_status read_list(const ith_gguf_meta *meta, const ith_gguf_pair *list, ith_hparams *hp,
                            ith_error *err)
{
    if (list->type != ITH_GGUF_ARRAY || list->item_type != ITH_GGUF_BOOL ||
        !ith_hparams_lists_layers(hp, list->count))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %s.attention.recurrent_layers should say true or false of %lld layers",
                        meta->path, hp->architecture, (long long)hp->n_layers);
    ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, meta->path, err));
    for (int i = 0; i < hp->n_traits; i++)
        hp->traits[i] = list->value[i] != 0 ? ITH_LAYER_RECURRENT : 0;
    return ITH_OK;
}

ith_status ith_qwen35_read_gguf(const ith_gguf_meta *meta, bool tiled, ith_hparams *hp,
                                ith_error *err)
{
    const char *arch = hp->architecture;
    const ith_gguf_pair *list = ith_gguf_find(meta, arch, "attention.recurrent_layers");
    ith_delta_params *d = &hp->delta;
    int64_t all = 0, interval = 4;

    d->tiled = tiled;
    hp->attn_gate = true;
    ITH_TRY(ith_recurrent_by_kv_heads(meta, hp, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.group_count", &d->key_heads, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.time_step_rank", &d->value_heads, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.state_size", &d->key_dim, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.inner_size", &all, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.conv_kernel", &d->taps, err));
    if (d->key_heads == 0 || d->value_heads == 0 || all % d->value_heads != 0)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: %s.ssm.group_count is %lld, ssm.time_step_rank %lld and ssm.inner_size "
            "%lld; expected heads of one size",
            meta->path, arch, (long long)d->key_heads, (long long)d->value_heads, (long long)all);
    d->value_dim = all / d->value_heads;
    ITH_TRY(ith_gguf_int(meta, arch, "full_attention_interval", 1, ITH_SIZE_LIMIT, &interval, err));
    return list != NULL ? read_list(meta, list, hp, err)
                        : set_interval(hp, interval, meta->path, err);
}

static ith_status read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                            ith_hparams *hp, ith_error *err)
{
    (void)tensors;
    return ith_qwen35_read_gguf(meta, true, hp, err);
}

const ith_own_name ith_qwen35_gguf_names[] = {
    {ITH_ROLE_FFN_NORM, "blk.%d.post_attention_norm.weight"}, {ITH_ROLE_NONE, NULL}};

const ith_arch ith_arch_qwen35 = {
    .name = "qwen35",
    .layer = ith_qwen35_layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_own = ith_qwen35_gguf_names,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_norms_minus_1 = true,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {32, 4096, 12288, 16, 248320},
    .partial_rotary = true,
    .recurrent = true,
    .defaults = {.n_vocab = 248320,
                 .n_heads = 16,
                 .n_kv_heads = 4,
                 .head_dim = 256,
                 .ctx = 32768,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .rotated = 0.25,
                 .bos = -1,
                 .eos = -1},
    .config_keys = ith_qwen35_config_keys,
    .read_config = read_config,
    .read_gguf = read_gguf,
};
