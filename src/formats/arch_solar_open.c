/* arch_solar_open.c - Solar Open: GLM-4.5's experts in every layer. GGUF files say that they are of
 * `glm4moe`. */
#include "formats/arch_experts.h"

static const ith_hf_class classes[] = {{"solar_open", "SolarOpenForCausalLM"}, {NULL, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 128,
                                       .used = 8,
                                       .ffn = 1280,
                                       .step = 1,
                                       .router = ith_experts_router_of_deepseek(1, 1, 1)};
}

/* What files carry over from GLM-4.5's and the class does not read. */
static const char *const config_keys[] = {"n_shared_experts", "use_qk_norm",
                                          "first_k_dense_replace", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    hp->experts.first = 0;
    hp->experts.shared_ffn = hp->experts.ffn;
    return ith_experts_read_shared(config, where, "n_shared_experts", hp->experts.ffn, hp, err);
}

const ith_arch ith_arch_solar_open = {
    .name = "solar-open",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .traits = traits,
    .keys = ith_experts_keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .partial_rotary = true,
    .defaults = {.ffn = 10240, /* of no layer; Transformers leaves the key out */
                 .n_kv_heads = 8,
                 .head_dim = 128,
                 .ctx = 131072,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .bos = -1,
                 .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .fields = ith_experts_fields,
};
