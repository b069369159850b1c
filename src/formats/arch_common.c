/* arch_common.c - what families share: tensor names, layers, and how their lists are read. */
#include "formats/arch.h"

#include <stdio.h>
#include <string.h>

const char *const ith_names_hf[ITH_ROLES] = {
    [ITH_ROLE_EMBED] = "model.embed_tokens.weight",
    [ITH_ROLE_OUT_NORM] = "model.norm.weight",
    [ITH_ROLE_OUT_NORM_BIAS] = "model.norm.bias",
    [ITH_ROLE_OUTPUT] = "lm_head.weight",
    [ITH_ROLE_OUTPUT_BIAS] = "lm_head.bias",
    [ITH_ROLE_ATTN_NORM] = "model.layers.%d.input_layernorm.weight",
    [ITH_ROLE_ATTN_NORM_BIAS] = "model.layers.%d.input_layernorm.bias",
    [ITH_ROLE_Q] = "model.layers.%d.self_attn.q_proj.weight",
    [ITH_ROLE_K] = "model.layers.%d.self_attn.k_proj.weight",
    [ITH_ROLE_V] = "model.layers.%d.self_attn.v_proj.weight",
    [ITH_ROLE_O] = "model.layers.%d.self_attn.o_proj.weight",
    [ITH_ROLE_Q_BIAS] = "model.layers.%d.self_attn.q_proj.bias",
    [ITH_ROLE_K_BIAS] = "model.layers.%d.self_attn.k_proj.bias",
    [ITH_ROLE_V_BIAS] = "model.layers.%d.self_attn.v_proj.bias",
    [ITH_ROLE_O_BIAS] = "model.layers.%d.self_attn.o_proj.bias",
    [ITH_ROLE_Q_NORM] = "model.layers.%d.self_attn.q_norm.weight",
    [ITH_ROLE_K_NORM] = "model.layers.%d.self_attn.k_norm.weight",
    [ITH_ROLE_Q_A] = "model.layers.%d.self_attn.q_a_proj.weight",
    [ITH_ROLE_Q_A_NORM] = "model.layers.%d.self_attn.q_a_layernorm.weight",
    [ITH_ROLE_Q_B] = "model.layers.%d.self_attn.q_b_proj.weight",
    [ITH_ROLE_KV_A] = "model.layers.%d.self_attn.kv_a_proj_with_mqa.weight",
    [ITH_ROLE_KV_A_NORM] = "model.layers.%d.self_attn.kv_a_layernorm.weight",
    [ITH_ROLE_KV_B] = "model.layers.%d.self_attn.kv_b_proj.weight",
    [ITH_ROLE_K_B] = "model.layers.%d.self_attn.k_b_proj.weight", /* packs */
    [ITH_ROLE_V_B] = "model.layers.%d.self_attn.v_b_proj.weight",
    [ITH_ROLE_INPUTS_EMBED] = "model.embed_tokens_per_layer.weight",
    [ITH_ROLE_INPUTS_PROJ] = "model.per_layer_model_projection.weight",
    [ITH_ROLE_INPUTS_NORM] = "model.per_layer_projection_norm.weight",
    [ITH_ROLE_STREAM_BEGIN] = "model.altup_projections.%d.weight",
    [ITH_ROLE_STREAM_END] = "model.altup_unembed_projections.%d.weight",
    [ITH_ROLE_STREAM_NORM] = "model.layers.%d.altup.router_norm.weight",
    [ITH_ROLE_STREAM_ROUTER] = "model.layers.%d.altup.modality_router.weight",
    [ITH_ROLE_STREAM_PREDICT] = "model.layers.%d.altup.prediction_coefs.weight",
    [ITH_ROLE_STREAM_CORRECT] = "model.layers.%d.altup.correction_coefs.weight",
    [ITH_ROLE_STREAM_SCALE] = "model.layers.%d.altup.correct_output_scale",
    [ITH_ROLE_LAUREL_LEFT] = "model.layers.%d.laurel.linear_left.weight",
    [ITH_ROLE_LAUREL_RIGHT] = "model.layers.%d.laurel.linear_right.weight",
    [ITH_ROLE_LAUREL_NORM] = "model.layers.%d.laurel.post_laurel_norm.weight",
    [ITH_ROLE_INPUT_GATE] = "model.layers.%d.per_layer_input_gate.weight",
    [ITH_ROLE_INPUT_DOWN] = "model.layers.%d.per_layer_projection.weight",
    [ITH_ROLE_INPUT_POST_NORM] = "model.layers.%d.post_per_layer_input_norm.weight",
    [ITH_ROLE_LAYER_SCALE] = "model.layers.%d.layer_scalar",
    [ITH_ROLE_FFN_NORM] = "model.layers.%d.post_attention_layernorm.weight",
    [ITH_ROLE_FFN_NORM_BIAS] = "model.layers.%d.post_attention_layernorm.bias",
    [ITH_ROLE_GATE] = "model.layers.%d.mlp.gate_proj.weight",
    [ITH_ROLE_UP] = "model.layers.%d.mlp.up_proj.weight",
    [ITH_ROLE_DOWN] = "model.layers.%d.mlp.down_proj.weight",
    [ITH_ROLE_GATE_BIAS] = "model.layers.%d.mlp.gate_proj.bias",
    [ITH_ROLE_UP_BIAS] = "model.layers.%d.mlp.up_proj.bias",
    [ITH_ROLE_DOWN_BIAS] = "model.layers.%d.mlp.down_proj.bias",
    [ITH_ROLE_Q_GATE] = "model.layers.%d.self_attn.q_gate_proj.weight",
    [ITH_ROLE_REC_Q] = "model.layers.%d.linear_attn.in_proj_q.weight",
    [ITH_ROLE_REC_K] = "model.layers.%d.linear_attn.in_proj_k.weight",
    [ITH_ROLE_REC_V] = "model.layers.%d.linear_attn.in_proj_v.weight",
    [ITH_ROLE_REC_Z] = "model.layers.%d.linear_attn.in_proj_z.weight",
    [ITH_ROLE_REC_QKV] = "model.layers.%d.linear_attn.in_proj_qkv.weight",
    [ITH_ROLE_REC_QKVZ] = "model.layers.%d.linear_attn.in_proj_qkvz.weight",
    [ITH_ROLE_REC_A] = "model.layers.%d.linear_attn.in_proj_a.weight",
    [ITH_ROLE_REC_B] = "model.layers.%d.linear_attn.in_proj_b.weight",
    [ITH_ROLE_REC_BA] = "model.layers.%d.linear_attn.in_proj_ba.weight",
    [ITH_ROLE_REC_CONV] = "model.layers.%d.linear_attn.conv1d.weight",
    [ITH_ROLE_REC_CONV_QK] = "model.layers.%d.linear_attn.conv1d_qk.weight",
    [ITH_ROLE_REC_CONV_V] = "model.layers.%d.linear_attn.conv1d_v.weight",
    [ITH_ROLE_REC_DECAY] = "model.layers.%d.linear_attn.A_log",
    [ITH_ROLE_REC_DT_BIAS] = "model.layers.%d.linear_attn.dt_bias",
    [ITH_ROLE_REC_NORM] = "model.layers.%d.linear_attn.norm.weight",
    [ITH_ROLE_REC_OUT] = "model.layers.%d.linear_attn.out_proj.weight",
    [ITH_ROLE_ROUTER] = "model.layers.%d.mlp.gate.weight",
    [ITH_ROLE_EXPERT_GATE] = "model.layers.%d.mlp.experts.%d.gate_proj.weight",
    [ITH_ROLE_EXPERT_UP] = "model.layers.%d.mlp.experts.%d.up_proj.weight",
    [ITH_ROLE_EXPERT_DOWN] = "model.layers.%d.mlp.experts.%d.down_proj.weight",
    [ITH_ROLE_EXPERTS_GATE_UP] = "model.layers.%d.mlp.experts.gate_up_proj",
    [ITH_ROLE_EXPERTS_DOWN] = "model.layers.%d.mlp.experts.down_proj",
    [ITH_ROLE_CHOICE_BIAS] = "model.layers.%d.mlp.gate.e_score_correction_bias",
    [ITH_ROLE_SHARED_GATE] = "model.layers.%d.mlp.shared_experts.gate_proj.weight",
    [ITH_ROLE_SHARED_UP] = "model.layers.%d.mlp.shared_experts.up_proj.weight",
    [ITH_ROLE_SHARED_DOWN] = "model.layers.%d.mlp.shared_experts.down_proj.weight",
};

