/* arch_qwen3moe.c - Qwen3 with mixtures of experts (arXiv 2505.09388): Qwen3-30B-A3B,
 * Qwen3-235B-A22B. Hyperparameters say which layers have experts instead of an MLP. */
#include "formats/arch.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"
#include "formats/hparams_json.h"

static const ith_hf_class classes[] = {{"qwen3_moe", "Qwen3MoeForCausalLM"}, {NULL, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    const char *feed_forward = ith_hparams_has_experts(hp, i) ? "experts" : "mlp";
    ith_layer_form form = ith_layer_of_attention_and_mlp(hp, i);
    form.sub[1].block = feed_forward;
    return form;
}

/* ---- config.json ---- */

static ith_status read_dense_layers(const json_t *config, const char *where, ith_experts_params *e,
                                    ith_error *err)
{
    const json_t *layers = json_object_get(config, "mlp_only_layers"), *layer;
    size_t i;

    if (layers == NULL || json_is_null(layers))
        return ITH_OK;
    if (!json_is_array(layers))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"mlp_only_layers\" should be a list", where);
    json_array_foreach (layers, i, layer) {
        int64_t number = json_integer_value(layer);
        if (!json_is_integer(layer) || number < 0 || number > INT32_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"mlp_only_layers\" should hold layer numbers",
                            where);
        if (e->n_dense == ITH_MAX_DENSE)
            return ith_hf_refuse(where, "mlp_only_layers", "a list of more than 32 layers", err);
        e->dense[e->n_dense++] = (int32_t)number;
    }
    return ITH_OK;
}

static const char *const config_keys[] = {"num_experts", "num_local_experts", NULL};

/* Transformers 5 writes num_local_experts for num_experts. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const int64_t most = ITH_SIZE_LIMIT;

    *e = (ith_experts_params){.n = 128, .used = 8, .ffn = 768, .step = 1};
    ITH_TRY(ith_json_int(config, where, "num_local_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts_per_tok", 1, most, &e->used, err));
    ITH_TRY(ith_json_int(config, where, "moe_intermediate_size", 1, most, &e->ffn, err));
    ITH_TRY(ith_json_int(config, where, "decoder_sparse_step", 1, most, &e->step, err));
    ITH_TRY(ith_json_bool(config, where, "norm_topk_prob", &e->normalized, err));
    return read_dense_layers(config, where, e, err);
}

/* ---- GGUF ---- */

static const char *const gguf_keys[] = {"expert_count", "expert_used_count",
                                        "expert_feed_forward_length", "expert_weights_norm", NULL};

/* llama.cpp divides the weights of the chosen experts by their sum, whatever the file says. Here
 * expert_weights_norm can turn that off. */
static ith_status read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                            ith_hparams *hp, ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const char *arch = hp->architecture;
    (void)tensors;

    *e = (ith_experts_params){.normalized = true, .step = 1};
    ITH_TRY(ith_gguf_need_int(meta, arch, "expert_count", &e->n, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "expert_used_count", &e->used, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "expert_feed_forward_length", &e->ffn, err));
    if (e->n == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.expert_count is 0", meta->path, arch);
    return ith_gguf_bool(meta, arch, "expert_weights_norm", &e->normalized, err);
}

/* ---- Packs ---- */

static const ith_hparams_field fields[] = {
    ITH_FIELD("experts.count", INT64, experts.n),
    ITH_FIELD("experts.used", INT64, experts.used),
    ITH_FIELD("experts.ffn", INT64, experts.ffn),
    ITH_FIELD("experts.normalized", BOOL, experts.normalized),
    ITH_FIELD("experts.step", INT64, experts.step),
    ITH_FIELD_OF_LIST("experts.dense", experts.dense, experts.n_dense, ITH_MAX_DENSE),
    {0},
};

const ith_arch ith_arch_qwen3moe = {
    .name = "qwen3moe",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_classes = classes,
    .defaults =
        {.n_kv_heads = 4, .ctx = 32768, .rms_eps = 1e-6, .rope_theta = 10000, .bos = -1, .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = fields,
};
