/* arch_deepseek2.c - DeepSeek-V2 and V3 (arXiv 2405.04434, 2412.19437) and their kin, Kimi K2 and
 * Moonlight among them: latent attention. */
#include "formats/arch.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"deepseek_v2", "DeepseekV2ForCausalLM"},
                                       {"deepseek_v3", "DeepseekV3ForCausalLM"},
                                       {"kimi_k2", "DeepseekV3ForCausalLM"},
                                       {NULL, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_mlp(hp, i);
    form.sub[0].block = "latent";
    return form;
}

/* The key that is cached stands in for all heads' keys. */
static void settle(ith_hparams *hp)
{
    hp->n_kv_heads = 1;
    hp->head_dim = hp->latent.kv_rank + hp->latent.rope;
    hp->rope.rotated = hp->latent.rope;
}

/* ---- config.json ---- */

static const char *const config_keys[] = {"num_key_value_heads",   "head_dim",
                                          "first_k_dense_replace", "n_shared_experts",
                                          "routed_scaling_factor", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_latent_params *l = &hp->latent;
    const int64_t most = ITH_SIZE_LIMIT;
    int64_t dense = 0;
    bool pairs = true;

    *l = (ith_latent_params){.kv_rank = 512, .nope = 128, .rope = 64, .value = 128};
    if (json_object_get(config, "q_lora_rank") == NULL) /* null says that there is none */
        l->q_rank = 1536;
    ITH_TRY(ith_json_int(config, where, "kv_lora_rank", 1, most, &l->kv_rank, err));
    ITH_TRY(ith_json_int(config, where, "q_lora_rank", 1, most, &l->q_rank, err));
    ITH_TRY(ith_json_int(config, where, "qk_nope_head_dim", 1, most, &l->nope, err));
    ITH_TRY(ith_json_int(config, where, "qk_rope_head_dim", 1, most, &l->rope, err));
    ITH_TRY(ith_json_int(config, where, "v_head_dim", 1, most, &l->value, err));
    ITH_TRY(ith_json_bool(config, where, "rope_interleave", &pairs, err));
    l->halves = !pairs;
    ITH_TRY(ith_json_int(config, where, "first_k_dense_replace", 0, most, &dense, err));
    if (dense < hp->n_layers)
        return ith_hf_refuse(where, "first_k_dense_replace", "layers with experts", err);
    settle(hp);
    return ITH_OK;
}

/* ---- GGUF ---- */

static const char *const gguf_keys[] = {"attention.head_count_kv",
                                        "attention.key_length",
                                        "attention.value_length",
                                        "attention.key_length_mla",
                                        "attention.value_length_mla",
                                        "attention.kv_lora_rank",
                                        "attention.q_lora_rank",
                                        "rope.dimension_count",
                                        "rope.scaling.yarn_log_multiplier",
                                        "leading_dense_block_count",
                                        NULL};

/* Sizes of heads. Older files, which have the heads' keys and values in one tensor, say them as
 * those of any attention; newer ones say those of the cached key there. */
static ith_status read_sizes(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    ith_latent_params *l = &hp->latent;
    const char *arch = hp->architecture;
    const int64_t most = ITH_SIZE_LIMIT;
    int64_t key = 0;

    ITH_TRY(ith_gguf_need_int(meta, arch, "attention.kv_lora_rank", &l->kv_rank, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.q_lora_rank", 0, most, &l->q_rank, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "rope.dimension_count", &l->rope, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.key_length", 1, most, &key, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.value_length", 1, most, &l->value, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.key_length_mla", 1, most, &key, err));
    ITH_TRY(ith_gguf_int(meta, arch, "attention.value_length_mla", 1, most, &l->value, err));
    l->nope = key - l->rope;
    return ITH_OK;
}

/* yarn_log_multiplier is 0.1 mscale_all_dim. Files do not have mscale, which equals it in all
 * models. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    const char *arch = hp->architecture;
    int64_t dense = hp->n_layers;
    double multiplier = 0;

    (void)tensors;
    ITH_TRY(read_sizes(meta, hp, err));
    ITH_TRY(ith_gguf_real(meta, arch, "rope.scaling.yarn_log_multiplier", &multiplier, err));
    hp->rope.mscale = hp->rope.mscale_all_dim = 10 * multiplier;
    ITH_TRY(ith_gguf_int(meta, arch, "leading_dense_block_count", 0, ITH_SIZE_LIMIT, &dense, err));
    if (dense < hp->n_layers)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: %s.leading_dense_block_count is %lld; Ithaca does not support layers "
                        "with experts",
                        meta->path, arch, (long long)dense);
    settle(hp);
    return ITH_OK;
}

const ith_arch ith_arch_deepseek2 = {
    .name = "deepseek2",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_classes = classes,
    .defaults = {.ctx = 4096, .rms_eps = 1e-6, .rope_theta = 10000, .bos = -1, .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
};
