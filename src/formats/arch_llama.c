/* arch_llama.c - Llama 2 and 3 (arXiv 2307.09288, 2407.21783) and models of their shape, SmolLM2
 * among them. GGUF files of Mixtral, which has experts, say that they are of this family. */
#include "formats/arch_experts.h"

#include "formats/gguf_meta.h"

static const ith_hf_class classes[] = {{"llama", "LlamaForCausalLM"}, {NULL, NULL}};

/* Their text is of this family. */
static const ith_hf_class wrappers[] = {{"llava", "LlavaForConditionalGeneration"},
                                        {"llava_next", "LlavaNextForConditionalGeneration"},
                                        {"idefics3", "Idefics3ForConditionalGeneration"},
                                        {"smolvlm", "SmolVLMForConditionalGeneration"},
                                        {NULL, NULL}};

/* Experts one by one, as older files have them. */
static const ith_own_name gguf_own[] = {{ITH_ROLE_EXPERT_GATE, "blk.%d.ffn_gate.%d.weight"},
                                        {ITH_ROLE_EXPERT_UP, "blk.%d.ffn_up.%d.weight"},
                                        {ITH_ROLE_EXPERT_DOWN, "blk.%d.ffn_down.%d.weight"},
                                        {ITH_ROLE_NONE, NULL}};

static ith_status read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                            ith_hparams *hp, ith_error *err)
{
    int64_t n = 0;

    ITH_TRY(ith_gguf_int(meta, hp->architecture, "expert_count", 0, ITH_SIZE_LIMIT, &n, err));
    if (n == 0)
        return ITH_OK;
    hp->experts = (ith_experts_params){.step = 1, .router = {.normalized = true, .factor = 1}};
    return ith_experts_read_gguf(meta, tensors, hp, err);
}

const ith_arch ith_arch_llama = {
    .name = "llama",
    .layer = ith_layer_of_attention_and_experts,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .gguf_own = gguf_own,
    .gguf_interleaved_qk = true,
    .hf_classes = classes,
    .hf_wrappers = wrappers,
    .text = {32, 4096, 11008, 32, 32000},
    .may_bias_qkv = true,
    .may_bias_o = true,
    .may_bias_mlp = true,
    .defaults = {.ctx = 2048,
                 .rms_eps = 1e-6,
                 .rope_theta = 10000,
                 .sliding_window = true,
                 .bos = 1,
                 .eos = 2},
    .gguf_keys = ith_experts_gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields_if_any,
};
