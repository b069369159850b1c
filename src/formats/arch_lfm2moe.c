/* arch_lfm2moe.c - LFM2 with experts (8B-A1B), which a sigmoid and a bias choose, behind some
 * layers with an MLP. */
#include "formats/arch_experts.h"
#include "formats/arch_lfm2.h"

static const ith_hf_class classes[] = {{"lfm2_moe", "Lfm2MoeForCausalLM"}, {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"num_dense_layers", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.first)},
    {"use_expert_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.choice_bias)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"routed_scaling_factor", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.factor)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 32,
                                       .used = 4,
                                       .ffn = 1792,
                                       .first = 2,
                                       .step = 1,
                                       .router = {.score = ITH_ROUTER_SIGMOID,
                                                  .choice_bias = true,
                                                  .normalized = true,
                                                  .norm_add = 1e-6,
                                                  .factor = 1}};
}

static const char *const config_keys[] = {"rms_norm_eps", "hidden_act", NULL};

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    return ith_lfm2_read_gguf(meta, tensors, hp, err);
}

const ith_arch ith_arch_lfm2moe = {
    .name = "lfm2moe",
    .layer = ith_lfm2_layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_lfm2_names_hf,
    .gguf_own = ith_lfm2_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .recurrent = true,
    .defaults = {.n_vocab = 65536,
                 .n_heads = 32,
                 .n_kv_heads = 8,
                 .ctx = 128000,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .tied_embeddings = true,
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = ith_lfm2_read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
