/* arch_kimi_linear.c - Kimi Linear (arXiv 2510.26692): three layers of Kimi Delta Attention, then
 * one of latent attention without rotary positions; DeepSeek-V3's experts. */
#include "formats/arch_experts.h"
#include "formats/arch_latent.h"
#include "formats/arch_recurrent.h"

#include "formats/hf_config.h"
#include "formats/layer_list.h"
#include "formats/tensor_table.h"

#include <string.h>

static const ith_hf_class classes[] = {{"kimi_linear", "KimiLinearForCausalLM"}, {NULL, NULL}};

#define ATTN "model.layers.%d.self_attn."
#define MOE  "model.layers.%d.block_sparse_moe."

static const ith_own_name hf_own[] = {{ITH_ROLE_REC_Q, ATTN "q_proj.weight"},
                                      {ITH_ROLE_REC_K, ATTN "k_proj.weight"},
                                      {ITH_ROLE_REC_V, ATTN "v_proj.weight"},
                                      {ITH_ROLE_REC_A_LOW, ATTN "f_a_proj.weight"},
                                      {ITH_ROLE_REC_A, ATTN "f_b_proj.weight"},
                                      {ITH_ROLE_REC_Z_LOW, ATTN "g_a_proj.weight"},
                                      {ITH_ROLE_REC_Z, ATTN "g_b_proj.weight"},
                                      {ITH_ROLE_REC_B, ATTN "b_proj.weight"},
                                      {ITH_ROLE_REC_CONV_Q, ATTN "q_conv1d.weight"},
                                      {ITH_ROLE_REC_CONV_K, ATTN "k_conv1d.weight"},
                                      {ITH_ROLE_REC_CONV_V, ATTN "v_conv1d.weight"},
                                      {ITH_ROLE_REC_DECAY, ATTN "A_log"},
                                      {ITH_ROLE_REC_DT_BIAS, ATTN "dt_bias"},
                                      {ITH_ROLE_REC_NORM, ATTN "o_norm.weight"},
                                      {ITH_ROLE_REC_OUT, ATTN "o_proj.weight"},
                                      {ITH_ROLE_ROUTER, MOE "gate.weight"},
                                      {ITH_ROLE_CHOICE_BIAS, MOE "gate.e_score_correction_bias"},
                                      {ITH_ROLE_EXPERT_GATE, MOE "experts.%d.w1.weight"},
                                      {ITH_ROLE_EXPERT_UP, MOE "experts.%d.w3.weight"},
                                      {ITH_ROLE_EXPERT_DOWN, MOE "experts.%d.w2.weight"},
                                      {ITH_ROLE_SHARED_GATE, MOE "shared_experts.gate_proj.weight"},
                                      {ITH_ROLE_SHARED_UP, MOE "shared_experts.up_proj.weight"},
                                      {ITH_ROLE_SHARED_DOWN, MOE "shared_experts.down_proj.weight"},
                                      {ITH_ROLE_NONE, NULL}};

static const ith_own_name gguf_own[] = {{ITH_ROLE_REC_Q, "blk.%d.attn_q.weight"},
                                        {ITH_ROLE_REC_K, "blk.%d.attn_k.weight"},
                                        {ITH_ROLE_REC_V, "blk.%d.attn_v.weight"},
                                        {ITH_ROLE_REC_A_LOW, "blk.%d.ssm_f_a.weight"},
                                        {ITH_ROLE_REC_A, "blk.%d.ssm_f_b.weight"},
                                        {ITH_ROLE_REC_Z_LOW, "blk.%d.ssm_g_a.weight"},
                                        {ITH_ROLE_REC_Z, "blk.%d.ssm_g_b.weight"},
                                        {ITH_ROLE_REC_CONV_Q, "blk.%d.ssm_conv1d_q.weight"},
                                        {ITH_ROLE_REC_CONV_K, "blk.%d.ssm_conv1d_k.weight"},
                                        {ITH_ROLE_REC_CONV_V, "blk.%d.ssm_conv1d_v.weight"},
                                        {ITH_ROLE_REC_OUT, "blk.%d.attn_output.weight"},
                                        {ITH_ROLE_NONE, NULL}};

static ith_layer_form layer(const ith_hparams *hp, int64_t i)
{
    ith_layer_form form = ith_layer_of_recurrent(hp, i, "kda");

    if (!(ith_hparams_traits(hp, i) & ITH_LAYER_RECURRENT))
        form.sub[0].block = "latent";
    return form;
}

