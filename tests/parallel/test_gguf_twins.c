/* RANKS: 1
 *
 * test_gguf_twins.c - models of tests/golden/architectures as GGUF files, with the names, shapes
 * and metadata that llama.cpp's converter gives them (kimi_linear.py, nemotron.py, qwen3vl.py,
 * phi.py and gemma.py in its folder conversion). Their logits have the digest of the folder, and a
 * tensor that nobody binds is refused by name.
 */
#include "tests/model_files.h"
#include "tests/parallel/golden_model.h"

#include <math.h>

enum { DIMS = 4, NAME = 128, TENSORS = 200, BF16 = 30, DECODED_HERE = 5, LAYERS = 4 };

typedef struct tensor {
    char name[NAME]; /* the folder's */
    int n_dims;
    int64_t dims[DIMS], n;
    float *x;
    bool written;
} tensor;

typedef struct twin {
    const json_t *config; /* the text's */
    const char *arch;
    int layers;
    tensor tensors[TENSORS];
    size_t n;
    gguf_writer w;
} twin;

/* ---- Values ---- */

/* The tensors of a golden file, in the order of their draws. */
static void draw(twin *t, const json_t *list)
{
    uint64_t state = 1;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *from = json_array_get(list, i), *shape = json_array_get(from, 1);
        double centre = json_number_value(json_array_get(from, 2)),
               spread = json_number_value(json_array_get(from, 3));
        tensor *to = &t->tensors[t->n++];
        must(t->n < TENSORS, "room for the tensors", NULL);
        *to = (tensor){.n_dims = (int)json_array_size(shape), .n = weights_count(shape)};
        snprintf(to->name, NAME, "%s", json_string_value(json_array_get(from, 0)));
        for (int d = 0; d < to->n_dims && d < DIMS; d++)
            to->dims[d] = json_integer_value(json_array_get(shape, (size_t)d));
        to->x = malloc((size_t)to->n * sizeof *to->x);
        must(to->x != NULL, "memory", NULL);
        for (int64_t j = 0; j < to->n; j++)
            to->x[j] =
                ith_bf16_to_f32(ith_f32_to_bf16((float)(weights_draw(&state) * spread + centre)));
    }
}

/* The pattern with numbers for its first two "%d". */
static void numbered(const char *pattern, int layer, int expert, char out[NAME])
{
    const int numbers[] = {layer, expert};
    size_t used = 0;
    int k = 0;

    for (const char *c = pattern; *c != '\0' && used + 12 < NAME;)
        if (strncmp(c, "%d", 2) == 0 && k < 2) {
            used += (size_t)snprintf(out + used, NAME - used, "%d", numbers[k++]);
            c += 2;
        } else {
            out[used++] = *c++;
        }
    out[used] = '\0';
}

static tensor *find(twin *t, const char *pattern, int layer, int expert)
{
    char name[NAME];

    numbered(pattern, layer, expert, name);
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->tensors[i].name, name) == 0)
            return &t->tensors[i];
    return NULL;
}

/* ---- Tensors of the file ---- */

/* Matrices are BF16, as most files have them, vectors F32. dims: rows before columns. */
static void put_tensor(twin *t, const char *name, int n_dims, const int64_t *dims, const float *x,
                       bool floats)
{
    uint64_t ne[DIMS];
    int64_t n = 1;

    for (int d = 0; d < n_dims; d++) {
        ne[n_dims - 1 - d] = (uint64_t)dims[d];
        n *= dims[d];
    }
    gguf_tensor(&t->w, name, floats ? ITH_DT_F32 : BF16, (uint32_t)n_dims, ne, 0, 0);
    for (int64_t i = 0; i < n; i++) {
        uint16_t half = ith_f32_to_bf16(x[i]);
        if (floats)
            put(&t->w.data, &x[i], sizeof x[i]);
        else
            put(&t->w.data, &half, sizeof half);
    }
}

static void plain(twin *t, tensor *from, const char *name)
{
    put_tensor(t, name, from->n_dims, from->dims, from->x, from->n_dims == 1);
}

/* With other dimensions. */
static void shaped(twin *t, tensor *from, const char *name, int n_dims, const int64_t *dims)
{
    put_tensor(t, name, n_dims, dims, from->x, true);
}

/* x[i][j][k] of [n][rows][cols], to [n][cols][rows] */
static float *turned(const float *x, int64_t n, int64_t rows, int64_t cols)
{
    float *out = malloc((size_t)(n * rows * cols) * sizeof *out);

    must(out != NULL, "memory", NULL);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < rows; j++)
            for (int64_t k = 0; k < cols; k++)
                out[(i * cols + k) * rows + j] = x[(i * rows + j) * cols + k];
    return out;
}

