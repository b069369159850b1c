/* arch_command_r.c - Command-R and R+ (Cohere): attention and MLP side by side behind one LayerNorm
 * without bias, adjacent rotary pairs, a scale of logits, and in R+ a LayerNorm on query and key
 * heads. */
#include "formats/arch_cohere.h"

#include "formats/hf_config.h"
#include "formats/tensor_table.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"cohere", "CohereForCausalLM"}, {NULL, NULL}};

const ith_arch_key ith_cohere_keys[] = {
    {"layer_norm_eps", "attention.layer_norm_epsilon", ITH_KEY_REAL,
     offsetof(ith_hparams, rms_eps)},
    {"logit_scale", "logit_scale", ITH_KEY_REAL, offsetof(ith_hparams, logit_scale)},
    {0}};

void ith_cohere_traits(ith_hparams *hp)
{
    hp->logit_scale = 0.0625;
}

static const char *const config_keys[] = {"use_qk_norm", NULL};

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    bool on = false;

    ITH_TRY(ith_json_bool(config, where, "use_qk_norm", &on, err));
    hp->qk_norm = on ? ITH_QK_NORM_HEADS : ITH_QK_NORM_NONE;
    return ITH_OK;
}

/* GGUF files say so by the tensor. */
static ith_status read_gguf(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp, ith_error *err)
{
    bool on = ith_tensor_table_find(tensors, "blk.0.attn_q_norm.weight") != NULL;

    (void)meta, (void)err;
    hp->qk_norm = on ? ITH_QK_NORM_HEADS : ITH_QK_NORM_NONE;
    return ITH_OK;
}

const ith_arch ith_arch_command_r = {
    .name = "command-r",
    .layer = ith_layer_of_parallel,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .norm = ITH_NORM_LAYER,
    .rope_pairs = true,
    .traits = ith_cohere_traits,
    .keys = ith_cohere_keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .defaults = {.ctx = 8192,
                 .rms_eps = 1e-5,
                 .rope_theta = 500000,
                 .tied_embeddings = true,
                 .bos = 5,
                 .eos = 255001},
    .config_keys = config_keys,
    .read_config = read_config,
    .read_gguf = read_gguf,
};