/* Newer names, which Transformers maps to the older ones, stand behind them. */
static const ith_arch_key keys[] = {
    {"model_max_length", NULL, ITH_KEY_INT, offsetof(ith_hparams, ctx_train)},
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_token", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"first_k_dense_replace", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.first)},
    {"num_expert_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.groups)},
    {"n_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.groups)},
    {"topk_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.top_groups)},
    {"moe_renormalize", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"routed_scaling_factor", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.factor)},
    {"linear_num_heads", NULL, ITH_KEY_INT, offsetof(ith_hparams, delta.key_heads)},
    {"linear_head_dim", "kda.head_dim", ITH_KEY_INT, offsetof(ith_hparams, delta.key_dim)},
    {"linear_conv_kernel_dim", "ssm.conv_kernel", ITH_KEY_INT, offsetof(ith_hparams, delta.taps)},
    {0}};

static void traits(ith_hparams *hp)
{
    hp->delta = (ith_delta_params){.key_heads = 32, .key_dim = 128, .taps = 4};
    hp->experts = (ith_experts_params){.n = 256,
                                       .used = 8,
                                       .ffn = 1024,
                                       .step = 1,
                                       .first = 1,
                                       .router = ith_experts_router_of_deepseek(1, 1, 2.446)};
}

/* What follows from what is read. */
static void settle(ith_hparams *hp)
{
    ith_delta_params *d = &hp->delta;

    d->value_heads = d->key_heads;
    d->value_dim = d->key_dim;
    for (int i = 0; i < hp->n_traits; i++)
        if (!(hp->traits[i] & ITH_LAYER_RECURRENT))
            hp->traits[i] |= ITH_LAYER_NO_ROPE;
    ith_latent_settle(hp);
}

/* ---- config.json ---- */

/* Rotary positions: there are none. */
static const char *const config_keys[] = {"num_key_value_heads", "head_dim",    "n_shared_experts",
                                          "rope_parameters",     "layer_types", NULL};

/* Lists number layers from 1 on. */
static ith_status mark_layers(const json_t *lists, const char *where, const char *key, int32_t mark,
                              ith_hparams *hp, ith_error *err)
{
    const json_t *list = json_object_get(lists, key), *item;
    size_t i;

    if (!json_is_array(list))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a list of layers", where, key);
    json_array_foreach (list, i, item) {
        int64_t number = json_integer_value(item);
        if (!json_is_integer(item) || number < 1 || number > hp->n_layers)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: \"%s\" should hold layer numbers from 1 to %lld", where, key,
                            (long long)hp->n_layers);
        hp->traits[number - 1] = mark;
    }
    return ITH_OK;
}

/* Each layer must be in one of the two lists. */
static ith_status read_lists(const json_t *lists, const char *where, ith_hparams *hp,
                             ith_error *err)
{
    enum { UNKNOWN = ITH_LAYER_WINDOW };

    ITH_TRY(ith_arch_set_pattern(hp, 1, UNKNOWN, UNKNOWN, where, err));
    ITH_TRY(mark_layers(lists, where, "full_attn_layers", 0, hp, err));
    ITH_TRY(mark_layers(lists, where, "kda_layers", ITH_LAYER_RECURRENT, hp, err));
    for (int i = 0; i < hp->n_traits; i++)
        if (hp->traits[i] == UNKNOWN)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: layer %d is in neither list of \"linear_attn_config\"", where,
                            i + 1);
    return ITH_OK;
}

static ith_status read_layers(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    static const char *const words[2][ITH_LAYER_NAMES] = {{"full_attention"}, {"linear_attention"}};
    enum { STEP = 4 };
    const json_t *lists = json_object_get(config, "linear_attn_config");
    int kinds[ITH_MAX_LISTED_LAYERS];
    bool is_there;

    ITH_TRY(ith_layer_list_two(config, where, "layer_types", words, hp->n_layers, kinds, &is_there,
                               err));
    if (!is_there && json_object_get(lists, "full_attn_layers") != NULL &&
        json_object_get(lists, "kda_layers") != NULL)
        return read_lists(lists, where, hp, err);
    if (!is_there) { /* as the class has it */
        ITH_TRY(ith_arch_set_pattern(hp, 1, ITH_LAYER_RECURRENT, 0, where, err));
        for (int i = STEP; i < hp->n_traits; i += STEP)
            hp->traits[i] = 0;
        return ITH_OK;
    }
    ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, where, err));
    for (int i = 0; i < hp->n_traits; i++)
        hp->traits[i] = kinds[i] == 1 ? ITH_LAYER_RECURRENT : 0;
    return ITH_OK;
}

