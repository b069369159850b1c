/* arch_qwen3vlmoe.c - the text of Qwen3-VL with mixtures of experts (arXiv 2511.21631): Qwen3's, in
 * Hugging Face folders all experts of a layer in one tensor; on the hub it is transposed. */
#include "formats/arch_experts.h"

static const ith_hf_class classes[] = {{"qwen3_vl_moe_text", "Qwen3VLMoeForConditionalGeneration"},
                                       {NULL, NULL}};

static const ith_hf_class wrappers[] = {{"qwen3_vl_moe", "Qwen3VLMoeForConditionalGeneration"},
                                        {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"decoder_sparse_step", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.step)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->experts = (ith_experts_params){
        .n = 60, .used = 4, .ffn = 1408, .step = 1, .router = {.normalized = true, .factor = 1}};
}

static const char *const config_keys[] = {"mrope_section", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    return ith_experts_read_dense_layers(config, where, &hp->experts, err);
}

static const char *const gguf_keys[] = {"rope.dimension_sections", "n_deepstack_layers",
                                        ITH_EXPERTS_GGUF_KEYS, NULL};

const ith_arch ith_arch_qwen3vlmoe = {
    .name = "qwen3vlmoe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_experts_either = true,
    .qk_norm = ITH_QK_NORM_HEAD,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {24, 2048, 5632, 16, 151936},
    .defaults = {.n_vocab = 151936,
                 .n_heads = 16,
                 .n_kv_heads = 16,
                 .ctx = 128000,
                 .rms_eps = 1e-6,
                 .rope_theta = 500000,
                 .bos = -1,
                 .eos = -1},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = ith_experts_read_gguf,
    .fields = ith_experts_fields,
};
