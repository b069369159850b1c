/* gguf_hparams.c - the hyperparameters in a GGUF file's metadata that all families have. */
#include "formats/gguf.h"

#include "base/character.h"
#include "base/precise.h"
#include "formats/arch.h"
#include "formats/arch_recurrent.h"
#include "formats/widen.h"

#include <string.h>

/* What the steps below need. */
typedef struct reader {
    const ith_gguf_meta *meta;
    const ith_arch *arch;
    ith_hparams *hp;
} reader;

static ith_status read_architecture(reader *r, ith_error *err)
{
    ith_bytes name = {0};

    ITH_TRY(ith_gguf_string(r->meta, "general.architecture", NULL, &name, err));
    if (name.data == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: general.architecture is missing", r->meta->path);
    ith_clean_text(name.data, name.len, r->hp->architecture, sizeof r->hp->architecture);
    r->arch = ith_arch_find(r->hp->architecture);
    if (r->arch == NULL)
        return ith_arch_unknown(r->meta->path, r->hp->architecture, err);
    *r->hp = ith_arch_hparams(r->arch);
    name = (ith_bytes){0};
    ITH_TRY(ith_gguf_string(r->meta, "general.name", NULL, &name, err));
    ith_clean_text(name.data, name.len, r->hp->name, sizeof r->hp->name);
    return ITH_OK;
}

/* Does the family read the key itself? */
static bool is_taken(const reader *r, const char *key)
{
    return ith_arch_takes(r->arch->gguf_keys, key) || ith_arch_has_key(r->arch, true, key) ||
           (r->arch->recurrent && ith_arch_takes(ith_recurrent_gguf_keys, key));
}

static ith_status need(const reader *r, const char *key, int64_t *out, ith_error *err)
{
    return is_taken(r, key) ? ITH_OK : ith_gguf_need_int(r->meta, r->arch->name, key, out, err);
}

static ith_status read_int(const reader *r, const char *key, int64_t *out, ith_error *err)
{
    if (is_taken(r, key))
        return ITH_OK;
    return ith_gguf_int(r->meta, r->arch->name, key, 1, ITH_SIZE_LIMIT, out, err);
}

static ith_status read_real(const reader *r, const char *key, double *out, ith_error *err)
{
    return is_taken(r, key) ? ITH_OK : ith_gguf_real(r->meta, r->arch->name, key, out, err);
}

static ith_status read_eps(const reader *r, ith_error *err)
{
    const char *key = r->arch->norm == ITH_NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                                    : "attention.layer_norm_epsilon";

    if (ith_arch_takes(r->arch->gguf_keys, key))
        return ITH_OK;
    if (ith_gguf_find(r->meta, r->arch->name, key) == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s is missing", r->meta->path, r->arch->name,
                        key);
    return ith_gguf_real(r->meta, r->arch->name, key, &r->hp->rms_eps, err);
}

static ith_status read_sizes(const reader *r, ith_error *err)
{
    ith_hparams *hp = r->hp;

    ITH_TRY(need(r, "block_count", &hp->n_layers, err));
    ITH_TRY(ith_gguf_int(r->meta, r->arch->name, "nextn_predict_layers", 0, ITH_MAX_LISTED_LAYERS,
                         &hp->draft_layers, err));
    if (hp->draft_layers > 0 && hp->draft_layers >= hp->n_layers)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.nextn_predict_layers is %lld of %lld layers",
                        r->meta->path, r->arch->name, (long long)hp->draft_layers,
                        (long long)hp->n_layers);
    hp->n_layers -= hp->draft_layers; /* which block_count counts */
    ITH_TRY(need(r, "embedding_length", &hp->hidden, err));
    hp->ffn = r->arch->defaults.ffn;
    ITH_TRY(hp->ffn > 0 ? read_int(r, "feed_forward_length", &hp->ffn, err)
                        : need(r, "feed_forward_length", &hp->ffn, err));
    ITH_TRY(need(r, "attention.head_count", &hp->n_heads, err));
    ITH_TRY(need(r, "context_length", &hp->ctx_train, err));
    if (hp->n_heads == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.attention.head_count is 0", r->meta->path,
                        r->arch->name);
    hp->n_kv_heads = hp->n_heads;
    ITH_TRY(read_int(r, "attention.head_count_kv", &hp->n_kv_heads, err));
    hp->head_dim = hp->hidden / hp->n_heads;
    ITH_TRY(read_int(r, "attention.key_length", &hp->head_dim, err));
    return read_eps(r, err);
}

