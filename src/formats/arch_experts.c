/* arch_experts.c - what families with mixtures of experts have in common. */
#include "formats/arch_experts.h"

#include "formats/gguf_meta.h"
#include "formats/hf_config.h"
#include "formats/layer_list.h"
#include "formats/tensor_table.h"

const ith_own_name ith_names_hf_of_gated_shared_expert[] = {
    {ITH_ROLE_SHARED_GATE, "model.layers.%d.mlp.shared_expert.gate_proj.weight"},
    {ITH_ROLE_SHARED_UP, "model.layers.%d.mlp.shared_expert.up_proj.weight"},
    {ITH_ROLE_SHARED_DOWN, "model.layers.%d.mlp.shared_expert.down_proj.weight"},
    {ITH_ROLE_SHARED_WEIGHT, "model.layers.%d.mlp.shared_expert_gate.weight"},
    {ITH_ROLE_NONE, NULL}};

/* ---- Hugging Face folders ---- */

const ith_own_name ith_experts_names_of_mixtral[] = {
    {ITH_ROLE_ROUTER, "model.layers.%d.block_sparse_moe.gate.weight"},
    {ITH_ROLE_CHOICE_BIAS, "model.layers.%d.block_sparse_moe.e_score_correction_bias"},
    {ITH_ROLE_EXPERT_GATE, "model.layers.%d.block_sparse_moe.experts.%d.w1.weight"},
    {ITH_ROLE_EXPERT_UP, "model.layers.%d.block_sparse_moe.experts.%d.w3.weight"},
    {ITH_ROLE_EXPERT_DOWN, "model.layers.%d.block_sparse_moe.experts.%d.w2.weight"},
    {ITH_ROLE_NONE, NULL}};

ith_router_params ith_experts_router_of_deepseek(int64_t groups, int64_t top_groups, double factor)
{
    return (ith_router_params){.score = ITH_ROUTER_SIGMOID,
                               .choice_bias = true,
                               .groups = groups,
                               .top_groups = top_groups,
                               .group_best = 2,
                               .normalized = true,
                               .norm_add = 1e-20,
                               .factor = factor};
}

const ith_arch_key ith_experts_keys[] = {
    {"n_routed_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"first_k_dense_replace", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.first)},
    {"n_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.groups)},
    {"topk_group", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.router.top_groups)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"routed_scaling_factor", NULL, ITH_KEY_REAL, offsetof(ith_hparams, experts.router.factor)},
    {0}};

const ith_arch_key ith_experts_keys_of_qwen[] = {
    {"num_local_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.n)},
    {"num_experts_per_tok", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.used)},
    {"moe_intermediate_size", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.ffn)},
    {"decoder_sparse_step", NULL, ITH_KEY_INT, offsetof(ith_hparams, experts.step)},
    {"norm_topk_prob", NULL, ITH_KEY_BOOL, offsetof(ith_hparams, experts.router.normalized)},
    {"shared_expert_intermediate_size", NULL, ITH_KEY_INT,
     offsetof(ith_hparams, experts.shared_ffn)},
    {0}};

ith_status ith_experts_read_shared(const json_t *config, const char *where, const char *key,
                                   int64_t width, ith_hparams *hp, ith_error *err)
{
    int64_t n = 0;

    ITH_TRY(ith_json_int(config, where, key, 0, 1 << 10, &n, err));
    if (json_object_get(config, key) != NULL)
        hp->experts.shared_ffn = n * width;
    return ITH_OK;
}

ith_status ith_experts_take_width(const json_t *config, const char *where, ith_hparams *hp,
                                  ith_error *err)
{
    (void)config, (void)where, (void)err;
    hp->experts.ffn = hp->ffn;
    return ITH_OK;
}

ith_status ith_experts_read_dense_layers(const json_t *config, const char *where,
                                         ith_experts_params *e, ith_error *err)
{
    const json_t *layers = json_object_get(config, "mlp_only_layers"), *layer;
    size_t i;

    if (layers == NULL || json_is_null(layers))
        return ITH_OK;
    if (!json_is_array(layers))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"mlp_only_layers\" should be a list", where);
    json_array_foreach (layers, i, layer) {
        int64_t number = json_integer_value(layer);
        if (!json_is_integer(layer) || number < 0 || number > INT32_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"mlp_only_layers\" should hold layer numbers",
                            where);
        if (e->n_dense == ITH_MAX_DENSE)
            return ith_hf_refuse(where, "mlp_only_layers", "a list of more than 32 layers", err);
        e->dense[e->n_dense++] = (int32_t)number;
    }
    return ITH_OK;
}