/* Of heads [nope + value] rows: the keys turned, [heads][latent][nope], and the values. */
static void split_latents(twin *t, tensor *from, int layer)
{
    int64_t heads = json_integer_value(json_object_get(t->config, "num_attention_heads")),
            nope = json_integer_value(json_object_get(t->config, "qk_nope_head_dim")),
            value = json_integer_value(json_object_get(t->config, "v_head_dim")),
            rank = from->dims[1], all = nope + value;
    float *keys = malloc((size_t)(heads * nope * rank) * sizeof *keys),
          *values = malloc((size_t)(heads * value * rank) * sizeof *values), *other;
    char name[NAME];

    must(keys != NULL && values != NULL && from->dims[0] == heads * all, "latents", NULL);
    for (int64_t h = 0; h < heads; h++) {
        memcpy(keys + h * nope * rank, from->x + h * all * rank,
               (size_t)(nope * rank) * sizeof *keys);
        memcpy(values + h * value * rank, from->x + (h * all + nope) * rank,
               (size_t)(value * rank) * sizeof *values);
    }
    other = turned(keys, heads, nope, rank);
    numbered("blk.%d.attn_k_b.weight", layer, 0, name);
    put_tensor(t, name, 3, (int64_t[]){heads, rank, nope}, other, false);
    numbered("blk.%d.attn_v_b.weight", layer, 0, name);
    put_tensor(t, name, 3, (int64_t[]){heads, value, rank}, values, false);
    free(keys);
    free(values);
    free(other);
}

/* [experts][hidden][2 rows] become two of [experts][rows][hidden]. */
static void split_gate_up(twin *t, tensor *from, int layer)
{
    static const char *const names[] = {"blk.%d.ffn_gate_exps.weight", "blk.%d.ffn_up_exps.weight"};
    int64_t n = from->dims[0], hidden = from->dims[1], rows = from->dims[2] / 2;
    float *all = turned(from->x, n, hidden, 2 * rows),
          *half = malloc((size_t)(n * rows * hidden) * sizeof *half);
    char name[NAME];

    must(half != NULL, "memory", NULL);
    for (int i = 0; i < 2; i++) {
        for (int64_t e = 0; e < n; e++)
            memcpy(half + e * rows * hidden, all + (2 * e + i) * rows * hidden,
                   (size_t)(rows * hidden) * sizeof *half);
        numbered(names[i], layer, 0, name);
        put_tensor(t, name, 3, (int64_t[]){n, rows, hidden}, half, false);
    }
    free(all);
    free(half);
}

/* All experts of a layer in one tensor. */
static void stack(twin *t, const char *pattern, int layer, const char *name)
{
    const tensor *first = find(t, pattern, layer, 0);
    float *all = NULL;
    int64_t n = 0;
    tensor *next;

    for (; (next = find(t, pattern, layer, (int)n)) != NULL; n++) {
        all = realloc(all, (size_t)((n + 1) * first->n) * sizeof *all);
        must(all != NULL, "memory", NULL);
        memcpy(all + n * first->n, next->x, (size_t)first->n * sizeof *all);
        next->written = true;
    }
    put_tensor(t, name, 3, (int64_t[]){n, first->dims[0], first->dims[1]}, all, false);
    free(all);
}

typedef enum op {
    PLAIN,
    FLOATS,     /* a matrix that is F32 there, too */
    STACK,      /* the pattern has the number of the expert, too */
    LATENTS,    /* split_latents */
    GATE_UP,    /* split_gate_up */
    TURNED,     /* [n][rows][cols] to [n][cols][rows] */
    MINUS_EXP4, /* -exp, [1][1][heads][1] */
    MINUS_EXP,  /* -exp, [heads][1] */
    COLUMN,     /* [heads][1] */
    TAPS4,      /* [channels][1][taps] to [1][channels][1][taps] */
    TAPS,       /* [channels][taps] */
    BY_GROUP    /* [groups][channels] */
} op;

typedef struct rule {
    const char *from, *to; /* ends with {NULL} */
    op op;
} rule;

static void apply(twin *t, const rule *r, tensor *from, int layer)
{
    int64_t n = from->n, groups = json_integer_value(json_object_get(t->config, "n_groups"));
    char name[NAME];
    float *other;

    numbered(r->to, layer, 0, name);
    for (int64_t i = 0; i < n && (r->op == MINUS_EXP || r->op == MINUS_EXP4); i++)
        from->x[i] = -(float)exp((double)from->x[i]);
    switch (r->op) {
    case PLAIN:
        plain(t, from, name);
        break;
    case FLOATS:
        shaped(t, from, name, from->n_dims, from->dims);
        break;
    case STACK:
        stack(t, r->from, layer, name);
        break;
    case LATENTS:
        split_latents(t, from, layer);
        break;
    case GATE_UP:
        split_gate_up(t, from, layer);
        break;
    case TURNED:
        other = turned(from->x, from->dims[0], from->dims[1], from->dims[2]);
        put_tensor(t, name, 3, (int64_t[]){from->dims[0], from->dims[2], from->dims[1]}, other,
                   false);
        free(other);
        break;
    case MINUS_EXP4:
        shaped(t, from, name, 4, (int64_t[]){1, 1, n, 1});
        break;
    case MINUS_EXP:
    case COLUMN:
        shaped(t, from, name, 2, (int64_t[]){n, 1});
        break;
    case TAPS4:
        shaped(t, from, name, 4, (int64_t[]){1, from->dims[0], 1, from->dims[2]});
        break;
    case TAPS:
        shaped(t, from, name, 2, (int64_t[]){from->dims[0], from->dims[2]});
        break;
    case BY_GROUP:
        shaped(t, from, name, 2, (int64_t[]){groups, n / groups});
        break;
    }
    from->written = true;
}

