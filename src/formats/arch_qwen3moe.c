/* arch_qwen3moe.c - Qwen3 with mixtures of experts (arXiv 2505.09388): Qwen3-30B-A3B,
 * Qwen3-235B-A22B. Hyperparameters say which layers have experts instead of an MLP. */
#include "formats/arch_experts.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"qwen3_moe", "Qwen3MoeForCausalLM"}, {NULL, NULL}};

/* Their text is of this family. */
static const ith_hf_class wrappers[] = {{"internvl", "InternVLForConditionalGeneration"},
                                        {NULL, NULL}};

static void traits(ith_hparams *hp)
{
    hp->experts =
        (ith_experts_params){.n = 128, .used = 8, .ffn = 768, .step = 1, .router = {.factor = 1}};
}

static const char *const config_keys[] = {"num_experts", "num_local_experts", NULL};

/* Transformers 5 writes num_local_experts for num_experts. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const int64_t most = ITH_SIZE_LIMIT;

    ITH_TRY(ith_json_int(config, where, "num_local_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts_per_tok", 1, most, &e->used, err));
    ITH_TRY(ith_json_int(config, where, "moe_intermediate_size", 1, most, &e->ffn, err));
    ITH_TRY(ith_json_int(config, where, "decoder_sparse_step", 1, most, &e->step, err));
    ITH_TRY(ith_json_bool(config, where, "norm_topk_prob", &e->router.normalized, err));
    return ith_experts_read_dense_layers(config, where, e, err);
}

/* llama.cpp divides the weights of the chosen experts by their sum, whatever the file says. Here
 * expert_weights_norm can turn that off. */
static ith_status read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                            ith_hparams *hp, ith_error *err)
{
    hp->experts.router.normalized = true;
    ITH_TRY(ith_gguf_need_int(meta, hp->architecture, "expert_feed_forward_length",
                              &hp->experts.ffn, err));
    return ith_experts_read_gguf(meta, tensors, hp, err);
}

const ith_arch ith_arch_qwen3moe = {
    .name = "qwen3moe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {24, 2048, 6144, 32, 151936},
    .defaults = {.n_kv_heads = 4,
                 .ctx = 32768,
                 .window = 4096,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .bos = -1,
                 .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