/* The dense layers before the first with experts, and those behind it. */
ith_status ith_experts_read_mlp_types(const json_t *config, const char *where, ith_hparams *hp,
                                      ith_error *err)
{
    static const char key[] = "mlp_layer_types";
    static const char *const words[2][ITH_LAYER_NAMES] = {{"dense"}, {"sparse"}};
    ith_experts_params *e = &hp->experts;
    int kinds[ITH_MAX_LISTED_LAYERS];
    bool is_there;

    ITH_TRY(ith_layer_list_two(config, where, key, words, hp->n_layers, kinds, &is_there, err));
    if (!is_there)
        return ITH_OK;
    e->first = hp->n_layers;
    for (int64_t i = hp->n_layers - 1; i >= 0; i--)
        e->first = kinds[i] == 1 ? i : e->first;
    for (int64_t i = e->first; i < hp->n_layers; i++) {
        if (kinds[i] == 1)
            continue;
        if (e->n_dense == ITH_MAX_DENSE)
            return ith_hf_refuse(where, key, "a list with more than 32 dense layers behind experts",
                                 err);
        e->dense[e->n_dense++] = (int32_t)i;
    }
    return ITH_OK;
}

/* ---- GGUF ---- */

const char *const ith_experts_gguf_keys[] = {
    ITH_EXPERTS_GGUF_KEYS, "expert_shared_feed_forward_length", "interleave_moe_layer_step", NULL};

/* In llama.cpp's numbers: 3 is softmax over the chosen. 0 is none: that of the family. */
static ith_status read_score(const ith_gguf_meta *meta, const char *arch, ith_router_params *router,
                             ith_error *err)
{
    enum { OF_FAMILY, SOFTMAX, SIGMOID, SOFTMAX_CHOSEN };
    int64_t kind = OF_FAMILY;

    ITH_TRY(ith_gguf_int(meta, arch, "expert_gating_func", 0, UINT32_MAX, &kind, err));
    if (kind > SOFTMAX_CHOSEN)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: %s.expert_gating_func is %lld; Ithaca does not support it", meta->path,
                        arch, (long long)kind);
    if (kind != OF_FAMILY)
        router->score = kind == SIGMOID ? ITH_ROUTER_SIGMOID : ITH_ROUTER_SOFTMAX;
    if (kind == SOFTMAX_CHOSEN)
        router->normalized = true;
    return ITH_OK;
}

static ith_status read_router(const ith_gguf_meta *meta, const char *arch, ith_router_params *r,
                              ith_error *err)
{
    const int64_t most = ITH_SIZE_LIMIT;
    double factor = 0;

    ITH_TRY(read_score(meta, arch, r, err));
    ITH_TRY(ith_gguf_int(meta, arch, "expert_group_count", 0, most, &r->groups, err));
    ITH_TRY(ith_gguf_int(meta, arch, "expert_group_used_count", 0, most, &r->top_groups, err));
    ITH_TRY(ith_gguf_real(meta, arch, "expert_weights_scale", &factor, err));
    if (factor != 0) /* 0 is none */
        r->factor = factor;
    if (r->groups > 1 && r->group_best == 0) /* as in llama.cpp */
        r->group_best = 2;
    return ith_gguf_bool(meta, arch, "expert_weights_norm", &r->normalized, err);
}

static bool any_layer_has_experts(const ith_hparams *hp)
{
    int64_t i = 0;

    while (i < hp->n_layers && !ith_hparams_has_experts(hp, i))
        i++;
    return i < hp->n_layers;
}

/* The tensor of a role in the first layer that has one; NULL: there is none. */
static const ith_tensor *find(const ith_tensor_table *tensors, const ith_hparams *hp, ith_role role)
{
    const ith_arch *arch = ith_arch_find(hp->architecture);
    const ith_tensor *t = NULL;
    char name[ITH_TENSOR_NAME];

    for (int layer = 0; t == NULL && layer < hp->n_layers; layer++)
        if (ith_hparams_has_experts(hp, layer) &&
            ith_arch_tensor_name(arch, true, role, layer, 0, name))
            t = ith_tensor_table_find(tensors, name);
    return t;
}

/* The number of shared experts and their width are not needed where their tensors are: those of
 * some files are wrong. */