/* Every tensor of the text by the first rule that it fits. */
static void put_tensors(twin *t, const rule *rules)
{
    for (const rule *r = rules; r->from != NULL; r++)
        for (int layer = 0; layer < (strstr(r->from, "%d") != NULL ? t->layers : 1); layer++) {
            tensor *from = find(t, r->from, layer, 0);
            if (from != NULL && !from->written)
                apply(t, r, from, layer);
        }
    for (size_t i = 0; i < t->n; i++)
        must(t->tensors[i].written || strncmp(t->tensors[i].name, "model.visual.", 13) == 0,
             t->tensors[i].name, NULL);
}

/* ---- Metadata ---- */

typedef struct pair {
    const char *key, *config; /* ends with {NULL} */
    enum { INT, REAL } kind;
} pair;

#define SIZES                                                                                      \
    {"block_count", "num_hidden_layers", INT}, {"context_length", "max_position_embeddings", INT}, \
        {"embedding_length", "hidden_size", INT},                                                  \
    {                                                                                              \
        "attention.head_count", "num_attention_heads", INT                                         \
    }

static const char *key_of(const twin *t, const char *key)
{
    static char text[NAME];
    snprintf(text, sizeof text, "%s.%s", t->arch, key);
    return text;
}

static void put_pairs(twin *t, const pair *pairs)
{
    for (const pair *p = pairs; p->key != NULL; p++) {
        const json_t *value = json_object_get(t->config, p->config);
        must(json_is_number(value), p->config, NULL);
        if (p->kind == REAL)
            gguf_f32(&t->w, key_of(t, p->key), (float)json_number_value(value));
        else
            gguf_u32(&t->w, key_of(t, p->key), (uint32_t)json_integer_value(value));
    }
}

/* A number for each layer: `with` where the layer has a tensor of this name. */
static void put_layers(twin *t, const char *key, const char *tensor_of, uint32_t with)
{
    gguf_array(&t->w, key_of(t, key), ITH_GGUF_U32, (uint64_t)t->layers);
    for (int i = 0; i < t->layers; i++)
        put_u32(&t->w.pairs, find(t, tensor_of, i, 0) != NULL ? with : 0);
}

/* ---- Families ---- */

#define L "model.layers.%d."

#define ATTENTION(at)                                                                              \
    {at "self_attn.q_proj.weight", "blk.%d.attn_q.weight", PLAIN},                                 \
        {at "self_attn.k_proj.weight", "blk.%d.attn_k.weight", PLAIN},                             \
        {at "self_attn.v_proj.weight", "blk.%d.attn_v.weight", PLAIN},                             \
        {at "self_attn.o_proj.weight", "blk.%d.attn_output.weight", PLAIN},                        \
        {at "input_layernorm.weight", "blk.%d.attn_norm.weight", PLAIN},                           \
    {                                                                                              \
        at "post_attention_layernorm.weight", "blk.%d.ffn_norm.weight", PLAIN                      \
    }

#define MIXTRAL                                                                                    \
    {L "block_sparse_moe.gate.weight", "blk.%d.ffn_gate_inp.weight", FLOATS},                      \
        {L "block_sparse_moe.experts.%d.w1.weight", "blk.%d.ffn_gate_exps.weight", STACK},         \
        {L "block_sparse_moe.experts.%d.w3.weight", "blk.%d.ffn_up_exps.weight", STACK},           \
    {                                                                                              \
        L "block_sparse_moe.experts.%d.w2.weight", "blk.%d.ffn_down_exps.weight", STACK            \
    }

#define WHOLE(at)                                                                                  \
    {at "embed_tokens.weight", "token_embd.weight", PLAIN},                                        \
        {at "norm.weight", "output_norm.weight", PLAIN},                                           \
    {                                                                                              \
        "lm_head.weight", "output.weight", PLAIN                                                   \
    }

