/* arch_phimoe.c - Phi-3.5-MoE (arXiv 2404.14219): Mixtral's tensors with LayerNorm, experts chosen
 * by SparseMixer, LongRoPE with a magnitude of its own. */
#include "formats/arch_experts.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"
#include "formats/tensor_table.h"

static const ith_hf_class classes[] = {
    {"phimoe", "PhimoeForCausalLM"}, {"phimoe", "PhiMoEForCausalLM"}, {NULL, NULL}};

#define EPSILON "attention.layer_norm_rms_epsilon" /* although it is LayerNorm's */

static const ith_arch_key keys[] = {
    {"rms_norm_eps", EPSILON, ITH_KEY_REAL, offsetof(ith_hparams, rms_eps)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"router_jitter_noise", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.jitter)},
    {"lm_head_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, output_bias)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts =
        (ith_experts_params){.n = 16,
                             .used = 2,
                             .step = 1,
                             .router = {.score = ITH_ROUTER_MIXER, .jitter = 0.01, .factor = 1}};
}

static const char *const config_keys[] = {"short_mscale", "long_mscale", NULL};

/* What queries and keys are multiplied by. */
static ith_status read_magnitude(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err)
{
    const json_t *params = ith_hf_rope_params(config);
    double few = 0, many = 0;

    if (hp->rope.kind == ITH_ROPE_PLAIN)
        return ITH_OK;
    if (hp->rope.kind != ITH_ROPE_LONG)
        return ith_hf_refuse(where, "rope_type", ith_rope_kind_names[hp->rope.kind], err);
    ITH_TRY(ith_json_real(params, where, "short_mscale", &few, err));
    ITH_TRY(ith_json_real(params, where, "long_mscale", &many, err));
    if (!(few > 0 && few == many))
        return ith_hf_refuse(where, "short_mscale", "a number other than \"long_mscale\"", err);
    hp->rope.attention_factor = few;
    return ITH_OK;
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ITH_TRY(read_magnitude(config, where, hp, err));
    return ith_experts_take_width(config, where, hp, err);
}

static const char *const gguf_keys[] = {ITH_EXPERTS_GGUF_KEYS, "attention.layer_norm_epsilon",
                                        NULL};

/* Files do not say that experts are chosen by SparseMixer, nor its jitter, which is that of the
 * class. */
static ith_status read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                            ith_hparams *hp, ith_error *err)
{
    if (ith_gguf_find(meta, hp->architecture, EPSILON) == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s is missing", meta->path, hp->architecture,
                        EPSILON);
    hp->output_bias =
        ith_tensor_table_find(
            tensors, ith_arch_pattern(&ith_arch_phimoe, true, ITH_ROLE_OUTPUT_BIAS)) != NULL;
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    hp->experts.router.score = ITH_ROUTER_MIXER;
    return ITH_OK;
}

const ith_arch ith_arch_phimoe = {
    .name = "phimoe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_experts_names_of_mixtral,
    .norm = ITH_NORM_LAYER,
    .norm_bias = true,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .windows = ITH_WINDOWS_ALL,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_vocab = 32064,
                 .n_heads = 32,
                 .n_kv_heads = 8,
                 .ctx = 131072,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
