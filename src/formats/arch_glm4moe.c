/* arch_glm4moe.c - GLM-4.5 and 4.6 (arXiv 2508.06471): DeepSeek-V3's experts behind grouped-query
 * attention, rotary positions on half of the head. */
#include "formats/arch_experts.h"

#include "formats/tensor_table.h"

static const ith_hf_class classes[] = {{"glm4_moe", "Glm4MoeForCausalLM"}, {NULL, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_FFN_NORM, "blk.%d.post_attention_norm.weight"},
                                        {ITH_ROLE_ATTN_POST_NORM, NULL},
                                        {ITH_ROLE_NONE, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 128,
                                       .used = 8,
                                       .ffn = 1408,
                                       .shared_ffn = 1408,
                                       .step = 1,
                                       .first = 1,
                                       .router = ith_experts_router_of_deepseek(0, 0, 1)};
}

static const char *const config_keys[] = {"n_shared_experts", "use_qk_norm", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool norm = false;

    ITH_TRY(ith_json_bool(config, where, "use_qk_norm", &norm, err));
    hp->qk_norm = norm ? ITH_QK_NORM_HEAD : ITH_QK_NORM_NONE;
    hp->experts.shared_ffn = hp->experts.ffn;
    return ith_experts_read_shared(config, where, "n_shared_experts", hp->experts.ffn, hp, err);
}

/* GLM-4.5 has norms of heads, GLM-4.5-Air has none. Solar Open does not speak of dense layers. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    if (ith_tensor_table_find(tensors, "blk.0.attn_q_norm.weight") != NULL)
        hp->qk_norm = ITH_QK_NORM_HEAD;
    hp->experts.first = 0;
    return ith_experts_read_gguf(meta, tensors, hp, err);
}

const ith_arch ith_arch_glm4moe = {
    .name = "glm4moe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_own = gguf_own,
    .traits = traits,
    .keys = ith_experts_keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .partial_rotary = true,
    .defaults = {.ffn = 10944, /* which Solar Open's GGUF files do not say */
                 .n_kv_heads = 8,
                 .ctx = 131072,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .rotated = 0.5,
                 .bos = -1,
                 .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
