/* arch_common.c - what families share: tensor names, layers, and how their lists are read. */
#include "formats/arch.h"

#include <stdio.h>
#include <string.h>

const char *const ith_names_hf[ITH_ROLES] = {
    [ITH_ROLE_EMBED] = "model.embed_tokens.weight",
    [ITH_ROLE_OUT_NORM] = "model.norm.weight",
    [ITH_ROLE_OUTPUT] = "lm_head.weight",
    [ITH_ROLE_ATTN_NORM] = "model.layers.%d.input_layernorm.weight",
    [ITH_ROLE_Q] = "model.layers.%d.self_attn.q_proj.weight",
    [ITH_ROLE_K] = "model.layers.%d.self_attn.k_proj.weight",
    [ITH_ROLE_V] = "model.layers.%d.self_attn.v_proj.weight",
    [ITH_ROLE_O] = "model.layers.%d.self_attn.o_proj.weight",
    [ITH_ROLE_Q_BIAS] = "model.layers.%d.self_attn.q_proj.bias",
    [ITH_ROLE_K_BIAS] = "model.layers.%d.self_attn.k_proj.bias",
    [ITH_ROLE_V_BIAS] = "model.layers.%d.self_attn.v_proj.bias",
    [ITH_ROLE_Q_NORM] = "model.layers.%d.self_attn.q_norm.weight",
    [ITH_ROLE_K_NORM] = "model.layers.%d.self_attn.k_norm.weight",
    [ITH_ROLE_FFN_NORM] = "model.layers.%d.post_attention_layernorm.weight",
    [ITH_ROLE_GATE] = "model.layers.%d.mlp.gate_proj.weight",
    [ITH_ROLE_UP] = "model.layers.%d.mlp.up_proj.weight",
    [ITH_ROLE_DOWN] = "model.layers.%d.mlp.down_proj.weight",
    [ITH_ROLE_ROUTER] = "model.layers.%d.mlp.gate.weight",
    [ITH_ROLE_EXPERT_GATE] = "model.layers.%d.mlp.experts.%d.gate_proj.weight",
    [ITH_ROLE_EXPERT_UP] = "model.layers.%d.mlp.experts.%d.up_proj.weight",
    [ITH_ROLE_EXPERT_DOWN] = "model.layers.%d.mlp.experts.%d.down_proj.weight",
    [ITH_ROLE_EXPERTS_GATE_UP] = "model.layers.%d.mlp.experts.gate_up_proj",
    [ITH_ROLE_EXPERTS_DOWN] = "model.layers.%d.mlp.experts.down_proj",
};

const char *const ith_names_gguf[ITH_ROLES] = {
    [ITH_ROLE_EMBED] = "token_embd.weight",
    [ITH_ROLE_OUT_NORM] = "output_norm.weight",
    [ITH_ROLE_OUTPUT] = "output.weight",
    [ITH_ROLE_ATTN_NORM] = "blk.%d.attn_norm.weight",
    [ITH_ROLE_Q] = "blk.%d.attn_q.weight",
    [ITH_ROLE_K] = "blk.%d.attn_k.weight",
    [ITH_ROLE_V] = "blk.%d.attn_v.weight",
    [ITH_ROLE_O] = "blk.%d.attn_output.weight",
    [ITH_ROLE_Q_BIAS] = "blk.%d.attn_q.bias",
    [ITH_ROLE_K_BIAS] = "blk.%d.attn_k.bias",
    [ITH_ROLE_V_BIAS] = "blk.%d.attn_v.bias",
    [ITH_ROLE_Q_NORM] = "blk.%d.attn_q_norm.weight",
    [ITH_ROLE_K_NORM] = "blk.%d.attn_k_norm.weight",
    [ITH_ROLE_FFN_NORM] = "blk.%d.ffn_norm.weight",
    [ITH_ROLE_GATE] = "blk.%d.ffn_gate.weight",
    [ITH_ROLE_UP] = "blk.%d.ffn_up.weight",
    [ITH_ROLE_DOWN] = "blk.%d.ffn_down.weight",
    [ITH_ROLE_ROUTER] = "blk.%d.ffn_gate_inp.weight",
    [ITH_ROLE_EXPERTS_GATE] = "blk.%d.ffn_gate_exps.weight",
    [ITH_ROLE_EXPERTS_UP] = "blk.%d.ffn_up_exps.weight",
    [ITH_ROLE_EXPERTS_DOWN] = "blk.%d.ffn_down_exps.weight",
    [ITH_ROLE_EXPERTS_GATE_UP] = "blk.%d.ffn_gate_up_exps.weight",
};

ith_layer_form ith_layer_of_attention_and_mlp(const ith_hparams *hp, int64_t i)
{
    (void)hp, (void)i;
    return (ith_layer_form){2, {{ITH_ROLE_ATTN_NORM, "attention"}, {ITH_ROLE_FFN_NORM, "mlp"}}};
}

bool ith_arch_takes(const char *const *keys, const char *key)
{
    for (; keys != NULL && *keys != NULL; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return false;
}

bool ith_arch_ignores_tensor(const char *name)
{
    static const char *const ends[] = {"rotary_emb.inv_freq", "attn_rot_embd",
                                       "attn_rot_embd.weight"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(name), end = strlen(ends[i]);
        if (len >= end && strcmp(name + len - end, ends[i]) == 0 &&
            (len == end || name[len - end - 1] == '.'))
            return true;
    }
    return false;
}

bool ith_arch_tensor_name(const char *const *names, ith_role role, int layer, int expert,
                          char name[ITH_TENSOR_NAME])
{
    if (names[role] == NULL)
        return false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, ITH_TENSOR_NAME, names[role], layer, expert);
#pragma GCC diagnostic pop
    return true;
}
