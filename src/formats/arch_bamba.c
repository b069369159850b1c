/* arch_bamba.c - Bamba: Mamba2 in most layers, attention that rotates half of a head in the
 * others. */
#include "formats/arch_recurrent.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"bamba", "BambaForCausalLM"}, {NULL, NULL}};

static const ith_own_name hf_names[] = {
    {ITH_ROLE_OUT_NORM, "model.final_layernorm.weight"},
    {ITH_ROLE_FFN_NORM, "model.layers.%d.pre_ff_layernorm.weight"},
    {ITH_ROLE_GATE, "model.layers.%d.feed_forward.gate_proj.weight"},
    {ITH_ROLE_UP, "model.layers.%d.feed_forward.up_proj.weight"},
    {ITH_ROLE_DOWN, "model.layers.%d.feed_forward.down_proj.weight"},
    ITH_MAMBA_NAMES("model.layers.%d.mamba."),
    {ITH_ROLE_NONE, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    return ith_layer_of_recurrent(hp, i, "mamba");
}

/* Half of a head is rotated, whatever the file says outside of RoPE's own object. */
static const char *const config_keys[] = {"partial_rotary_factor", NULL};

static ith_status read_rotated(const json_t *config, const char *where, ith_hparams *hp,
                               ith_error *err)
{
    double share = 0.5;

    ITH_TRY(ith_json_real(ith_hf_rope_params(config), where, config_keys[0], &share, err));
    return ith_hf_rotate_share(where, config_keys[0], share, hp, err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ITH_TRY(read_rotated(config, where, hp, err));
    ith_mamba_set_defaults(hp);
    if (!json_is_array(json_object_get(config, "layer_types")))
        ITH_TRY(ith_arch_set_pattern(hp, 1, ITH_LAYER_RECURRENT, 0, where, err));
    ITH_TRY(ith_recurrent_but_in(config, where, "attn_layer_indices", hp, err));
    return ith_mamba_read_config(config, where, hp, err);
}

const ith_arch ith_arch_bamba = {
    .name = "bamba",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_names,
    .hf_classes = classes,
    .partial_rotary = true,
    .recurrent = true,
    .defaults = {.n_vocab = 128000,
                 .n_heads = 32,
                 .n_kv_heads = 8,
                 .ctx = 262144,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
};
