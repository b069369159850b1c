#include "formats/arch.h"

#include <string.h>

const char *const ith_names_hf[ITH_PARTS] = {
    [ITH_PART_EMBED] = "model.embed_tokens.weight",
    [ITH_PART_OUT_NORM] = "model.norm.weight",
    [ITH_PART_OUTPUT] = "lm_head.weight",
    [ITH_PART_ATTN_NORM] = "model.layers.%d.input_layernorm.weight",
    [ITH_PART_Q] = "model.layers.%d.self_attn.q_proj.weight",
    [ITH_PART_K] = "model.layers.%d.self_attn.k_proj.weight",
    [ITH_PART_V] = "model.layers.%d.self_attn.v_proj.weight",
    [ITH_PART_O] = "model.layers.%d.self_attn.o_proj.weight",
    [ITH_PART_Q_NORM] = "model.layers.%d.self_attn.q_norm.weight",
    [ITH_PART_K_NORM] = "model.layers.%d.self_attn.k_norm.weight",
    [ITH_PART_FFN_NORM] = "model.layers.%d.post_attention_layernorm.weight",
    [ITH_PART_GATE] = "model.layers.%d.mlp.gate_proj.weight",
    [ITH_PART_UP] = "model.layers.%d.mlp.up_proj.weight",
    [ITH_PART_DOWN] = "model.layers.%d.mlp.down_proj.weight",
    [ITH_PART_ROUTER] = "model.layers.%d.mlp.gate.weight",
    [ITH_PART_EXPERT_GATE] = "model.layers.%d.mlp.experts.%d.gate_proj.weight",
    [ITH_PART_EXPERT_UP] = "model.layers.%d.mlp.experts.%d.up_proj.weight",
    [ITH_PART_EXPERT_DOWN] = "model.layers.%d.mlp.experts.%d.down_proj.weight",
    [ITH_PART_EXPERTS_GATE_UP] = "model.layers.%d.mlp.experts.gate_up_proj",
    [ITH_PART_EXPERTS_DOWN] = "model.layers.%d.mlp.experts.down_proj",
};

const char *const ith_names_gguf[ITH_PARTS] = {
    [ITH_PART_EMBED] = "token_embd.weight",
    [ITH_PART_OUT_NORM] = "output_norm.weight",
    [ITH_PART_OUTPUT] = "output.weight",
    [ITH_PART_ATTN_NORM] = "blk.%d.attn_norm.weight",
    [ITH_PART_Q] = "blk.%d.attn_q.weight",
    [ITH_PART_K] = "blk.%d.attn_k.weight",
    [ITH_PART_V] = "blk.%d.attn_v.weight",
    [ITH_PART_O] = "blk.%d.attn_output.weight",
    [ITH_PART_Q_NORM] = "blk.%d.attn_q_norm.weight",
    [ITH_PART_K_NORM] = "blk.%d.attn_k_norm.weight",
    [ITH_PART_FFN_NORM] = "blk.%d.ffn_norm.weight",
    [ITH_PART_GATE] = "blk.%d.ffn_gate.weight",
    [ITH_PART_UP] = "blk.%d.ffn_up.weight",
    [ITH_PART_DOWN] = "blk.%d.ffn_down.weight",
    [ITH_PART_ROUTER] = "blk.%d.ffn_gate_inp.weight",
    [ITH_PART_EXPERTS_GATE] = "blk.%d.ffn_gate_exps.weight",
    [ITH_PART_EXPERTS_UP] = "blk.%d.ffn_up_exps.weight",
    [ITH_PART_EXPERTS_DOWN] = "blk.%d.ffn_down_exps.weight",
    [ITH_PART_EXPERTS_GATE_UP] = "blk.%d.ffn_gate_up_exps.weight",
};

static const ith_arch *const known[] = {&ith_arch_qwen3, &ith_arch_qwen3moe, &ith_arch_llama};

const ith_arch *ith_arch_find(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i]->name, name) == 0)
            return known[i];
    return NULL;
}
