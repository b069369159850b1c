/* arch_deepseek2.c - DeepSeek-V2 and V3 (arXiv 2405.04434, 2412.19437) and their kin, Kimi K2 and
 * Moonlight among them: latent attention. */
#include "formats/arch_experts.h"
#include "formats/arch_latent.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"

#include <string.h>

static const ith_hf_class classes[] = {{"deepseek_v2", "DeepseekV2ForCausalLM"},
                                       {"deepseek_v3", "DeepseekV3ForCausalLM"},
                                       {"kimi_k2", "DeepseekV3ForCausalLM"},
                                       {NULL, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_experts(hp, i);
    form.sub[0].block = "latent";
    return form;
}

static void settle(ith_hparams *hp)
{
    if (hp->experts.first >= hp->n_layers) /* no layer has any */
        hp->experts = (ith_experts_params){0};
    ith_latent_settle(hp);
}

/* ---- config.json ---- */

static const char *const config_keys[] = {"num_key_value_heads",   "head_dim",
                                          "first_k_dense_replace", "n_shared_experts",
                                          "routed_scaling_factor", NULL};

/* What Transformers' classes leave out of the configuration. */
static ith_experts_params experts_of(bool v3)
{
    const ith_experts_params v2 = {.n = 64, .used = 6, .ffn = 1407, .shared_ffn = 2, .step = 1},
                             new = {.n = 256,
                                    .used = 8,
                                    .ffn = 2048,
                                    .shared_ffn = 1,
                                    .step = 1,
                                    .first = 3,
                                    .router = ith_experts_router_of_deepseek(8, 4, 2.5)};
    ith_experts_params e = v3 ? new : v2;
    if (!v3) {
        e.router.factor = 1;
        e.router.group_best = 1;
    }
    return e;
}

/* A key may only say what the family computes. */
static ith_status need_text(const json_t *config, const char *where, const char *key,
                            const char *wanted, ith_error *err)
{
    const char *value = wanted;

    ITH_TRY(ith_json_string(config, where, key, &value, err));
    return strcmp(value, wanted) == 0 ? ITH_OK : ith_hf_refuse(where, key, value, err);
}

/* V2: the best of all experts, or of the groups whose best expert is the best. */
static ith_status read_choice(const json_t *config, const char *where, bool v3,
                              ith_router_params *r, ith_error *err)
{
    const char *method = v3 ? "noaux_tc" : "greedy";

    ITH_TRY(ith_json_string(config, where, "topk_method", &method, err));
    if (v3)
        return strcmp(method, "noaux_tc") == 0 ? ITH_OK
                                               : ith_hf_refuse(where, "topk_method", method, err);
    if (strcmp(method, "greedy") == 0)
        r->groups = 0;
    else if (strcmp(method, "group_limited_greedy") != 0)
        return ith_hf_refuse(where, "topk_method", method, err);
    return r->normalized ? ith_hf_refuse(where, "norm_topk_prob", "true", err) : ITH_OK;
}

static ith_status read_experts(const json_t *config, const char *where, bool v3, ith_hparams *hp,
                               ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    ith_router_params *r = &e->router;
    const int64_t most = ITH_SIZE_LIMIT;
    int64_t step = 1, shared;

    *e = experts_of(v3);
    shared = e->shared_ffn;
    ITH_TRY(ith_json_int(config, where, "n_routed_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_local_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts_per_tok", 1, most, &e->used, err));
    ITH_TRY(ith_json_int(config, where, "moe_intermediate_size", 1, 1 << 20, &e->ffn, err));
    ITH_TRY(ith_json_int(config, where, "n_shared_experts", 0, 1 << 10, &shared, err));
    ITH_TRY(ith_json_int(config, where, "first_k_dense_replace", 0, most, &e->first, err));
    ITH_TRY(ith_json_int(config, where, "n_group", 1, most, &r->groups, err));
    ITH_TRY(ith_json_int(config, where, "topk_group", 1, most, &r->top_groups, err));
    if (json_is_null(json_object_get(config, "norm_topk_prob"))) /* which is false to Python */
        r->normalized = false;
    ITH_TRY(ith_json_bool(config, where, "norm_topk_prob", &r->normalized, err));
    ITH_TRY(ith_json_real(config, where, "routed_scaling_factor", &r->factor, err));
    ITH_TRY(ith_json_int(config, where, "moe_layer_freq", 1, most, &step, err));
    e->shared_ffn = shared * e->ffn;
    if (step != 1)
        return ith_hf_refuse(where, "moe_layer_freq", "a value above 1", err);
    ITH_TRY(need_text(config, where, "scoring_func", v3 ? "sigmoid" : "softmax", err));
    return read_choice(config, where, v3, r, err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    bool v3 = type != NULL && strcmp(type, "deepseek_v2") != 0;

    ITH_TRY(ith_latent_read_config(config, where, 1536, &hp->latent, err));
    ITH_TRY(read_experts(config, where, v3, hp, err));
    settle(hp);
    return ITH_OK;
}

/* ---- GGUF ---- */

static const char *const gguf_keys[] = {"attention.head_count_kv", ITH_LATENT_GGUF_KEYS,
                                        "rope.scaling.yarn_log_multiplier", ITH_EXPERTS_GGUF_KEYS,
                                        NULL};

/* Files of V3 say that scores are sigmoids; what follows from that they do not say. */
static ith_status read_gguf_experts(const ith_gguf_meta *meta,
                                    const struct ith_tensor_table *tensors, ith_hparams *hp,
                                    ith_error *err)
{
    ith_router_params *r = &hp->experts.router;
    bool v3;

    if (ith_gguf_find(meta, hp->architecture, "expert_count") == NULL) {
        hp->experts.first = hp->n_layers;
        return ITH_OK;
    }
    hp->experts.step = 1;
    r->factor = 1;
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    v3 = r->score == ITH_ROUTER_SIGMOID;
    r->group_best = v3 ? 2 : 1;
    r->norm_add = v3 ? 1e-20 : 0;
    return ITH_OK;
}

/* yarn_log_multiplier is 0.1 mscale_all_dim. Files do not have mscale, which equals it in all
 * models. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    double multiplier = 0;

    ITH_TRY(ith_latent_read_gguf(meta, hp, err));
    ITH_TRY(ith_gguf_real(meta, hp->architecture, "rope.scaling.yarn_log_multiplier", &multiplier,
                          err));
    hp->rope.mscale = hp->rope.mscale_all_dim = 10 * multiplier;
    ITH_TRY(read_gguf_experts(meta, tensors, hp, err));
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
    .fields = ith_experts_fields_if_any,
};
