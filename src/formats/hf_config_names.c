/* hf_config_names.c - what checks of hyperparameters (hparams.c) call a size or a number, and the
 * keys of config.json that say it. */
#include "formats/hf_config_impl.h"

#include <stdio.h>
#include <string.h>

enum { KEYS = 6 };

/* Longer words before those that they contain. */
static const struct {
    const char *words, *keys[KEYS];
} names[] = {
    {"number of layers", {"num_hidden_layers"}},
    {"layers of several kinds", {"num_hidden_layers"}},
    {"hidden size", {"hidden_size"}},
    {"shared experts' feed-forward size",
     {"shared_expert_intermediate_size", "shared_intermediate_size", "n_shared_experts",
      "num_shared_experts", "moe_shared_expert_intermediate_size"}},
    {"experts' feed-forward size", {"moe_intermediate_size", "intermediate_size"}},
    {"feed-forward size", {"intermediate_size", "block_ff_dim"}},
    {"number of attention heads", {"num_attention_heads"}},
    {"number of key/value heads of layers", {"num_global_key_value_heads"}},
    {"number of key/value heads", {"num_key_value_heads"}},
    {"head size of layers without", {"global_head_dim"}},
    {"head size is", {"kv_lora_rank", "qk_rope_head_dim", "head_dim", "hidden_size"}},
    {"vocabulary size", {"vocab_size"}},
    {"original context length",
     {"original_max_position_embeddings", "rope_scaling", "rope_parameters"}},
    {"context length",
     {"max_position_embeddings", "model_max_length", "rope_scaling", "rope_parameters"}},
    {"RoPE base of window layers", {"rope_local_base_freq", "rope_parameters"}},
    {"RoPE base", {"rope_theta", "rope_parameters"}},
    {"norm's epsilon",
     {"rms_norm_eps", "layer_norm_eps", "norm_eps", "layer_norm_epsilon", "norm_epsilon"}},
    {"number of experts for a token",
     {"num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k", "top_k_experts"}},
    {"number of experts is",
     {"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"}},
    {"number of groups of experts", {"n_group", "num_expert_group"}},
    {"number of groups for a token", {"topk_group"}},
    {"in the best", {"topk_group", "n_group", "num_expert_group"}},
    {"step from a layer with experts", {"decoder_sparse_step", "moe_layer_interval"}},
    {"layers from", {"first_k_dense_replace", "num_dense_layers", "moe_layer_start_index"}},
    {"factor of experts' weights", {"routed_scaling_factor"}},
    {"least sum of experts' weights", {"moe_norm_min"}},
    {"scale of embeddings", {"embedding_multiplier", "hidden_size"}},
    {"added to the residual", {"residual_multiplier"}},
    {"scale of logits", {"logits_scaling", "logit_scale", "lm_head_multiplier"}},
    {"scale of attention's scores",
     {"attention_multiplier", "query_pre_attn_scalar", "key_multiplier"}},
    {"scale of attention's output", {"attention_in_multiplier", "attention_out_multiplier"}},
    {"soft cap of logits", {"final_logit_softcapping"}},
    {"soft cap of attention's scores", {"attn_logit_softcapping"}},
    {"limit of queries", {"clip_qkv"}},
    {"limit of gate and up", {"swiglu_limit"}},
    {"growth of queries", {"rope_parameters", "rope_scaling"}},
    {"the window is", {"sliding_window"}},
    {"rank of keys and values", {"kv_lora_rank"}},
    {"rank of queries", {"q_lora_rank"}},
    {"head without rotated channels", {"qk_nope_head_dim"}},
    {"number of rotated channels", {"qk_rope_head_dim"}},
    {"size of a head's value", {"v_head_dim"}},
    {"size of all values", {"v_head_dim"}},
    {"channels of a head are rotated", {"partial_rotary_factor", "rotary_dim", "rope_parameters"}},
    {"kernel of the short convolutions",
     {"linear_conv_kernel_dim", "mamba_d_conv", "conv_kernel", "conv_L_cache",
      "linear_attn_config"}},
    {"key heads of recurrent layers", {"linear_num_key_heads", "linear_attn_config"}},
    {"value heads of recurrent layers", {"linear_num_value_heads", "linear_attn_config"}},
    {"recurrent layers' key heads", {"linear_key_head_dim", "linear_attn_config"}},
    {"recurrent layers' value heads", {"linear_value_head_dim", "linear_attn_config"}},
    {"size of all value heads", {"linear_value_head_dim", "linear_attn_config"}},
    {"size of all key heads", {"linear_key_head_dim", "linear_attn_config"}},
    {"number of recurrent layers' heads", {"mamba_n_heads", "mamba_num_heads"}},
    {"number of recurrent layers' groups", {"mamba_n_groups", "n_groups"}},
    {"recurrent layers' heads", {"mamba_d_head", "mamba_head_dim"}},
    {"recurrent layers' states", {"mamba_d_state", "ssm_state_size"}},
    {"groups' states", {"mamba_n_groups", "n_groups"}},
    {"least step of recurrent layers", {"time_step_min"}},
    {"scale of recurrent layers' output", {"ssm_out_multiplier"}},
    {"scale of recurrent layers'", {"ssm_multipliers", "ssm_in_multiplier"}},
    {"the scale of the MLP's", {"mlp_multipliers"}},
    {"size of a layer's inputs", {"hidden_size_per_layer_input"}},
    {"all layers' inputs", {"hidden_size_per_layer_input"}},
    {"its sizes make a model", {"num_hidden_layers", "hidden_size", "hidden_size_per_layer_input"}},
    {"vocabulary of layers' inputs", {"vocab_size_per_layer_input"}},
    {"keys and values of", {"num_kv_shared_layers"}},
    {"rank of the product beside", {"laurel_rank"}},
};

/* Adds those of the row's keys that are there, in parentheses. */
static void add_keys(const json_t *config, const char *const keys[KEYS], char *text, size_t size)
{
    size_t len = strlen(text);
    bool any = false;

    for (int i = 0; i < KEYS && keys[i] != NULL; i++) {
        if (json_object_get(config, keys[i]) == NULL)
            continue;
        len += (size_t)snprintf(text + len, size - len, "%s\"%s\"", any ? ", " : " (", keys[i]);
        if (len >= size) /* the text is full */
            return;
        any = true;
    }
    if (any)
        snprintf(text + len, size - len, ")");
}

void ith_hf_name_key(const json_t *config, ith_error *err)
{
    if (strchr(err->text, '"') != NULL) /* it names one already */
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(err->text, names[i].words) != NULL) {
            add_keys(config, names[i].keys, err->text, sizeof err->text);
            return;
        }
}
