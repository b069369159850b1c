/* arch_mistral3.c - Ministral 3 and its kin (Ministral3ForCausalLM, GGUF's mistral3): Mistral with
 * YaRN and queries that grow with the position. */
#include "formats/arch.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"ministral3", "Ministral3ForCausalLM"}, {NULL, NULL}};

static const char *const config_keys[] = {"llama_4_scaling_beta", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const json_t *rope = json_object_get(config, "rope_parameters");

    if (!json_is_object(rope))
        rope = json_object_get(config, "rope_scaling");
    hp->query_tokens = hp->rope.original_context;
    return ith_json_real(rope, where, "llama_4_scaling_beta", &hp->query_beta, err);
}

/* llama.cpp takes the magnitude of YaRN times yarn_log_multiplier out of its own: Transformers'
 * mscale and mscale_all_dim, both of this value, give 1. */
static const char *const gguf_keys[] = {"attention.temperature_scale",
                                        "rope.scaling.yarn_log_multiplier", NULL};

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    const char *arch = hp->architecture;

    (void)tensors;
    hp->query_tokens = hp->rope.original_context;
    ITH_TRY(ith_gguf_real(meta, arch, "rope.scaling.yarn_log_multiplier", &hp->rope.mscale, err));
    hp->rope.mscale_all_dim = hp->rope.mscale;
    return ith_gguf_real(meta, arch, "attention.temperature_scale", &hp->query_beta, err);
}

static const ith_hf_class wrappers[] = {{"mistral3", "Mistral3ForConditionalGeneration"},
                                        {NULL, NULL}};

const ith_arch ith_arch_mistral3 = {
    .name = "mistral3",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_interleaved_qk = true,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {34, 4096, 14336, 32, 131072},
    .windows = ITH_WINDOWS_ALL,
    .defaults = {.n_kv_heads = 8,
                 .head_dim = 128,
                 .ctx = 262144,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .rope = "{\"rope_type\": \"yarn\", \"rope_theta\": 1e6, \"factor\": 16.0, "
                         "\"original_max_position_embeddings\": 16384, \"mscale\": 1.0, "
                         "\"mscale_all_dim\": 1.0, \"llama_4_scaling_beta\": 0.1}",
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
};