static const rule kimi_rules[] = {
    WHOLE("model."),
    ATTENTION(L),
    MIXTRAL,
    {L "self_attn.b_proj.weight", "blk.%d.ssm_beta.weight", PLAIN},
    {L "self_attn.f_a_proj.weight", "blk.%d.ssm_f_a.weight", PLAIN},
    {L "self_attn.f_b_proj.weight", "blk.%d.ssm_f_b.weight", PLAIN},
    {L "self_attn.g_a_proj.weight", "blk.%d.ssm_g_a.weight", PLAIN},
    {L "self_attn.g_b_proj.weight", "blk.%d.ssm_g_b.weight", PLAIN},
    {L "self_attn.q_conv1d.weight", "blk.%d.ssm_conv1d_q.weight", TAPS4},
    {L "self_attn.k_conv1d.weight", "blk.%d.ssm_conv1d_k.weight", TAPS4},
    {L "self_attn.v_conv1d.weight", "blk.%d.ssm_conv1d_v.weight", TAPS4},
    {L "self_attn.A_log", "blk.%d.ssm_a", MINUS_EXP4},
    {L "self_attn.dt_bias", "blk.%d.ssm_dt.bias", PLAIN},
    {L "self_attn.o_norm.weight", "blk.%d.ssm_norm.weight", PLAIN},
    {L "self_attn.kv_a_layernorm.weight", "blk.%d.attn_kv_a_norm.weight", PLAIN},
    {L "self_attn.kv_a_proj_with_mqa.weight", "blk.%d.attn_kv_a_mqa.weight", PLAIN},
    {L "self_attn.kv_b_proj.weight", "", LATENTS},
    {L "mlp.gate_proj.weight", "blk.%d.ffn_gate.weight", PLAIN},
    {L "mlp.up_proj.weight", "blk.%d.ffn_up.weight", PLAIN},
    {L "mlp.down_proj.weight", "blk.%d.ffn_down.weight", PLAIN},
    {L "block_sparse_moe.gate.e_score_correction_bias", "blk.%d.exp_probs_b.bias", PLAIN},
    {L "block_sparse_moe.shared_experts.gate_proj.weight", "blk.%d.ffn_gate_shexp.weight", PLAIN},
    {L "block_sparse_moe.shared_experts.up_proj.weight", "blk.%d.ffn_up_shexp.weight", PLAIN},
    {L "block_sparse_moe.shared_experts.down_proj.weight", "blk.%d.ffn_down_shexp.weight", PLAIN},
    {NULL}};

static const pair kimi_pairs[] = {SIZES,
                                  {"feed_forward_length", "intermediate_size", INT},
                                  {"attention.layer_norm_rms_epsilon", "rms_norm_eps", REAL},
                                  {"ssm.conv_kernel", "linear_conv_kernel_dim", INT},
                                  {"kda.head_dim", "linear_head_dim", INT},
                                  {"attention.kv_lora_rank", "kv_lora_rank", INT},
                                  {"attention.value_length_mla", "v_head_dim", INT},
                                  {"rope.dimension_count", "qk_rope_head_dim", INT},
                                  {"expert_count", "num_experts", INT},
                                  {"expert_used_count", "num_experts_per_token", INT},
                                  {"expert_feed_forward_length", "moe_intermediate_size", INT},
                                  {"expert_shared_count", "num_shared_experts", INT},
                                  {"expert_group_count", "num_expert_group", INT},
                                  {"expert_group_used_count", "topk_group", INT},
                                  {"expert_weights_scale", "routed_scaling_factor", REAL},
                                  {"vocab_size", "vocab_size", INT},
                                  {NULL}};

static void put_kimi(twin *t)
{
    const tensor *latents = find(t, L "self_attn.kv_a_proj_with_mqa.weight", 2, 0);

    put_pairs(t, kimi_pairs);
    put_layers(t, "attention.head_count_kv", L "self_attn.kv_b_proj.weight", 1);
    gguf_u32(&t->w, key_of(t, "attention.key_length"), (uint32_t)latents->dims[0]);
    gguf_u32(&t->w, key_of(t, "attention.key_length_mla"),
             (uint32_t)(json_integer_value(json_object_get(t->config, "qk_nope_head_dim")) +
                        json_integer_value(json_object_get(t->config, "qk_rope_head_dim"))));
    gguf_u32(&t->w, key_of(t, "leading_dense_block_count"), 1);
    gguf_u32(&t->w, key_of(t, "expert_gating_func"), 2);
    put_tensors(t, kimi_rules);
}

#define M "backbone.layers.%d.mixer."