static ith_status look_at_tensors(const ith_gguf_meta *meta, const ith_tensor_table *tensors,
                                  ith_hparams *hp, ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const ith_tensor *shared = find(tensors, hp, ITH_ROLE_SHARED_UP);
    int64_t n = 0;

    e->router.bias = find(tensors, hp, ITH_ROLE_ROUTER_BIAS) != NULL;
    e->router.choice_bias = find(tensors, hp, ITH_ROLE_CHOICE_BIAS) != NULL;
    e->bias = find(tensors, hp, ITH_ROLE_EXPERTS_UP_BIAS) != NULL;
    e->shared_ffn = shared != NULL ? shared->dims[0] : 0;
    e->shared_gated = find(tensors, hp, ITH_ROLE_SHARED_WEIGHT) != NULL;
    ITH_TRY(
        ith_gguf_int(meta, hp->architecture, "expert_shared_count", 0, ITH_SIZE_LIMIT, &n, err));
    return n == 0 || shared != NULL || !any_layer_has_experts(hp)
               ? ITH_OK
               : ith_fail(err, ITH_E_FORMAT,
                          "%s: %s.expert_shared_count is %lld, but there are no "
                          "tensors of shared experts",
                          meta->path, hp->architecture, (long long)n);
}

ith_status ith_experts_read_gguf(const ith_gguf_meta *meta, const ith_tensor_table *tensors,
                                 ith_hparams *hp, ith_error *err)
{
    ith_experts_params *e = &hp->experts;
    const char *arch = hp->architecture;
    const int64_t most = ITH_SIZE_LIMIT;

    ITH_TRY(ith_gguf_need_int(meta, arch, "expert_count", &e->n, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "expert_used_count", &e->used, err));
    if (e->n == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.expert_count is 0", meta->path, arch);
    e->ffn = hp->ffn;
    ITH_TRY(ith_gguf_int(meta, arch, "expert_feed_forward_length", 0, most, &e->ffn, err));
    ITH_TRY(ith_gguf_int(meta, arch, "leading_dense_block_count", 0, most, &e->first, err));
    ITH_TRY(ith_gguf_int(meta, arch, "interleave_moe_layer_step", 1, most, &e->step, err));
    ITH_TRY(read_router(meta, arch, &e->router, err));
    return look_at_tensors(meta, tensors, hp, err);
}

/* ---- Packs ---- */

#define SIZES(field, list)                                                                         \
    field("experts.count", INT64, experts.n), field("experts.used", INT64, experts.used),          \
        field("experts.ffn", INT64, experts.ffn),                                                  \
        field("experts.normalized", BOOL, experts.router.normalized),                              \
        field("experts.step", INT64, experts.step),                                                \
        list("experts.dense", experts.dense, experts.n_dense, ITH_MAX_DENSE)

#define OTHERS                                                                                     \
    ITH_SPARSE_FIELD("experts.first", INT64, experts.first),                                       \
        ITH_SPARSE_FIELD("experts.end", INT64, experts.end),                                       \
        ITH_SPARSE_FIELD("experts.bias", BOOL, experts.bias),                                      \
        ITH_SPARSE_FIELD("experts.shared_ffn", INT64, experts.shared_ffn),                         \
        ITH_SPARSE_FIELD("experts.shared_gated", BOOL, experts.shared_gated),                      \
        ITH_SPARSE_FIELD("experts.score", INT, experts.router.score),                              \
        ITH_SPARSE_FIELD("experts.router_bias", BOOL, experts.router.bias),                        \
        ITH_SPARSE_FIELD("experts.choice_bias", BOOL, experts.router.choice_bias),                 \
        ITH_SPARSE_FIELD("experts.groups", INT64, experts.router.groups),                          \
        ITH_SPARSE_FIELD("experts.top_groups", INT64, experts.router.top_groups),                  \
        ITH_SPARSE_FIELD("experts.group_best", INT64, experts.router.group_best),                  \
        ITH_SPARSE_FIELD("experts.norm_add", REAL, experts.router.norm_add),                       \
        ITH_SPARSE_FIELD("experts.norm_least", REAL, experts.router.norm_least),                   \
        ITH_SPARSE_FIELD("experts.factor", REAL, experts.router.factor),                           \
        ITH_SPARSE_FIELD("experts.jitter", REAL, experts.router.jitter),                           \
        ITH_SPARSE_FIELD("experts.apart", BOOL, experts.router.apart)

_Static_assert(sizeof(ith_router_score) == sizeof(int), "ITH_FIELD_INT reads and writes an int");

const ith_hparams_field ith_experts_fields[] = {SIZES(ITH_FIELD, ITH_FIELD_OF_LIST), OTHERS, {0}};
const ith_hparams_field ith_experts_fields_if_any[] = {
    SIZES(ITH_SPARSE_FIELD, ITH_SPARSE_LIST), OTHERS, {0}};
