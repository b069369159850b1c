/* arch_exaone_moe.c - K-EXAONE (arXiv 2601.01739): DeepSeek-V3's experts behind EXAONE 4's
 * attention, with norms before blocks. */
#include "formats/arch_experts.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"exaone_moe", "ExaoneMoeForCausalLM"},
                                       {"exaone_moe", "ExaoneMoEForCausalLM"}, /* until 5.1 */
                                       {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_CHOICE_BIAS, "model.layers.%d.mlp.e_score_correction_bias"}, {ITH_ROLE_NONE, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"first_k_dense_replace", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.first)},
    {"n_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.groups)},
    {"topk_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.top_groups)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"routed_scaling_factor", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.factor)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 64,
                                       .used = 8,
                                       .ffn = 1024,
                                       .step = 1,
                                       .first = 1,
                                       .router = ith_experts_router_of_deepseek(1, 1, 2.5)};
}

static const char *const config_keys[] = {"num_shared_experts", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    hp->experts.shared_ffn = hp->experts.ffn;
    ITH_TRY(ith_experts_read_shared(config, where, "num_shared_experts", hp->experts.ffn, hp, err));
    return ith_experts_read_mlp_types(config, where, hp, err);
}

const ith_arch ith_arch_exaone_moe = {
    .name = "exaone-moe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_STEPS,
    .window_step = 4,
    .full_no_rope = true,
    .defaults =
        {.ctx = 2048, .window = 4096, .rms_eps = 1e-5, .rope_theta = 10000, .bos = 1, .eos = 53},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