static const rule nemotron_rules[] = {
    {"backbone.embeddings.weight", "token_embd.weight", PLAIN},
    {"backbone.norm_f.weight", "output_norm.weight", PLAIN},
    {"lm_head.weight", "output.weight", PLAIN},
    {"backbone.layers.%d.norm.weight", "blk.%d.attn_norm.weight", PLAIN},
    {M "in_proj.weight", "blk.%d.ssm_in.weight", PLAIN},
    {M "conv1d.weight", "blk.%d.ssm_conv1d.weight", TAPS},
    {M "conv1d.bias", "blk.%d.ssm_conv1d.bias", PLAIN},
    {M "dt_bias", "blk.%d.ssm_dt.bias", PLAIN},
    {M "A_log", "blk.%d.ssm_a", MINUS_EXP},
    {M "D", "blk.%d.ssm_d", COLUMN},
    {M "norm.weight", "blk.%d.ssm_norm.weight", BY_GROUP},
    {M "out_proj.weight", "blk.%d.ssm_out.weight", PLAIN},
    {M "q_proj.weight", "blk.%d.attn_q.weight", PLAIN},
    {M "k_proj.weight", "blk.%d.attn_k.weight", PLAIN},
    {M "v_proj.weight", "blk.%d.attn_v.weight", PLAIN},
    {M "o_proj.weight", "blk.%d.attn_output.weight", PLAIN},
    {M "up_proj.weight", "blk.%d.ffn_up.weight", PLAIN},
    {M "down_proj.weight", "blk.%d.ffn_down.weight", PLAIN},
    {M "gate.weight", "blk.%d.ffn_gate_inp.weight", FLOATS},
    {M "gate.e_score_correction_bias", "blk.%d.exp_probs_b.bias", PLAIN},
    {M "experts.%d.up_proj.weight", "blk.%d.ffn_up_exps.weight", STACK},
    {M "experts.%d.down_proj.weight", "blk.%d.ffn_down_exps.weight", STACK},
    {M "shared_experts.up_proj.weight", "blk.%d.ffn_up_shexp.weight", PLAIN},
    {M "shared_experts.down_proj.weight", "blk.%d.ffn_down_shexp.weight", PLAIN},
    {NULL}};

static const pair nemotron_pairs[] = {SIZES,
                                      {"attention.layer_norm_epsilon", "layer_norm_epsilon", REAL},
                                      {"attention.key_length", "head_dim", INT},
                                      {"attention.value_length", "head_dim", INT},
                                      {"rope.dimension_count", "head_dim", INT},
                                      {"ssm.conv_kernel", "conv_kernel", INT},
                                      {"ssm.state_size", "ssm_state_size", INT},
                                      {"ssm.group_count", "n_groups", INT},
                                      {"ssm.time_step_rank", "mamba_num_heads", INT},
                                      {"vocab_size", "vocab_size", INT},
                                      {NULL}};

static const pair nemotron_moe_pairs[] = {
    {"expert_count", "n_routed_experts", INT},
    {"expert_used_count", "num_experts_per_tok", INT},
    {"expert_feed_forward_length", "moe_intermediate_size", INT},
    {"expert_shared_feed_forward_length", "moe_shared_expert_intermediate_size", INT},
    {"expert_shared_count", "n_shared_experts", INT},
    {"expert_weights_scale", "routed_scaling_factor", REAL},
    {NULL}};

static void put_nemotron(twin *t)
{
    const tensor *out = find(t, M "out_proj.weight", 0, 0);
    bool moe = strcmp(t->arch, "nemotron_h_moe") == 0;

    put_pairs(t, nemotron_pairs);
    if (moe) {
        put_pairs(t, nemotron_moe_pairs);
        gguf_bool(&t->w, key_of(t, "expert_weights_norm"), 1);
        gguf_u32(&t->w, key_of(t, "expert_gating_func"), 2);
    }
    gguf_u32(&t->w, key_of(t, "ssm.inner_size"), (uint32_t)out->dims[1]);
    put_layers(t, "attention.head_count_kv", M "k_proj.weight", 2);
    put_layers(t, "feed_forward_length", moe ? M "gate.weight" : M "up_proj.weight", moe ? 32 : 96);
    put_tensors(t, nemotron_rules);
}

#define V "model.language_model.layers.%d."

static const rule qwen_rules[] = {
    WHOLE("model.language_model."),
    ATTENTION(V),
    {V "self_attn.q_norm.weight", "blk.%d.attn_q_norm.weight", PLAIN},
    {V "self_attn.k_norm.weight", "blk.%d.attn_k_norm.weight", PLAIN},
    {V "mlp.gate.weight", "blk.%d.ffn_gate_inp.weight", FLOATS},
    {V "mlp.experts.gate_up_proj", "", GATE_UP},
    {V "mlp.experts.down_proj", "blk.%d.ffn_down_exps.weight", TURNED},
    {NULL}};

static const pair qwen_pairs[] = {SIZES,
                                  {"feed_forward_length", "intermediate_size", INT},
                                  {"attention.head_count_kv", "num_key_value_heads", INT},
                                  {"attention.key_length", "head_dim", INT},
                                  {"attention.value_length", "head_dim", INT},
                                  {"attention.layer_norm_rms_epsilon", "rms_norm_eps", REAL},
                                  {"rope.freq_base", "rope_theta", REAL},
                                  {"expert_count", "num_experts", INT},
                                  {"expert_used_count", "num_experts_per_tok", INT},
                                  {"expert_feed_forward_length", "moe_intermediate_size", INT},
                                  {NULL}};