/* The rows of the embedding. Padded vocabularies have more rows than tokens, never fewer. */
static ith_status read_vocabulary_size(const reader *r, const ith_tensor_table *table,
                                       const ith_gguf_vocab *vocab, ith_error *err)
{
    const char *name = ith_arch_pattern(r->arch, true, ITH_ROLE_EMBED);
    const ith_tensor *embedding = ith_tensor_table_find(table, name);

    if (embedding == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing", r->meta->path, name);
    r->hp->n_vocab = embedding->dims[0];
    if (vocab->n_tokens > (uint64_t)r->hp->n_vocab)
        return ith_fail(err, ITH_E_FORMAT, "%s: %zu tokens, but %s has %lld rows", r->meta->path,
                        vocab->n_tokens, name, (long long)r->hp->n_vocab);
    return ITH_OK;
}

/* Settings that must not change the arithmetic. `neutral` is so besides 0. */
static const struct setting {
    const char *key;
    double neutral;
} settings[] = {{"expert_count", 0},
                {"expert_shared_count", 0},
                {"expert_group_count", 1},
                {"expert_group_used_count", 1},
                {"expert_gating_func", 1}, /* softmax */
                {"expert_weights_scale", 1},
                {"leading_dense_block_count", 0},
                {"attention.sliding_window", 0},
                {"attention.scale", 0},
                {"attention.clamp_kqv", 0},
                {"attention.max_alibi_bias", 0},
                {"logit_scale", 0},
                {"residual_scale", 0},
                {"embedding_scale", 0},
                {"attn_logit_softcapping", 0},
                {"final_logit_softcapping", 0}};

enum { N_SETTINGS = sizeof settings / sizeof *settings };

/* The family's keys (arch->keys). */
static ith_status read_keys(const reader *r, ith_error *err)
{
    for (const ith_arch_key *k = r->arch->keys; k != NULL && (k->config || k->gguf); k++) {
        void *at = (char *)r->hp + k->at;
        if (k->gguf == NULL)
            continue;
        if (k->kind == ITH_KEY_REAL)
            ITH_TRY(ith_gguf_real(r->meta, r->arch->name, k->gguf, at, err));
        else if (k->kind == ITH_KEY_INT)
            ITH_TRY(ith_gguf_int(r->meta, r->arch->name, k->gguf, 0, ITH_SIZE_LIMIT, at, err));
        else
            ITH_TRY(ith_gguf_bool(r->meta, r->arch->name, k->gguf, at, err));
    }
    return ITH_OK;
}

static bool has_tensor(const reader *r, const ith_tensor_table *table, ith_role role)
{
    char name[ITH_TENSOR_NAME];
    return ith_arch_tensor_name(r->arch, true, role, 0, 0, name) &&
           ith_tensor_table_find(table, name) != NULL;
}

/* Biases are tensors only: those of the first layer tell. Tensors of other layers are refused where
 * they do not match. */
static void find_biases(const reader *r, const ith_tensor_table *table)
{
    if (r->arch->may_bias_qkv)
        r->hp->qkv_bias =
            has_tensor(r, table, ITH_ROLE_Q_BIAS) || has_tensor(r, table, ITH_ROLE_QKV_BIAS);
    if (r->arch->may_bias_o)
        r->hp->o_bias = has_tensor(r, table, ITH_ROLE_O_BIAS);
    if (r->arch->may_bias_mlp)
        r->hp->mlp_bias = has_tensor(r, table, ITH_ROLE_UP_BIAS);
}

/* Does the format say which layers have the window, or the family? */
static bool knows_windows(const reader *r)
{
    return r->arch->windows == ITH_WINDOWS_ALL || r->arch->windows == ITH_WINDOWS_STEPS;
}

/* "attention.sliding_window_pattern": a number of layers, of which the last is full, or for each
 * layer whether it has the window. */
static ith_status read_steps(const reader *r, ith_error *err)
{
    static const char key[] = "attention.sliding_window_pattern";
    const ith_gguf_pair *pair = ith_gguf_find(r->meta, r->arch->name, key);
    ith_hparams *hp = r->hp;
    int64_t step = r->arch->window_step;

    if (pair == NULL || pair->type != ITH_GGUF_ARRAY) {
        ITH_TRY(ith_gguf_int(r->meta, r->arch->name, key, 1, ITH_SIZE_LIMIT, &step, err));
        return ith_arch_set_pattern(hp, step, 0, ITH_LAYER_WINDOW, r->meta->path, err);
    }
    if (pair->item_type != ITH_GGUF_BOOL || !ith_hparams_lists_layers(hp, pair->count))
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s should say true or false of %lld layers",
                        r->meta->path, r->arch->name, key, (long long)hp->n_layers);
    ITH_TRY(ith_arch_set_pattern(hp, 1, 0, 0, r->meta->path, err));
    for (int i = 0; i < hp->n_traits; i++)
        hp->traits[i] = pair->value[i] != 0 ? ITH_LAYER_WINDOW : 0;
    return ITH_OK;
}

