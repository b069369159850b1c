/* arch_ernie4_5.c - ERNIE 4.5, dense: Llama with adjacent rotary pairs and biases everywhere or
 * nowhere. */
#include "formats/arch.h"

#include "formats/hf_config.h"

static const ith_hf_class classes[] = {{"ernie4_5", "Ernie4_5ForCausalLM"}, {NULL, NULL}};

static const char *const config_keys[] = {"use_bias", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool on = false;

    ITH_TRY(ith_json_bool(config, where, "use_bias", &on, err));
    hp->qkv_bias = hp->o_bias = hp->mlp_bias = on;
    return ITH_OK;
}

const ith_arch ith_arch_ernie4_5 = {
    .name = "ernie4_5",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .rope_pairs = true,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_kv_heads = 2,
                 .head_dim = 128,
                 .ctx = 131072,
                 .rms_eps = 1e-5,
                 .rope_theta = 500000,
                 .tied_embeddings = true,
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
};