static void put_qwen(twin *t)
{
    const uint32_t sections[] = {6, 5, 5, 0};

    put_pairs(t, qwen_pairs);
    gguf_array(&t->w, key_of(t, "rope.dimension_sections"), ITH_GGUF_I32, 4);
    put(&t->w.pairs, sections, sizeof sections);
    gguf_u32(&t->w, key_of(t, "n_deepstack_layers"), 1);
    put_tensors(t, qwen_rules);
}

static const rule phi_rules[] = {WHOLE("model."),
                                 ATTENTION(L),
                                 MIXTRAL,
                                 {"model.norm.bias", "output_norm.bias", PLAIN},
                                 {"lm_head.bias", "output.bias", PLAIN},
                                 {L "input_layernorm.bias", "blk.%d.attn_norm.bias", PLAIN},
                                 {L "post_attention_layernorm.bias", "blk.%d.ffn_norm.bias", PLAIN},
                                 {L "self_attn.q_proj.bias", "blk.%d.attn_q.bias", PLAIN},
                                 {L "self_attn.k_proj.bias", "blk.%d.attn_k.bias", PLAIN},
                                 {L "self_attn.v_proj.bias", "blk.%d.attn_v.bias", PLAIN},
                                 {L "self_attn.o_proj.bias", "blk.%d.attn_output.bias", PLAIN},
                                 {NULL}};

static const pair phi_pairs[] = {
    SIZES,
    {"feed_forward_length", "intermediate_size", INT},
    {"attention.head_count_kv", "num_key_value_heads", INT},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", REAL},
    {"attention.sliding_window", "sliding_window", INT},
    {"rope.scaling.original_context_length", "original_max_position_embeddings", INT},
    {"expert_count", "num_local_experts", INT},
    {"expert_used_count", "num_experts_per_tok", INT},
    {NULL}};

/* The magnitude is that of the folder, which the converter does not read. */
static void put_phi(twin *t)
{
    static const char *const factors[][2] = {{"short_factor", "rope_factors_short.weight"},
                                             {"long_factor", "rope_factors_long.weight"}};
    const json_t *rope = json_object_get(t->config, "rope_parameters");
    float values[64];

    put_pairs(t, phi_pairs);
    gguf_u32(&t->w, key_of(t, "rope.dimension_count"), 16);
    gguf_f32(&t->w, key_of(t, "rope.freq_base"),
             (float)json_number_value(json_object_get(rope, "rope_theta")));
    gguf_f32(&t->w, key_of(t, "rope.scaling.attn_factor"),
             (float)json_number_value(json_object_get(rope, "short_mscale")));
    for (int i = 0; i < 2; i++) {
        const json_t *list = json_object_get(rope, factors[i][0]);
        int64_t n = (int64_t)json_array_size(list);
        for (int64_t k = 0; k < n; k++)
            values[k] = (float)json_number_value(json_array_get(list, (size_t)k));
        put_tensor(t, factors[i][1], 1, &n, values, true);
    }
    put_tensors(t, phi_rules);
}

static const rule gemma_rules[] = {
    WHOLE("model."),
    {L "self_attn.q_norm.weight", "blk.%d.attn_q_norm.weight", PLAIN},
    {L "self_attn.k_norm.weight", "blk.%d.attn_k_norm.weight", PLAIN},
    {L "post_attention_layernorm.weight", "blk.%d.post_attention_norm.weight", PLAIN},
    {L "pre_feedforward_layernorm.weight", "blk.%d.ffn_norm.weight", PLAIN},
    ATTENTION(L),
    {L "post_feedforward_layernorm.weight", "blk.%d.post_ffw_norm.weight", PLAIN},
    {L "post_feedforward_layernorm_1.weight", "blk.%d.post_ffw_norm_1.weight", PLAIN},
    {L "pre_feedforward_layernorm_2.weight", "blk.%d.pre_ffw_norm_2.weight", PLAIN},
    {L "post_feedforward_layernorm_2.weight", "blk.%d.post_ffw_norm_2.weight", PLAIN},
    {L "layer_scalar", "blk.%d.layer_output_scale.weight", PLAIN},
    {L "mlp.gate_proj.weight", "blk.%d.ffn_gate.weight", PLAIN},
    {L "mlp.up_proj.weight", "blk.%d.ffn_up.weight", PLAIN},
    {L "mlp.down_proj.weight", "blk.%d.ffn_down.weight", PLAIN},
    {L "router.proj.weight", "blk.%d.ffn_gate_inp.weight", FLOATS},
    {L "router.scale", "blk.%d.ffn_gate_inp.scale", PLAIN},
    {L "router.per_expert_scale", "blk.%d.ffn_down_exps.scale", PLAIN},
    {L "experts.gate_up_proj", "blk.%d.ffn_gate_up_exps.weight", PLAIN},
    {L "experts.down_proj", "blk.%d.ffn_down_exps.weight", PLAIN},
    {NULL}};