/* A window in all layers, or in those that the file or the family says. */
static ith_status read_window(const reader *r, ith_error *err)
{
    ith_hparams *hp = r->hp;

    if (!knows_windows(r))
        return ITH_OK;
    ITH_TRY(ith_gguf_int(r->meta, r->arch->name, "attention.sliding_window", 0, ITH_SIZE_LIMIT,
                         &hp->window, err));
    if (hp->window == 0)
        return ITH_OK;
    if (r->arch->windows == ITH_WINDOWS_ALL)
        return ith_arch_set_pattern(hp, 1, ITH_LAYER_WINDOW, 0, r->meta->path, err);
    return read_steps(r, err);
}

static ith_status check_settings(const reader *r, ith_error *err)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        double value = 0;
        if (strcmp(settings[i].key, "attention.sliding_window") == 0 && knows_windows(r))
            continue;
        ITH_TRY(read_real(r, settings[i].key, &value, err));
        if (value != 0 && value != settings[i].neutral)
            return ith_fail(err, ITH_E_UNSUPPORTED, "%s: %s.%s is %g; Ithaca does not support it",
                            r->meta->path, r->arch->name, settings[i].key, value);
    }
    return ITH_OK;
}

/* Keys that the steps of this file read, and those that say nothing about the arithmetic. */
static const char *const known_keys[] = {
    "block_count",
    "nextn_predict_layers",
    "embedding_length",
    "feed_forward_length",
    "context_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.finetuned",
    "attention.layer_norm_epsilon", /* of another norm */
    "expert_used_count",            /* without experts */
    "pooling_type",
    "tensor_data_layout",
    "vocab_size",
    NULL,
};

static bool is_known(const reader *r, const char *key)
{
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (strcmp(settings[i].key, key) == 0)
            return true;
    if (strcmp(key, "attention.sliding_window_pattern") == 0)
        return r->arch->windows == ITH_WINDOWS_STEPS;
    return ith_arch_takes(known_keys, key) || is_taken(r, key);
}

/* A number or a flag that says "none", "off". */
static bool is_nothing(const reader *r, const char *key)
{
    double number = 1;
    bool flag = true;

    if (ith_gguf_real(r->meta, r->arch->name, key, &number, NULL) == ITH_OK)
        return number == 0;
    return ith_gguf_bool(r->meta, r->arch->name, key, &flag, NULL) == ITH_OK && !flag;
}

/* A key of the family that nobody reads may change the arithmetic. */
static ith_status check_keys(const reader *r, ith_error *err)
{
    size_t prefix = strlen(r->arch->name);
    bool causal = true;

    ITH_TRY(ith_gguf_bool(r->meta, r->arch->name, "attention.causal", &causal, err));
    for (size_t i = 0; i < r->meta->n_pairs; i++) {
        ith_bytes name = r->meta->pairs[i].key;
        char key[128];
        if (name.len <= prefix || memcmp(name.data, r->arch->name, prefix) != 0 ||
            name.data[prefix] != '.')
            continue;
        ith_clean_text(name.data + prefix + 1, name.len - prefix - 1, key, sizeof key);
        if (strcmp(key, "attention.causal") == 0 ? causal : is_known(r, key) || is_nothing(r, key))
            continue;
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: Ithaca does not know %s.%s, which may change what the model computes",
                        r->meta->path, r->arch->name, key);
    }
    return ITH_OK;
}

/* Keys that must equal the head size: values as wide as keys, rotation of the whole head (unless
 * the family may rotate a part). */
static ith_status check_head_sizes(const reader *r, ith_error *err)
{
    enum { ROTATED = 1 };
    static const char *const keys[] = {"attention.value_length", "rope.dimension_count"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int64_t value = r->hp->head_dim;
        if (is_taken(r, keys[i]))
            continue;
        ITH_TRY(ith_gguf_int(r->meta, r->arch->name, keys[i], 0, ITH_SIZE_LIMIT, &value, err));
        if (i == ROTATED && r->arch->partial_rotary && value > 0) {
            r->hp->rope.rotated = value;
            continue;
        }
        if (value != r->hp->head_dim)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: %s.%s is %lld; Ithaca supports only the head size, %lld",
                            r->meta->path, r->arch->name, keys[i], (long long)value,
                            (long long)r->hp->head_dim);
    }
    return ITH_OK;
}