const char *const ith_names_gguf[ITH_ROLES] = {
    [ITH_ROLE_EMBED] = "token_embd.weight",
    [ITH_ROLE_OUT_NORM] = "output_norm.weight",
    [ITH_ROLE_OUT_NORM_BIAS] = "output_norm.bias",
    [ITH_ROLE_OUTPUT] = "output.weight",
    [ITH_ROLE_OUTPUT_BIAS] = "output.bias",
    [ITH_ROLE_ATTN_NORM] = "blk.%d.attn_norm.weight",
    [ITH_ROLE_ATTN_NORM_BIAS] = "blk.%d.attn_norm.bias",
    [ITH_ROLE_Q] = "blk.%d.attn_q.weight",
    [ITH_ROLE_K] = "blk.%d.attn_k.weight",
    [ITH_ROLE_V] = "blk.%d.attn_v.weight",
    [ITH_ROLE_O] = "blk.%d.attn_output.weight",
    [ITH_ROLE_Q_BIAS] = "blk.%d.attn_q.bias",
    [ITH_ROLE_K_BIAS] = "blk.%d.attn_k.bias",
    [ITH_ROLE_V_BIAS] = "blk.%d.attn_v.bias",
    [ITH_ROLE_O_BIAS] = "blk.%d.attn_output.bias",
    [ITH_ROLE_Q_NORM] = "blk.%d.attn_q_norm.weight",
    [ITH_ROLE_SINKS] = "blk.%d.attn_sinks.weight",
    [ITH_ROLE_K_NORM] = "blk.%d.attn_k_norm.weight",
    [ITH_ROLE_Q_A] = "blk.%d.attn_q_a.weight",
    [ITH_ROLE_Q_A_NORM] = "blk.%d.attn_q_a_norm.weight",
    [ITH_ROLE_Q_B] = "blk.%d.attn_q_b.weight",
    [ITH_ROLE_KV_A] = "blk.%d.attn_kv_a_mqa.weight",
    [ITH_ROLE_KV_A_NORM] = "blk.%d.attn_kv_a_norm.weight",
    [ITH_ROLE_KV_B] = "blk.%d.attn_kv_b.weight",
    [ITH_ROLE_K_B] = "blk.%d.attn_k_b.weight",
    [ITH_ROLE_V_B] = "blk.%d.attn_v_b.weight",
    [ITH_ROLE_ATTN_POST_NORM] = "blk.%d.post_attention_norm.weight",
    [ITH_ROLE_INPUTS_EMBED] = "per_layer_token_embd.weight",
    [ITH_ROLE_INPUTS_PROJ] = "per_layer_model_proj.weight",
    [ITH_ROLE_INPUTS_NORM] = "per_layer_proj_norm.weight",
    [ITH_ROLE_STREAMS_BEGIN] = "altup_proj.weight",
    [ITH_ROLE_STREAMS_END] = "altup_unembd_proj.weight",
    [ITH_ROLE_STREAM_NORM] = "blk.%d.altup_router_norm.weight",
    [ITH_ROLE_STREAM_ROUTER] = "blk.%d.altup_router.weight",
    [ITH_ROLE_STREAM_PREDICT] = "blk.%d.altup_predict_coef.weight",
    [ITH_ROLE_STREAM_CORRECT] = "blk.%d.altup_correct_coef.weight",
    [ITH_ROLE_STREAM_SCALE] = "blk.%d.altup_correct_scale.weight",
    [ITH_ROLE_LAUREL_LEFT] = "blk.%d.laurel_l.weight",
    [ITH_ROLE_LAUREL_RIGHT] = "blk.%d.laurel_r.weight",
    [ITH_ROLE_LAUREL_NORM] = "blk.%d.laurel_post_norm.weight",
    [ITH_ROLE_INPUT_GATE] = "blk.%d.inp_gate.weight",
    [ITH_ROLE_INPUT_DOWN] = "blk.%d.proj.weight",
    [ITH_ROLE_INPUT_POST_NORM] = "blk.%d.post_norm.weight",
    [ITH_ROLE_LAYER_SCALE] = "blk.%d.layer_output_scale.weight",
    [ITH_ROLE_FFN_NORM] = "blk.%d.ffn_norm.weight",
    [ITH_ROLE_FFN_NORM_BIAS] = "blk.%d.ffn_norm.bias",
    [ITH_ROLE_FFN_POST_NORM] = "blk.%d.post_ffw_norm.weight",
    [ITH_ROLE_GATE] = "blk.%d.ffn_gate.weight",
    [ITH_ROLE_UP] = "blk.%d.ffn_up.weight",
    [ITH_ROLE_DOWN] = "blk.%d.ffn_down.weight",
    [ITH_ROLE_GATE_BIAS] = "blk.%d.ffn_gate.bias",
    [ITH_ROLE_UP_BIAS] = "blk.%d.ffn_up.bias",
    [ITH_ROLE_DOWN_BIAS] = "blk.%d.ffn_down.bias",
    [ITH_ROLE_REC_Z] = "blk.%d.attn_gate.weight",
    [ITH_ROLE_REC_QKV] = "blk.%d.attn_qkv.weight",
    [ITH_ROLE_REC_A] = "blk.%d.ssm_alpha.weight",
    [ITH_ROLE_REC_B] = "blk.%d.ssm_beta.weight",
    [ITH_ROLE_REC_BA] = "blk.%d.ssm_ba.weight",
    [ITH_ROLE_REC_CONV] = "blk.%d.ssm_conv1d.weight",
    [ITH_ROLE_REC_CONV_BIAS] = "blk.%d.ssm_conv1d.bias",
    [ITH_ROLE_REC_SKIP] = "blk.%d.ssm_d",
    [ITH_ROLE_REC_DECAY] = "blk.%d.ssm_a",
    [ITH_ROLE_REC_DT_BIAS] = "blk.%d.ssm_dt.bias",
    [ITH_ROLE_REC_NORM] = "blk.%d.ssm_norm.weight",
    [ITH_ROLE_REC_OUT] = "blk.%d.ssm_out.weight",
    [ITH_ROLE_ROUTER] = "blk.%d.ffn_gate_inp.weight",
    [ITH_ROLE_EXPERTS_GATE] = "blk.%d.ffn_gate_exps.weight",
    [ITH_ROLE_EXPERTS_UP] = "blk.%d.ffn_up_exps.weight",
    [ITH_ROLE_EXPERTS_DOWN] = "blk.%d.ffn_down_exps.weight",
    [ITH_ROLE_EXPERTS_GATE_UP] = "blk.%d.ffn_gate_up_exps.weight",
    [ITH_ROLE_EXPERTS_GATE_BIAS] = "blk.%d.ffn_gate_exps.bias",
    [ITH_ROLE_EXPERTS_UP_BIAS] = "blk.%d.ffn_up_exps.bias",
    [ITH_ROLE_EXPERTS_DOWN_BIAS] = "blk.%d.ffn_down_exps.bias",
    [ITH_ROLE_ROUTER_BIAS] = "blk.%d.ffn_gate_inp.bias",
    [ITH_ROLE_CHOICE_BIAS] = "blk.%d.exp_probs_b.bias",
    [ITH_ROLE_SHARED_GATE] = "blk.%d.ffn_gate_shexp.weight",
    [ITH_ROLE_SHARED_UP] = "blk.%d.ffn_up_shexp.weight",
    [ITH_ROLE_SHARED_DOWN] = "blk.%d.ffn_down_shexp.weight",
    [ITH_ROLE_SHARED_WEIGHT] = "blk.%d.ffn_gate_inp_shexp.weight",
};

