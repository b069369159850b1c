/* arch_internlm3.c - InternLM3 in Hugging Face's files: Llama with biases that are named otherwise.
 * GGUF files say that they are of Llama. */
#include "formats/arch.h"

#include "formats/hf_config.h"

#include <stddef.h>

static const ith_hf_class classes[] = {{"internlm3", "InternLM3ForCausalLM"},
                                       {"internlm3", "LlamaForCausalLM"}, /* in Transformers 5 */
                                       {NULL, NULL}};

static const ith_arch_key keys[] = {
    {"qkv_bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, qkv_bias)},
    {"bias", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, mlp_bias)},
    {0}};

/* "qkv_bias" counts for the output too. */
static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    (void)config, (void)where, (void)err;
    hp->o_bias = hp->qkv_bias;
    return ITH_OK;
}

const ith_arch ith_arch_internlm3 = {
    .name = "internlm3",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .keys = keys,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_kv_heads = 2,
                 .head_dim = 128,
                 .ctx = 32768,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 1,
                 .eos = 2},
    .read_config = read_config,
};
