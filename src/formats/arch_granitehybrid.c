/* arch_granitehybrid.c - Granite 4 hybrids: Mamba2 in most layers, attention without rotary
 * positions in the others, Granite's scales, and experts beside one for all tokens, or that one
 * alone. GGUF files of Bamba are of this family too. */
#include "formats/arch_experts.h"
#include "formats/arch_granite.h"
#include "formats/arch_recurrent.h"

#include "formats/hf_config.h"
#include "formats/tensor_table.h"

#include <string.h>

static const ith_hf_class classes[] = {{"granitemoehybrid", "GraniteMoeHybridForCausalLM"},
                                       {NULL, NULL}};

static const ith_own_name hf_own[] = {
    {ITH_ROLE_ROUTER, "model.layers.%d.block_sparse_moe.router.layer.weight"},
    {ITH_ROLE_EXPERTS_GATE_UP, "model.layers.%d.block_sparse_moe.input_linear.weight"},
    {ITH_ROLE_EXPERTS_DOWN, "model.layers.%d.block_sparse_moe.output_linear.weight"},
    {ITH_ROLE_SHARED_GATE_UP, "model.layers.%d.shared_mlp.input_linear.weight"},
    {ITH_ROLE_SHARED_DOWN, "model.layers.%d.shared_mlp.output_linear.weight"},
    {ITH_ROLE_GATE_UP, "model.layers.%d.shared_mlp.input_linear.weight"},
    {ITH_ROLE_DOWN, "model.layers.%d.shared_mlp.output_linear.weight"},
    ITH_MAMBA_NAMES("model.layers.%d.mamba."),
    {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {ITH_MAMBA_GGUF_NAMES, {ITH_ROLE_NONE, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    return ith_layer_of_recurrent(hp, i, "mamba");
}

static void traits(ith_hparams *hp)
{
    ith_granite_traits(hp);
    hp->experts =
        (ith_experts_params){.used = 2, .step = 1, .router = {.normalized = true, .factor = 1}};
}

/* Attention without rotary positions. */
static ith_status remove_rope(ith_hparams *hp, const char *where, ith_error *err)
{
    if (hp->n_traits == 0)
        ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, where, err));
    for (int i = 0; i < hp->n_traits; i++)
        hp->traits[i] |= ITH_LAYER_NO_ROPE;
    return ITH_OK;
}

/* ---- config.json ---- */

static const char *const config_keys[] = {"num_local_experts", "intermediate_size", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const int64_t most = ITH_SIZE_LIMIT;
    const char *positions = "";

    e->n = 8;
    e->ffn = 11008;
    e->shared_ffn = 1024;
    ITH_TRY(ith_json_int(config, where, "intermediate_size", 1, most, &e->ffn, err));
    ITH_TRY(ith_json_int(config, where, "num_local_experts", 0, most, &e->n, err));
    ITH_TRY(ith_json_int(config, where, "num_experts_per_tok", 0, most, &e->used, err));
    ITH_TRY(ith_json_int(config, where, "shared_intermediate_size", 1, most, &e->shared_ffn, err));
    ITH_TRY(ith_json_string(config, where, "position_embedding_type", &positions, err));
    if (hp->rope.rotated != 0) /* as Bamba has it in GGUF files of this family */
        return ith_hf_refuse(where, "partial_rotary_factor", "a value other than 1", err);
    hp->ffn = e->shared_ffn;
    if (e->n == 0)
        *e = (ith_experts_params){0};
    ith_mamba_set_defaults(hp);
    if (!json_is_array(json_object_get(config, "layer_types")))
        ITH_TRY(ith_arch_set_pattern(hp, 1, ITH_LAYER_RECURRENT, 0, where, err));
    if (strcmp(positions, "rope") != 0)
        ITH_TRY(remove_rope(hp, where, err));
    ITH_TRY(ith_mamba_read_config(config, where, hp, err));
    return ith_granite_read_config(config, where, hp, err);
}

/* ---- GGUF ---- */

/* Without experts: the width of the MLP is that of its tensors, which the shared expert's makes. */
static int64_t width_of_mlp(const struct ith_tensor_table *tensors, int64_t otherwise)
{
    const ith_tensor *up = ith_tensor_table_find(tensors, "blk.0.ffn_up.weight");
    return up != NULL ? up->dims[0] : otherwise;
}

/* Bamba's files have no scale of scores: it is 1 / sqrt(head_dim). */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    const char *arch = hp->architecture;
    int64_t experts = 0;
    bool rope = true; /* as in llama.cpp */

    if (ith_gguf_find(meta, arch, "attention.scale") == NULL)
        hp->attn_scale = 0;
    ITH_TRY(ith_gguf_int(meta, arch, "expert_count", 0, ITH_SIZE_LIMIT, &experts, err));
    if (experts > 0) {
        ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    } else {
        hp->experts = (ith_experts_params){0};
        hp->ffn = width_of_mlp(tensors, hp->ffn);
    }
    ITH_TRY(ith_recurrent_by_kv_heads(meta, hp, err));
    ITH_TRY(ith_gguf_bool(meta, arch, "rope.scaling.finetuned", &rope, err));
    if (!rope)
        ITH_TRY(remove_rope(hp, meta->path, err));
    ITH_TRY(ith_mamba_read_gguf(meta, hp, err));
    return ith_granite_read_config(NULL, NULL, hp, err);
}

const ith_arch ith_arch_granitehybrid = {
    .name = "granitehybrid",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .gguf_interleaved_qk = true,
    .traits = traits,
    .keys = ith_granite_keys,
    .hf_classes = classes,
    .partial_rotary = true,
    .recurrent = true,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.n_vocab = 32000,
                 .n_heads = 32,
                 .ctx = 2048,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields_if_any,
};