const ith_own_name ith_names_hf_of_post_norms[] = {
    {ITH_ROLE_ATTN_POST_NORM, "model.layers.%d.post_attention_layernorm.weight"},
    {ITH_ROLE_FFN_POST_NORM, "model.layers.%d.post_feedforward_layernorm.weight"},
    {ITH_ROLE_NONE, NULL}};

const ith_own_name ith_names_hf_of_sandwich[] = {
    {ITH_ROLE_ATTN_POST_NORM, "model.layers.%d.post_attention_layernorm.weight"},
    {ITH_ROLE_FFN_NORM, "model.layers.%d.pre_feedforward_layernorm.weight"},
    {ITH_ROLE_FFN_POST_NORM, "model.layers.%d.post_feedforward_layernorm.weight"},
    {ITH_ROLE_NONE, NULL}};

const ith_own_name ith_names_gguf_of_fused[] = {{ITH_ROLE_QKV, "blk.%d.attn_qkv.weight"},
                                                {ITH_ROLE_QKV_BIAS, "blk.%d.attn_qkv.bias"},
                                                {ITH_ROLE_GATE_UP, "blk.%d.ffn_up.weight"},
                                                {ITH_ROLE_GATE, NULL},
                                                {ITH_ROLE_UP, NULL},
                                                {ITH_ROLE_NONE, NULL}};

