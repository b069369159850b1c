/* arch_lfm2.c - LFM2, dense (arXiv 2511.23404): gated short convolutions in most layers, attention
 * with norms of heads in the others. */
#include "formats/arch_lfm2.h"

#include "formats/hf_config.h"

#include <math.h>

static const ith_hf_class classes[] = {{"lfm2", "Lfm2ForCausalLM"}, {NULL, NULL}};

/* Slices of the input matrix have names of their own in packs. */
const ith_own_name ith_lfm2_names_hf[] = {
    {ITH_ROLE_OUT_NORM, "model.embedding_norm.weight"},
    {ITH_ROLE_ATTN_NORM, "model.layers.%d.operator_norm.weight"},
    {ITH_ROLE_FFN_NORM, "model.layers.%d.ffn_norm.weight"},
    {ITH_ROLE_Q_NORM, "model.layers.%d.self_attn.q_layernorm.weight"},
    {ITH_ROLE_K_NORM, "model.layers.%d.self_attn.k_layernorm.weight"},
    {ITH_ROLE_O, "model.layers.%d.self_attn.out_proj.weight"},
    {ITH_ROLE_GATE, "model.layers.%d.feed_forward.w1.weight"},
    {ITH_ROLE_UP, "model.layers.%d.feed_forward.w3.weight"},
    {ITH_ROLE_DOWN, "model.layers.%d.feed_forward.w2.weight"},
    {ITH_ROLE_ROUTER, "model.layers.%d.feed_forward.gate.weight"},
    {ITH_ROLE_CHOICE_BIAS, "model.layers.%d.feed_forward.expert_bias"},
    {ITH_ROLE_EXPERT_GATE, "model.layers.%d.feed_forward.experts.%d.w1.weight"},
    {ITH_ROLE_EXPERT_UP, "model.layers.%d.feed_forward.experts.%d.w3.weight"},
    {ITH_ROLE_EXPERT_DOWN, "model.layers.%d.feed_forward.experts.%d.w2.weight"},
    {ITH_ROLE_EXPERTS_GATE_UP, "model.layers.%d.feed_forward.experts.gate_up_proj"},
    {ITH_ROLE_EXPERTS_DOWN, "model.layers.%d.feed_forward.experts.down_proj"},
    {ITH_ROLE_REC_QKV, "model.layers.%d.conv.in_proj.weight"},
    {ITH_ROLE_REC_K, "model.layers.%d.conv.in_proj_b.weight"},
    {ITH_ROLE_REC_Q, "model.layers.%d.conv.in_proj_c.weight"},
    {ITH_ROLE_REC_V, "model.layers.%d.conv.in_proj_u.weight"},
    {ITH_ROLE_REC_CONV, "model.layers.%d.conv.conv.weight"},
    {ITH_ROLE_REC_OUT, "model.layers.%d.conv.out_proj.weight"},
    {ITH_ROLE_NONE, NULL}};

const ith_own_name ith_lfm2_names_gguf[] = {{ITH_ROLE_OUT_NORM, "token_embd_norm.weight"},
                                            {ITH_ROLE_REC_QKV, "blk.%d.shortconv.in_proj.weight"},
                                            {ITH_ROLE_REC_CONV, "blk.%d.shortconv.conv.weight"},
                                            {ITH_ROLE_REC_OUT, "blk.%d.shortconv.out_proj.weight"},
                                            {ITH_ROLE_NONE, NULL}};

ith_layer_form ith_lfm2_layer(const ith_hparams *hp, int64_t i)
{
    return ith_layer_of_recurrent(hp, i, "shortconv");
}

/* ---- config.json ---- */

/* The class has its own key of the epsilon, and SiLU. */
static const char *const config_keys[] = {"intermediate_size", "rms_norm_eps", "hidden_act", NULL};

/* The width of the MLP is made of the one that the file has. */
static ith_status read_ffn(const json_t *config, const char *where, ith_hparams *hp, ith_error *err)
{
    int64_t multiple = 256;
    double factor = 1;
    bool adjust = true;

    hp->ffn = 12288;
    ITH_TRY(ith_json_int(config, where, "intermediate_size", 1, ITH_SIZE_LIMIT, &hp->ffn, err));
    ITH_TRY(ith_json_int(config, where, "block_ff_dim", 1, ITH_SIZE_LIMIT, &hp->ffn, err));
    ITH_TRY(ith_json_bool(config, where, "block_auto_adjust_ff_dim", &adjust, err));
    ITH_TRY(ith_json_int(config, where, "block_multiple_of", 1, 1 << 20, &multiple, err));
    ITH_TRY(ith_json_real(config, where, "block_ffn_dim_multiplier", &factor, err));
    if (!adjust)
        return ITH_OK;
    if (!(factor > 0 && factor < 1000))
        return ith_hf_refuse(where, "block_ffn_dim_multiplier", "a value out of range", err);
    hp->ffn = (int64_t)floor(factor * (double)(2 * hp->ffn / 3));
    hp->ffn = (hp->ffn + multiple - 1) / multiple * multiple;
    return ITH_OK;
}

ith_status ith_lfm2_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                ith_error *err)
{
    bool biased = false;

    hp->conv_taps = 3;
    ITH_TRY(ith_json_real(config, where, "norm_eps", &hp->rms_eps, err));
    ITH_TRY(ith_json_bool(config, where, "tie_embedding", &hp->tied_embeddings, err));
    ITH_TRY(ith_json_int(config, where, "conv_L_cache", 1, ITH_SIZE_LIMIT, &hp->conv_taps, err));
    ITH_TRY(ith_json_bool(config, where, "conv_bias", &biased, err));
    if (biased)
        return ith_hf_refuse(where, "conv_bias", "true", err);
    if (json_is_array(json_object_get(config, "layer_types")))
        return ITH_OK;
    return ith_recurrent_but_in(config, where, "full_attn_idxs", hp, err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    ITH_TRY(read_ffn(config, where, hp, err));
    return ith_lfm2_read_config(config, where, hp, err);
}

/* ---- GGUF ---- */

ith_status ith_lfm2_read_gguf(const ith_gguf_meta *meta, const struct ith_tensor_table *tensors,
                              ith_hparams *hp, ith_error *err)
{
    (void)tensors;
    ITH_TRY(ith_gguf_need_int(meta, hp->architecture, "shortconv.l_cache", &hp->conv_taps, err));
    return ith_recurrent_by_kv_heads(meta, hp, err);
}

const ith_arch ith_arch_lfm2 = {
    .name = "lfm2",
    .layer = ith_lfm2_layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = ith_lfm2_names_hf,
    .gguf_own = ith_lfm2_names_gguf,
    .qk_norm = ITH_QK_NORM_HEAD,
    .hf_classes = classes,
    .recurrent = true,
    .defaults = {.n_vocab = 65536,
                 .n_heads = 32,
                 .n_kv_heads = 8,
                 .ctx = 128000,
                 .rms_eps = 1e-5,
                 .rope_theta = 1000000,
                 .tied_embeddings = true,
                 .bos = 1,
                 .eos = 2},
    .config_keys = config_keys,
    .read_config = read_config,
    .read_gguf = ith_lfm2_read_gguf,
};