static const pair gemma_pairs[] = {SIZES,
                                   {"feed_forward_length", "intermediate_size", INT},
                                   {"attention.key_length", "global_head_dim", INT},
                                   {"attention.value_length", "global_head_dim", INT},
                                   {"attention.key_length_swa", "head_dim", INT},
                                   {"attention.value_length_swa", "head_dim", INT},
                                   {"rope.dimension_count", "global_head_dim", INT},
                                   {"rope.dimension_count_swa", "head_dim", INT},
                                   {"attention.sliding_window", "sliding_window", INT},
                                   {"attention.layer_norm_rms_epsilon", "rms_norm_eps", REAL},
                                   {"final_logit_softcapping", "final_logit_softcapping", REAL},
                                   {"expert_count", "num_experts", INT},
                                   {"expert_used_count", "top_k_experts", INT},
                                   {"expert_feed_forward_length", "moe_intermediate_size", INT},
                                   {NULL}};

/* The last layer is the only one without a window. A quarter of its pairs turn. */
static void put_gemma(twin *t)
{
    const int64_t pairs = json_integer_value(json_object_get(t->config, "global_head_dim")) / 2;
    float divisors[64];

    put_pairs(t, gemma_pairs);
    gguf_f32(&t->w, key_of(t, "rope.freq_base"), 1e6F);
    gguf_f32(&t->w, key_of(t, "rope.freq_base_swa"), 1e4F);
    gguf_array(&t->w, key_of(t, "attention.head_count_kv"), ITH_GGUF_U32, (uint64_t)t->layers);
    for (int i = 0; i < t->layers; i++)
        put_u32(&t->w.pairs, i == t->layers - 1 ? 1 : 2);
    gguf_array(&t->w, key_of(t, "attention.sliding_window_pattern"), ITH_GGUF_BOOL,
               (uint64_t)t->layers);
    for (int i = 0; i < t->layers; i++)
        put(&t->w.pairs, i == t->layers - 1 ? "\0" : "\1", 1);
    for (int64_t i = 0; i < pairs; i++)
        divisors[i] = i < pairs / 4 ? 1 : 1e30F;
    put_tensor(t, "rope_freqs.weight", 1, &pairs, divisors, true);
    put_tensors(t, gemma_rules);
}

/* ---- Golden files as the format can hold them ---- */

static void keep_list(json_t *config, const char *key, const int *kept, int n)
{
    const json_t *old = json_object_get(config, key);
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        json_array_append(list, json_array_get(old, (size_t)kept[i]));
    json_object_set_new(config, key, list);
}

/* Only these of the layers, which get new numbers. */
static void keep_layers(json_t *golden, const int *kept, int n)
{
    json_t *tensors = json_object_get(golden, "tensors"), *list = json_array(), *one;
    size_t i;

    json_array_foreach (tensors, i, one) {
        const char *name = json_string_value(json_array_get(one, 0)),
                   *at = strstr(name, ".layers."), *rest;
        int layer = at == NULL ? -1 : atoi(at + 8), to = 0;
        char renamed[NAME];
        while (to < n && kept[to] != layer)
            to++;
        if (layer >= 0 && to == n)
            continue;
        if (layer >= 0) {
            rest = strchr(at + 8, '.');
            snprintf(renamed, sizeof renamed, "%.*s.layers.%d%s", (int)(at - name), name, to, rest);
            json_array_set_new(one, 0, json_string(renamed));
        }
        json_array_append(list, one);
    }
    json_object_set_new(golden, "tensors", list);
    json_object_set_new(json_object_get(golden, "config"), "num_hidden_layers", json_integer(n));
}

/* Files say how many dense layers come first, not which are behind others. */
static void cut_kimi(json_t *golden)
{
    static const int kept[] = {0, 1, 2};
    json_t *config = json_object_get(golden, "config");

    keep_layers(golden, kept, 3);
    keep_list(config, "layer_types", kept, 3);
    keep_list(config, "mlp_layer_types", kept, 3);
}

/* Files do not say the least step, and have MLPs or experts. */
static void cut_nemotron(json_t *golden, const int kept[3], const char *pattern)
{
    json_t *config = json_object_get(golden, "config");

    keep_layers(golden, kept, 3);
    json_object_del(config, "time_step_min");
    json_object_set_new(config, "hybrid_override_pattern", json_string(pattern));
}

static void cut_nemotron_dense(json_t *golden)
{
    static const int kept[] = {0, 1, 2};
    cut_nemotron(golden, kept, "M-*");
}

static void cut_nemotron_moe(json_t *golden)
{
    static const int kept[] = {0, 2, 3};
    cut_nemotron(golden, kept, "M*E");
}

/* Files do not say the jitter. */
static void cut_phi(json_t *golden)
{
    json_object_del(json_object_get(golden, "config"), "router_jitter_noise");
}

