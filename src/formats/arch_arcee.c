/* arch_arcee.c - Arcee's AFM-4.5B: Llama with an MLP of squared ReLU without a gate. */
#include "formats/arch.h"

static const ith_hf_class classes[] = {{"arcee", "ArceeForCausalLM"}, {NULL, NULL}};

static void traits(ith_hparams *hp)
{
    hp->ungated = true;
    hp->act = ITH_ACT_RELU2;
}

const ith_arch ith_arch_arcee = {
    .name = "arcee",
    .layer = ith_layer_of_attention_and_mlp,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_interleaved_qk = true,
    .traits = traits,
    .hf_classes = classes,
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.n_vocab = 32000,
                 .n_heads = 32,
                 .ctx = 4096,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 128000,
                 .eos = 128001},
};