static ith_status read_rope_kind(const reader *r, ith_rope_kind *kind, ith_error *err)
{
    static const struct {
        const char *name;
        ith_rope_kind kind;
    } kinds[] = {{"none", ITH_ROPE_PLAIN}, {"linear", ITH_ROPE_LINEAR}, {"yarn", ITH_ROPE_YARN}};
    ith_bytes name = {"linear", 6}; /* llama.cpp's default; without a factor it is plain */

    ITH_TRY(ith_gguf_string(r->meta, r->arch->name, "rope.scaling.type", &name, err));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ith_bytes_equal(name, kinds[i].name)) {
            *kind = kinds[i].kind;
            return ITH_OK;
        }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %s.rope.scaling.type is not supported; Ithaca knows none, linear and yarn",
                    r->meta->path, r->arch->name);
}

/* llama.cpp multiplies attn_factor by YaRN's own 0.1 ln(factor) + 1. In yarn_attn_factor its
 * converter writes what replaces that in config.json. Our attention_factor is the product. */
static ith_status read_yarn(const reader *r, ith_error *err)
{
    ith_rope_params *rope = &r->hp->rope;
    double ext_factor = 1, factor = 1, own = 0;

    ITH_TRY(read_real(r, "rope.scaling.yarn_beta_fast", &rope->beta_fast, err));
    ITH_TRY(read_real(r, "rope.scaling.yarn_beta_slow", &rope->beta_slow, err));
    ITH_TRY(read_real(r, "rope.scaling.attn_factor", &factor, err));
    ITH_TRY(read_real(r, "rope.scaling.yarn_attn_factor", &own, err));
    ITH_TRY(read_real(r, "rope.scaling.yarn_ext_factor", &ext_factor, err));
    if (ext_factor != 1)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: %s.rope.scaling.yarn_ext_factor is %g; Ithaca supports only 1",
                        r->meta->path, r->arch->name, ext_factor);
    if (factor != 1 || own != 0)
        rope->attention_factor = factor * (own != 0 ? own : 0.1 * ith_ln(rope->factor) + 1);
    return ITH_OK;
}

/* The divisors of LongRoPE are tensors, as for llama.cpp: a file that has them has that scaling. */
static const char *const long_tensors[] = {"rope_factors_short.weight", "rope_factors_long.weight"};

static ith_status read_factors(const ith_tensor *t, double *factors, int *n, ith_error *err)
{
    float values[ITH_MAX_ROPE_FACTORS];

    ITH_TRY(ith_tensor_check_read(t, err));
    if (t->n_dims != 1 || t->dims[0] > ITH_MAX_ROPE_FACTORS)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s should have at most %d elements", t->file,
                        t->name, ITH_MAX_ROPE_FACTORS);
    ith_dtype_to_f32(t->dtype, t->data, t->dims[0], values);
    *n = (int)t->dims[0];
    for (int i = 0; i < *n; i++)
        factors[i] = (double)values[i];
    return ITH_OK;
}

/* Sets *has, and reads it. */
static ith_status read_long(const reader *r, const ith_tensor_table *table, bool *has,
                            ith_error *err)
{
    ith_rope_params *rope = &r->hp->rope;
    const ith_tensor *few = ith_tensor_table_find(table, long_tensors[0]),
                     *many = ith_tensor_table_find(table, long_tensors[1]);

    *has = few != NULL && many != NULL;
    if (!*has)
        return few == NULL && many == NULL ? ITH_OK
                                           : ith_fail(err, ITH_E_FORMAT, "%s: tensor %s is missing",
                                                      r->meta->path, long_tensors[few != NULL]);
    rope->kind = ITH_ROPE_LONG;
    rope->original_context = 0;
    ITH_TRY(ith_gguf_int(r->meta, r->arch->name, "rope.scaling.original_context_length", 1,
                         ITH_SIZE_LIMIT, &rope->original_context, err));
    if (rope->original_context == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: LongRoPE without %s.rope.scaling.original_context_length",
                        r->meta->path, r->arch->name);
    rope->factor = ith_rope_long_factor(r->hp->ctx_train, rope->original_context);
    ITH_TRY(read_real(r, "rope.scaling.attn_factor", &rope->attention_factor, err));
    ITH_TRY(read_factors(few, rope->short_factors, &rope->n_short, err));
    return read_factors(many, rope->long_factors, &rope->n_long, err);
}

