/* arch_glm4moelite.c - GLM-4.7-Flash: DeepSeek-V3's latent attention and experts, with other
 * defaults. GGUF files of these models say that they are of deepseek2. */
#include "formats/arch_experts.h"
#include "formats/arch_latent.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"glm4_moe_lite", "Glm4MoeLiteForCausalLM"}, {NULL, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_experts(hp, i);
    form.sub[0].block = "latent";
    return form;
}

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){.n = 64,
                                       .used = 4,
                                       .ffn = 1536,
                                       .step = 1,
                                       .first = 1,
                                       .router = ith_experts_router_of_deepseek(1, 1, 1.8)};
}

/* Which layers have experts "mlp_layer_types" says alone. */
static const char *const config_keys[] = {"num_key_value_heads", "head_dim",
                                          "first_k_dense_replace", "n_shared_experts", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_latent_params *l = &hp->latent;
    ith_experts_params *e = &hp->experts;

    ITH_TRY(ith_latent_read_config(config, where, 768, l, err));
    if (json_object_get(config, "qk_nope_head_dim") == NULL)
        l->nope = 192;
    if (json_object_get(config, "v_head_dim") == NULL)
        l->value = 256;
    e->first = 1;
    e->shared_ffn = e->ffn;
    ITH_TRY(ith_experts_read_shared(config, where, "n_shared_experts", e->ffn, hp, err));
    ITH_TRY(ith_experts_read_mlp_types(config, where, hp, err));
    ith_latent_settle(hp);
    return ITH_OK;
}

const ith_arch ith_arch_glm4moelite = {
    .name = "glm4moelite",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .traits = traits,
    .keys = ith_experts_keys,
    .hf_classes = classes,
    .defaults = {.ctx = 202752, .rms_eps = 1e-5, .rope_theta = 10000, .bos = 0, .eos = 1},
    .config_keys = config_keys,
    .read_config = read_config,
    .fields = ith_experts_fields,
};
