/* arch_minimax_m2.c - MiniMax-M2: experts chosen by sigmoid plus a bias, RMSNorm over all query
 * heads together, and all key heads, rotary positions on half of the head. */
#include "formats/arch_experts.h"

#include "formats/hf_config.h"

#include <string.h>

static const ith_hf_class classes[] = {{"minimax_m2", "MiniMaxM2ForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"rotary_dim", NULL, ITH_KEY_INT, offsetof(ith_hparams, rope.rotated)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){
        .n = 256,
        .used = 8,
        .step = 1,
        .router = {
            .score = ITH_ROUTER_SIGMOID, .choice_bias = true, .normalized = true, .factor = 1}};
}

/* What the class in Transformers does not read: only as it is there. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const char *score = "sigmoid", *norm = "per_layer";
    int64_t shared = 0, rotated = 1;
    bool bias = true;

    ITH_TRY(ith_json_string(config, where, "scoring_func", &score, err));
    ITH_TRY(ith_json_string(config, where, "qk_norm_type", &norm, err));
    ITH_TRY(ith_json_bool(config, where, "use_routing_bias", &bias, err));
    ITH_TRY(
        ith_json_int(config, where, "shared_intermediate_size", 0, ITH_SIZE_LIMIT, &shared, err));
    ITH_TRY(ith_json_int(config, where, "rotary_dim", 1, ITH_SIZE_LIMIT, &rotated, err));
    if (strcmp(score, "sigmoid") != 0)
        return ith_hf_refuse(where, "scoring_func", score, err);
    if (strcmp(norm, "per_layer") != 0)
        return ith_hf_refuse(where, "qk_norm_type", norm, err);
    if (!bias)
        return ith_hf_refuse(where, "use_routing_bias", "false", err);
    if (shared != 0)
        return ith_hf_refuse(where, "shared_intermediate_size", "a value above 0", err);
    return ith_experts_take_width(config, where, hp, err);
}

const ith_arch ith_arch_minimax_m2 = {
    .name = "minimax-m2",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_experts_names_of_mixtral,
    .qk_norm = ITH_QK_NORM_WHOLE,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .partial_rotary = true,
    .defaults = {.n_kv_heads = 8,
                 .head_dim = 128,
                 .ctx = 196608,
                 .rms_eps = 1e-6,
                 .rope_theta = 5e6,
                 .bos = 200034,
                 .eos = 200020},
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