static ith_status read_rope(const reader *r, const ith_tensor_table *table, ith_error *err)
{
    ith_rope_params *rope = &r->hp->rope;
    double factor = 0;
    bool is_long;

    ITH_TRY(read_real(r, "rope.freq_base", &rope->theta, err));
    ITH_TRY(read_long(r, table, &is_long, err));
    if (is_long)
        return ITH_OK;
    ITH_TRY(read_rope_kind(r, &rope->kind, err));
    ITH_TRY(read_real(r, "rope.scale_linear", &factor, err)); /* the older spelling */

    ITH_TRY(read_real(r, "rope.scaling.factor", &factor, err));
    rope->factor = factor == 0 ? 1 : factor;
    if (rope->kind == ITH_ROPE_LINEAR && rope->factor == 1)
        rope->kind = ITH_ROPE_PLAIN;
    if (rope->kind != ITH_ROPE_YARN)
        return ITH_OK;
    rope->original_context = r->hp->ctx_train;
    ITH_TRY(ith_gguf_int(r->meta, r->arch->name, "rope.scaling.original_context_length", 1,
                         ITH_SIZE_LIMIT, &rope->original_context, err));
    ITH_TRY(read_yarn(r, err));
    ith_hparams_extend_context(r->hp);
    return ITH_OK;
}

/* general.sampling.*, the counterpart of generation_config.json. */
static ith_status read_sampling(const reader *r, ith_error *err)
{
    ith_hparams *hp = r->hp;
    int64_t top_k = 0, window = 64; /* llama.cpp's default */

    ITH_TRY(ith_gguf_real(r->meta, "general.sampling.temp", NULL, &hp->temperature, err));
    ITH_TRY(ith_gguf_int(r->meta, "general.sampling.top_k", NULL, 0, INT32_MAX, &top_k, err));
    ITH_TRY(ith_gguf_real(r->meta, "general.sampling.top_p", NULL, &hp->top_p, err));
    ITH_TRY(ith_gguf_real(r->meta, "general.sampling.min_p", NULL, &hp->min_p, err));
    ITH_TRY(ith_gguf_real(r->meta, "general.sampling.penalty_repeat", NULL, &hp->repetition_penalty,
                          err));
    ITH_TRY(ith_gguf_int(r->meta, "general.sampling.penalty_last_n", NULL, ITH_REPEAT_ALL,
                         INT32_MAX, &window, err));
    hp->top_k = (int)top_k;
    hp->repetition_window = (int)window;
    hp->has_sampling = hp->temperature > 0;
    return ith_hparams_check_sampling(hp, r->meta->path, err);
}

/* llama.cpp's numbers. */
static ith_status read_pooling(const reader *r, ith_error *err)
{
    static const ith_pooling kinds[] = {ITH_POOLING_UNSAID, ITH_POOLING_MEAN, ITH_POOLING_FIRST,
                                        ITH_POOLING_LAST, ITH_POOLING_RANK};
    int64_t kind = 0;

    ITH_TRY(ith_gguf_int(r->meta, r->arch->name, "pooling_type", 0, 4, &kind, err));
    r->hp->pooling = kinds[kind];
    return ITH_OK;
}

ith_status ith_gguf_hparams_read(const ith_gguf_meta *meta, const ith_tensor_table *table,
                                 const ith_gguf_vocab *vocab, ith_hparams *hp, ith_error *err)
{
    reader r = {meta, NULL, hp};

    *hp = ith_hparams_default();
    ITH_TRY(read_architecture(&r, err));
    ITH_TRY(read_sizes(&r, err));
    ITH_TRY(read_keys(&r, err));
    ITH_TRY(read_vocabulary_size(&r, table, vocab, err));
    hp->tied_embeddings =
        ith_tensor_table_find(table, ith_arch_pattern(r.arch, true, ITH_ROLE_OUTPUT)) == NULL;
    find_biases(&r, table);
    ITH_TRY(read_window(&r, err));
    ITH_TRY(check_settings(&r, err));
    ITH_TRY(check_keys(&r, err));
    ITH_TRY(check_head_sizes(&r, err));
    ITH_TRY(read_rope(&r, table, err));
    ITH_TRY(ith_gguf_special_tokens(meta, vocab, hp, err));
    ITH_TRY(read_sampling(&r, err));
    ITH_TRY(read_pooling(&r, err));
    if (r.arch->read_gguf != NULL)
        ITH_TRY(r.arch->read_gguf(meta, table, hp, err));
    ITH_TRY(ith_arch_settle(r.arch, meta->path, hp, err));
    return ith_hparams_check(hp, meta->path, err);
}
