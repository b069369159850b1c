/* arch_hunyuan_moe.c - HunYuan with experts, A13B: HunYuan's dense attention, shared experts. */
#include "formats/arch_experts.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"hunyuan_v1_moe", "HunYuanMoEV1ForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_Q_NORM, "model.layers.%d.self_attn.query_layernorm.weight"},
    {ITH_ROLE_K_NORM, "model.layers.%d.self_attn.key_layernorm.weight"},
    {ITH_ROLE_ROUTER, "model.layers.%d.mlp.gate.wg.weight"},
    {ITH_ROLE_SHARED_GATE, "model.layers.%d.mlp.shared_mlp.gate_proj.weight"},
    {ITH_ROLE_SHARED_UP, "model.layers.%d.mlp.shared_mlp.up_proj.weight"},
    {ITH_ROLE_SHARED_DOWN, "model.layers.%d.mlp.shared_mlp.down_proj.weight"},
    {ITH_ROLE_NONE, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){
        .n = 1, .used = 1, .step = 1, .router = {.normalized = true, .factor = 1}};
}

static const char *const config_keys[] = {"num_experts", "num_local_experts", NULL};

/* A number, or a list of the same number for each layer. */
static ith_status read_number(const json_t *config, const char *where, const char *key,
                              int64_t *out, ith_error *err)
{
    const json_t *list = json_object_get(config, key), *first = json_array_get(list, 0), *item;
    size_t i;

    if (!json_is_array(list))
        return ith_json_int(config, where, key, 0, ITH_SIZE_LIMIT, out, err);
    json_array_foreach (list, i, item)
        if (!json_is_integer(item) || json_integer_value(item) != json_integer_value(first))
            return ith_hf_refuse(where, key, "a list of different numbers", err);
    *out = json_integer_value(first);
    return ITH_OK;
}

/* Layers that share keys and values, or have no experts. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    int64_t skipped = 0, shared = 1;
    bool other = false;

    ITH_TRY(ith_json_bool(config, where, "use_cla", &other, err));
    if (other)
        return ith_hf_refuse(where, "use_cla", "true", err);
    ITH_TRY(read_number(config, where, "moe_layer_num_skipped", &skipped, err));
    if (skipped != 0)
        return ith_hf_refuse(where, "moe_layer_num_skipped", "a value above 0", err);
    ITH_TRY(read_number(config, where, "num_shared_expert", &shared, err));
    if (shared != 1)
        return ith_hf_refuse(where, "num_shared_expert", "a value other than 1", err);
    e->ffn = e->shared_ffn = hp->ffn;
    ITH_TRY(read_number(config, where, "num_local_experts", &e->n, err));
    ITH_TRY(read_number(config, where, "num_experts", &e->n, err));
    ITH_TRY(read_number(config, where, "num_experts_per_tok", &e->used, err));
    ITH_TRY(read_number(config, where, "moe_topk", &e->used, err));
    return read_number(config, where, "moe_intermediate_size", &e->ffn, err);
}

const ith_arch ith_arch_hunyuan_moe = {
    .name = "hunyuan-moe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .qk_norm = ITH_QK_NORM_HEAD,
    .qk_norm_after_rope = true,
    .traits = traits,
    .hf_classes = classes,
    .rope_alpha = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 2048, .rms_eps = 1e-5, .rope_theta = 10000, .bos = 1, .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
