/* arch_ernie4_5_moe.c - ERNIE 4.5 with experts, 21B-A3B and 300B-A47B: chosen by softmax plus a
 * bias, with shared ones; adjacent rotary pairs. */
#include "formats/arch_experts.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"ernie4_5_moe", "Ernie4_5_MoeForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_CHOICE_BIAS, "model.layers.%d.mlp.moe_statics.e_score_correction_bias"},
    {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"moe_num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"moe_k", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"moe_layer_start_index", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.first)},
    {"moe_layer_interval", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.step)},
    {"moe_norm_min", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.norm_least)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){
        .n = 64,
        .used = 6,
        .ffn = 1536,
        .step = 1,
        .first = 1,
        .router = {.choice_bias = true, .normalized = true, .norm_least = 1e-12, .factor = 1}};
}

/* -1: the last layer */
static ith_status read_end(const json_t *config, const char *where, ith_hparams *hp, ith_error *err)
{
    int64_t last = -1;

    ITH_TRY(ith_json_int(config, where, "moe_layer_end_index", -1, ITH_SIZE_LIMIT, &last, err));
    hp->experts.end = last + 1 < hp->n_layers ? last + 1 : 0;
    return ITH_OK;
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    int64_t width = hp->experts.ffn;
    bool bias = true;

    ITH_TRY(ith_json_bool(config, where, "moe_use_aux_free", &bias, err));
    if (!bias)
        return ith_hf_refuse(where, "moe_use_aux_free", "false", err);
    ITH_TRY(read_end(config, where, hp, err));
    hp->experts.shared_ffn = 2 * width;
    return ith_experts_read_shared(config, where, "moe_num_shared_experts", width, hp, err);
}

const ith_arch ith_arch_ernie4_5_moe = {
    .name = "ernie4_5-moe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .rope_pairs = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .defaults = {.n_kv_heads = 4,
                 .ctx = 131072,
                 .rms_eps = 1e-5,
                 .rope_theta = 500000,
                 .tied_embeddings = true,
                 .bos = 1,
                 .eos = 2},
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
