/* arch_granitemoe.c - Granite 3 with experts: 1B-A400M, 3B-A800M, and those with shared experts.
 * The router's weights are softmax over the chosen. */
#include "formats/arch_experts.h"
#include "formats/arch_granite.h"

static const ith_hf_class classes[] = {{"granitemoe", "GraniteMoeForCausalLM"},
                                       {"granitemoeshared", "GraniteMoeSharedForCausalLM"},
                                       {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_ROUTER, "model.layers.%d.block_sparse_moe.router.layer.weight"},
    {ITH_ROLE_EXPERTS_GATE_UP, "model.layers.%d.block_sparse_moe.input_linear.weight"},
    {ITH_ROLE_EXPERTS_DOWN, "model.layers.%d.block_sparse_moe.output_linear.weight"},
    {ITH_ROLE_SHARED_GATE_UP, "model.layers.%d.shared_mlp.input_linear.weight"},
    {ITH_ROLE_SHARED_DOWN, "model.layers.%d.shared_mlp.output_linear.weight"},
    {ITH_ROLE_NONE, NULL}};

static void traits(ith_hparams *hp)
{
    ith_granite_traits(hp);
    hp->experts = (ith_experts_params){
        .n = 8, .used = 2, .step = 1, .router = {.normalized = true, .factor = 1}};
}

static const char *const config_keys[] = {"num_local_experts", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const int64_t most = ITH_SIZE_LIMIT;

    e->ffn = hp->ffn;
    ITH_TRY(ith_json_int(config, where, "num_local_experts", 1, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts_per_tok", 1, most, &e->used, err));
    ITH_TRY(ith_json_int(config, where, "shared_intermediate_size", 0, most, &e->shared_ffn, err));
    return ith_granite_read_config(config, where, hp, err);
}

static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    return ith_granite_read_config(NULL, NULL, hp, err);
}

const ith_arch ith_arch_granitemoe = {
    .name = "granitemoe",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_interleaved_qk = true,
    .traits = traits,
    .keys = ith_granite_keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 2048, .rms_eps = 1e-6, .rope_theta = 10000, .bos = 1, .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