ith_layer_form ith_layer_of_attention_and_mlp(const ith_hparams *hp, int64_t i)
{
    (void)hp, (void)i;
    return (ith_layer_form){2,
                            {{.norm = ITH_ROLE_ATTN_NORM, .block = "attention"},
                             {.norm = ITH_ROLE_FFN_NORM, .block = "mlp"}}};
}

ith_layer_form ith_layer_of_attention_and_experts(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_mlp(hp, i);

    if (!ith_hparams_has_experts(hp, i))
        return form;
    form.sub[1].block = "experts";
    if (hp->experts.shared_ffn > 0)
        form.sub[form.n++] = (ith_sublayer_form){.block = "shared", .beside = true};
    return form;
}

ith_layer_form ith_layer_of_sandwich(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_mlp(hp, i);
    form.sub[0].post = ITH_ROLE_ATTN_POST_NORM;
    form.sub[1].post = ITH_ROLE_FFN_POST_NORM;
    return form;
}

ith_layer_form ith_layer_of_post_norms(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_sandwich(hp, i);
    form.sub[0].norm = form.sub[1].norm = ITH_ROLE_NONE;
    return form;
}

ith_layer_form ith_layer_of_parallel(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_attention_and_mlp(hp, i);
    form.sub[1].norm = ITH_ROLE_NONE;
    form.sub[1].beside = true;
    return form;
}