static ith_status refuse_others(const json_t *config, const char *where, ith_error *err)
{
    const char *score = "sigmoid";
    int64_t step = 1;
    bool no_rope = true;

    ITH_TRY(ith_json_string(config, where, "moe_router_activation_func", &score, err));
    if (strcmp(score, "sigmoid") != 0)
        return ith_hf_refuse(where, "moe_router_activation_func", score, err);
    ITH_TRY(ith_json_int(config, where, "moe_layer_freq", 1, ITH_SIZE_LIMIT, &step, err));
    if (step != 1)
        return ith_hf_refuse(where, "moe_layer_freq", "a value above 1", err);
    ITH_TRY(ith_json_bool(config, where, "mla_use_nope", &no_rope, err));
    return no_rope ? ITH_OK : ith_hf_refuse(where, "mla_use_nope", "false", err);
}

static ith_status read_config(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err)
{
    const json_t *lists = json_object_get(config, "linear_attn_config");
    const int64_t most = ITH_SIZE_LIMIT;
    ith_delta_params *d = &hp->delta;
    int64_t shared = 1;

    ITH_TRY(refuse_others(config, where, err));
    ITH_TRY(ith_latent_read_config(config, where, 0, &hp->latent, err));
    ITH_TRY(ith_json_int(lists, where, "num_heads", 1, most, &d->key_heads, err));
    ITH_TRY(ith_json_int(lists, where, "head_dim", 1, most, &d->key_dim, err));
    ITH_TRY(ith_json_int(lists, where, "short_conv_kernel_size", 1, most, &d->taps, err));
    ITH_TRY(ith_json_int(config, where, "num_shared_experts", 0, 1 << 10, &shared, err));
    ITH_TRY(ith_json_int(config, where, "n_shared_experts", 0, 1 << 10, &shared, err));
    hp->experts.shared_ffn = shared * hp->experts.ffn;
    ITH_TRY(read_layers(config, where, hp, err));
    ITH_TRY(ith_experts_read_mlp_types(config, where, hp, err));
    settle(hp);
    return ITH_OK;
}

/* ---- GGUF ---- */

static const char *const gguf_keys[] = {ITH_LATENT_GGUF_KEYS, ITH_EXPERTS_GGUF_KEYS, NULL};

/* Files do not say how many heads recurrent layers have: the rows of b tell. */
static ith_status find_heads(const ith_gguf_meta *meta, const ith_tensor_table *tensors,
                             ith_hparams *hp, ith_error *err)
{
    char name[ITH_TENSOR_NAME];
    const ith_tensor *t = NULL;

    for (int i = 0; t == NULL && i < hp->n_traits; i++)
        if (ith_arch_tensor_name(&ith_arch_kimi_linear, true, ITH_ROLE_REC_B, i, 0, name))
            t = ith_tensor_table_find(tensors, name);
    if (t == NULL || t->n_dims != 2)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: no tensor tells the number of heads of recurrent layers", meta->path);
    hp->delta.key_heads = t->dims[0];
    return ITH_OK;
}

static ith_status read_gguf(const ith_gguf_meta *meta, const ith_tensor_table *tensors,
                            ith_hparams *hp, ith_error *err)
{
    ITH_TRY(ith_latent_read_gguf(meta, hp, err));
    ITH_TRY(ith_recurrent_by_kv_heads(meta, hp, err));
    ITH_TRY(ith_experts_read_gguf(meta, tensors, hp, err));
    ITH_TRY(find_heads(meta, tensors, hp, err));
    settle(hp);
    return ITH_OK;
}

const ith_arch ith_arch_kimi_linear = {
    .name = "kimi-linear",
    .layer = layer,
    .hf_names = ith_names_hf,
    .gguf_names = ith_names_gguf,
    .hf_own = hf_own,
    .gguf_own = gguf_own,
    .traits = traits,
    .keys = keys,
    .hf_classes = classes,
    .recurrent = true,
    .defaults = {.n_vocab = 163840,
                 .n_heads = 32,
                 .ctx = 1048576,
                 .rms_eps = 1e-5,
                 .rope_theta = 10000,
                 .bos = 163584,
                 .eos = 163586},
    .config_keys = config_keys,
    .read_config = read_config,
    .gguf_keys = gguf_keys,
    .read_gguf = read_gguf,
    .fields = ith_experts_fields,
};