/* ---- Runs ---- */

typedef struct family {
    const char *golden, *arch;
    void (*cut)(json_t *golden); /* NULL: the folder is that of the golden file */
    void (*put)(twin *t);
} family;

/* The file; with a tensor more, if `more` is not NULL. */
static void write_twin(const json_t *golden, const family *f, const char *more, const char *path)
{
    static twin t;
    const json_t *config = json_object_get(golden, "config"),
                 *text = json_object_get(config, "text_config");
    const int64_t hidden = 64;
    float *ones;
    buffer b;
    FILE *file;

    t = (twin){.config = text != NULL ? text : config,
               .arch = f->arch,
               .w = {.version = 3, .alignment = 32}};
    t.layers = (int)json_integer_value(json_object_get(t.config, "num_hidden_layers"));
    must(t.layers <= LAYERS, "the number of layers", NULL);
    draw(&t, json_object_get(golden, "tensors"));
    gguf_text(&t.w, "general.architecture", t.arch);
    f->put(&t);
    if (more != NULL) {
        ones = calloc((size_t)hidden, sizeof *ones);
        must(ones != NULL, "memory", NULL);
        put_tensor(&t, more, 1, &hidden, ones, true);
        free(ones);
    }
    b = gguf_finish(&t.w);
    file = fopen(path, "wb");
    must(file != NULL && fwrite(b.data, 1, b.n, file) == b.n && fclose(file) == 0, path, NULL);
    free(b.data);
    for (size_t i = 0; i < t.n; i++)
        free(t.tensors[i].x);
}

static ith_engine_params params_of(const char *model)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = model;
    params.threads = 1;
    params.chunk = 37;
    params.quant = ITH_QUANT_W8;
    return params;
}

static void digest(const char *model, size_t decoded, char sha[65])
{
    ith_engine_params params = params_of(model);
    ith_engine *engine = must_open(&params);

    sha_after(engine, ids, n_ids, decoded, sha);
    ith_engine_close(engine);
}

static void twin_equals_folder(const family *f)
{
    json_t *golden = must_read_golden(f->golden);
    char name[300], folder[300], path[320], of_folder[65] = "", of_file[65] = "";

    if (f->cut != NULL)
        f->cut(golden);
    snprintf(name, sizeof name, "twin-%s", f->arch);
    must_write_model(golden, name, NULL, folder);
    snprintf(path, sizeof path, "%s/twin.gguf", folder);
    write_twin(golden, f, NULL, path);
    digest(folder, 0, of_folder);
    for (int i = 0; i < 2; i++) {
        digest(path, i == 0 ? 0 : DECODED_HERE, of_file);
        must(strcmp(of_file, of_folder) == 0, i == 0 ? "the folder's digest" : "decoded", NULL);
    }
    if (f->cut == NULL)
        must(strcmp(of_folder, json_string_value(json_object_get(golden, "sha256"))) == 0,
             "the golden digest", NULL);
    unlink(path);
    json_decref(golden);
    printf("ok %s as a GGUF file has the digest of its folder\n", f->arch);
}

/* Biases that llama.cpp reads where a file has them, and any other tensor. */
static void what_nobody_binds_is_refused(const family *f, const char *tensor_of)
{
    json_t *golden = must_read_golden(f->golden);
    ith_engine_params params;
    ith_engine *engine = NULL;
    ith_error err = {0};
    char path[300];

    f->cut(golden);
    snprintf(path, sizeof path, "%s/unbound.gguf", build_folder());
    write_twin(golden, f, tensor_of, path);
    params = params_of(path);
    must(ith_engine_open(world, &params, &engine, &err) == ITH_E_UNSUPPORTED &&
             strstr(err.text, tensor_of) != NULL,
         "a tensor that nobody binds is refused by name", &err);
    unlink(path);
    json_decref(golden);
    printf("ok %s in a file of %s is refused\n", tensor_of, f->arch);
}

int main(void)
{
    static const family families[] = {
        {"kimi_linear", "kimi-linear", cut_kimi, put_kimi},
        {"nemotron_h", "nemotron_h", cut_nemotron_dense, put_nemotron},
        {"nemotron_h", "nemotron_h_moe", cut_nemotron_moe, put_nemotron},
        {"qwen3-vl-moe", "qwen3vlmoe", NULL, put_qwen},
        {"phimoe", "phimoe", cut_phi, put_phi},
        {"gemma4-moe", "gemma4", NULL, put_gemma}};
    ith_error err;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        twin_equals_folder(&families[i]);
    what_nobody_binds_is_refused(&families[0], "blk.0.ssm_g_b.bias");
    what_nobody_binds_is_refused(&families[1], "blk.2.attn_output.bias");
    what_nobody_binds_is_refused(&families[1], "blk.1.ffn_down.bias");
    ith_world_close(world);
    return 0;
}