ith_hparams ith_arch_hparams(const ith_arch *arch)
{
    ith_hparams hp = ith_hparams_default();
    snprintf(hp.architecture, sizeof hp.architecture, "%s", arch->name);
    hp.qkv_bias = arch->qkv_bias;
    hp.qk_norm = arch->qk_norm;
    if (arch->traits != NULL)
        arch->traits(&hp);
    return hp;
}

const char *ith_arch_pattern(const ith_arch *arch, bool gguf, ith_role role)
{
    const ith_own_name *own = gguf ? arch->gguf_own : arch->hf_own;

    for (; own != NULL && own->role != ITH_ROLE_NONE; own++)
        if (own->role == role)
            return own->pattern;
    return gguf ? arch->gguf_names[role] : arch->hf_names[role];
}

ith_status ith_arch_set_pattern(ith_hparams *hp, int64_t step, int32_t last, int32_t others,
                                const char *where, ith_error *err)
{
    if (hp->n_layers > ITH_MAX_LISTED_LAYERS)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: %lld layers of several kinds; Ithaca supports %d", where,
                        (long long)hp->n_layers, ITH_MAX_LISTED_LAYERS);
    hp->n_traits = (int)hp->n_layers;
    for (int i = 0; i < hp->n_traits; i++)
        hp->traits[i] = (i + 1) % step == 0 ? last : others;
    return ITH_OK;
}

ith_status ith_arch_settle(const ith_arch *arch, const char *where, ith_hparams *hp, ith_error *err)
{
    bool no_rope = arch->full_no_rope && hp->window > 0;

    if (no_rope && hp->n_traits == 0) /* although no layer has the window */
        ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, where, err));
    for (int i = 0; i < hp->n_traits; i++) {
        bool window = hp->traits[i] & ITH_LAYER_WINDOW;
        hp->traits[i] |= window && arch->window_rope ? ITH_LAYER_WINDOW_ROPE
                         : !window && no_rope        ? ITH_LAYER_NO_ROPE
                                                     : 0;
    }
    if (hp->window_theta == 0)
        hp->window_theta = hp->rope.theta;
    ith_hparams_settle(hp);
    return ITH_OK;
}

bool ith_arch_has_key(const ith_arch *arch, bool gguf, const char *key)
{
    for (const ith_arch_key *k = arch->keys; k != NULL && (k->config || k->gguf); k++) {
        const char *name = gguf ? k->gguf : k->config;
        if (name != NULL && strcmp(name, key) == 0)
            return true;
    }
    return false;
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
                                       "attn_rot_embd.weight", "attention.masked_bias"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(name), end = strlen(ends[i]);
        if (len >= end && strcmp(name + len - end, ends[i]) == 0 &&
            (len == end || name[len - end - 1] == '.'))
            return true;
    }
    return false;
}

bool ith_arch_tensor_name(const ith_arch *arch, bool gguf, ith_role role, int layer, int expert,
                          char name[ITH_TENSOR_NAME])
{
    const char *pattern = ith_arch_pattern(arch, gguf, role);

    if (pattern == NULL)
        return false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, ITH_TENSOR_NAME, pattern, layer, expert);
#pragma GCC diagnostic pop
    return true;
}
