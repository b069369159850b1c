/* hparams_json.c - hyperparameters to JSON and back, field by field. */
#include "formats/hparams_json.h"

#include "base/character.h"
#include "formats/arch.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef ith_hparams_field field;

static const field shared[] = {
    ITH_FIELD_OF_LIST("eos", eos, n_eos, ITH_MAX_EOS),
    ITH_FIELD("layers", INT64, n_layers),
    ITH_FIELD("hidden", INT64, hidden),
    ITH_FIELD("ffn", INT64, ffn),
    ITH_FIELD("heads", INT64, n_heads),
    ITH_FIELD("kv_heads", INT64, n_kv_heads),
    ITH_FIELD("head_dim", INT64, head_dim),
    ITH_FIELD("vocabulary", INT64, n_vocab),
    ITH_FIELD("context", INT64, ctx_train),
    ITH_FIELD("rms_eps", REAL, rms_eps),
    ITH_FIELD("tied_embeddings", BOOL, tied_embeddings),
    ITH_FIELD("bos", INT32, bos),
    ITH_FIELD("has_sampling", BOOL, has_sampling),
    ITH_FIELD("temperature", REAL, temperature),
    ITH_FIELD("top_k", INT, top_k),
    ITH_FIELD("top_p", REAL, top_p),
    ITH_FIELD("min_p", REAL, min_p),
    ITH_FIELD("repetition_penalty", REAL, repetition_penalty),
    ITH_OPTIONAL_FIELD("repetition_window", INT, repetition_window),
    ITH_SPARSE_FIELD("pooling", INT, pooling),
    ITH_FIELD("rope_theta", REAL, rope.theta),
    ITH_FIELD("rope_factor", REAL, rope.factor),
    ITH_FIELD("rope_original_context", INT64, rope.original_context),
    ITH_FIELD("rope_beta_fast", REAL, rope.beta_fast),
    ITH_FIELD("rope_beta_slow", REAL, rope.beta_slow),
    ITH_FIELD("rope_attention_factor", REAL, rope.attention_factor),
    ITH_FIELD("rope_mscale", REAL, rope.mscale),
    ITH_FIELD("rope_mscale_all_dim", REAL, rope.mscale_all_dim),
    ITH_FIELD("rope_truncate", BOOL, rope.truncate),
    ITH_FIELD("rope_low_freq_factor", REAL, rope.low_freq_factor),
    ITH_FIELD("rope_high_freq_factor", REAL, rope.high_freq_factor),
    ITH_SPARSE_FIELD("rope_alpha", REAL, rope.alpha),
    ITH_SPARSE_FIELD("rope_rotated", INT64, rope.rotated),
    ITH_SPARSE_FIELD("latent_kv_rank", INT64, latent.kv_rank),
    ITH_SPARSE_FIELD("latent_q_rank", INT64, latent.q_rank),
    ITH_SPARSE_FIELD("latent_nope", INT64, latent.nope),
    ITH_SPARSE_FIELD("latent_rope", INT64, latent.rope),
    ITH_SPARSE_FIELD("latent_value", INT64, latent.value),
    ITH_SPARSE_FIELD("latent_halves", BOOL, latent.halves),
    ITH_SPARSE_REALS("rope_short_factors", rope.short_factors, rope.n_short, ITH_MAX_ROPE_FACTORS),
    ITH_SPARSE_REALS("rope_long_factors", rope.long_factors, rope.n_long, ITH_MAX_ROPE_FACTORS),
    ITH_SPARSE_FIELD("activation", INT, act),
    ITH_SPARSE_FIELD("ungated", BOOL, ungated),
    ITH_SPARSE_FIELD("qk_norm", INT, qk_norm),
    ITH_SPARSE_FIELD("qkv_bias", BOOL, qkv_bias),
    ITH_SPARSE_FIELD("o_bias", BOOL, o_bias),
    ITH_SPARSE_FIELD("output_bias", BOOL, output_bias),
    ITH_SPARSE_FIELD("qkv_limit", REAL, qkv_limit),
    ITH_SPARSE_FIELD("ffn_bias", BOOL, mlp_bias),
    ITH_SPARSE_FIELD("parallel", BOOL, parallel),
    ITH_SPARSE_FIELD("embed_scale", REAL, embed_scale),
    ITH_SPARSE_FIELD("residual_scale", REAL, residual_scale),
    ITH_SPARSE_FIELD("logit_scale", REAL, logit_scale),
    ITH_SPARSE_FIELD("attn_scale", REAL, attn_scale),
    ITH_SPARSE_FIELD("sinks", BOOL, sinks),
    ITH_SPARSE_FIELD("swiglu_limit", REAL, swiglu_limit),
    ITH_SPARSE_FIELD("swiglu_alpha", REAL, swiglu_alpha),
    ITH_SPARSE_FIELD("swiglu_plus", REAL, swiglu_plus),
    ITH_SPARSE_FIELD("attn_softcap", REAL, attn_softcap),
    ITH_SPARSE_FIELD("logit_softcap", REAL, logit_softcap),
    ITH_SPARSE_FIELD("query_beta", REAL, query_beta),
    ITH_SPARSE_FIELD("query_tokens", INT64, query_tokens),
    ITH_SPARSE_FIELD("window", INT64, window),
    ITH_SPARSE_FIELD("window_theta", REAL, window_theta),
    ITH_SPARSE_FIELD("attn_gate", BOOL, attn_gate),
    ITH_SPARSE_FIELD("delta_key_heads", INT64, delta.key_heads),
    ITH_SPARSE_FIELD("delta_value_heads", INT64, delta.value_heads),
    ITH_SPARSE_FIELD("delta_key_dim", INT64, delta.key_dim),
    ITH_SPARSE_FIELD("delta_value_dim", INT64, delta.value_dim),
    ITH_SPARSE_FIELD("delta_taps", INT64, delta.taps),
    ITH_SPARSE_FIELD("delta_tiled", BOOL, delta.tiled),
    ITH_SPARSE_FIELD("mamba_heads", INT64, mamba.heads),
    ITH_SPARSE_FIELD("mamba_groups", INT64, mamba.groups),
    ITH_SPARSE_FIELD("mamba_head_dim", INT64, mamba.head_dim),
    ITH_SPARSE_FIELD("mamba_state", INT64, mamba.state),
    ITH_SPARSE_FIELD("mamba_taps", INT64, mamba.taps),
    ITH_SPARSE_FIELD("mamba_conv_bias", BOOL, mamba.conv_bias),
    ITH_SPARSE_FIELD("mamba_norm", BOOL, mamba.norm),
    ITH_SPARSE_FIELD("mamba_dt_least", REAL, mamba.dt_least),
    ITH_SPARSE_FIELD("mamba_scale_z", REAL, mamba.scale_z),
    ITH_SPARSE_FIELD("mamba_scale_x", REAL, mamba.scale_x),
    ITH_SPARSE_FIELD("mamba_scale_b", REAL, mamba.scale_b),
    ITH_SPARSE_FIELD("mamba_scale_c", REAL, mamba.scale_c),
    ITH_SPARSE_FIELD("mamba_scale_dt", REAL, mamba.scale_dt),
    ITH_SPARSE_FIELD("mamba_scale_out", REAL, mamba.scale_out),
    ITH_SPARSE_FIELD("attn_out_scale", REAL, attn_out_scale),
    ITH_SPARSE_FIELD("ffn_gate_scale", REAL, ffn_gate_scale),
    ITH_SPARSE_FIELD("ffn_out_scale", REAL, ffn_out_scale),
    ITH_SPARSE_FIELD("conv_taps", INT64, conv_taps),
    ITH_SPARSE_FIELD("full_kv_heads", INT64, full.kv_heads),
    ITH_SPARSE_FIELD("full_head_dim", INT64, full.head_dim),
    ITH_SPARSE_FIELD("keys_are_values", BOOL, full.keys_are_values),
    ITH_SPARSE_FIELD("shared_kv", INT64, shared_kv),
    ITH_SPARSE_FIELD("wide_sharers", BOOL, wide_sharers),
    ITH_SPARSE_FIELD("layer_input_size", INT64, layer_inputs.size),
    ITH_SPARSE_FIELD("layer_input_vocabulary", INT64, layer_inputs.n_vocab),
    ITH_SPARSE_FIELD("altup_streams", INT64, altup.streams),
    ITH_SPARSE_FIELD("altup_scaled", BOOL, altup.scaled),
    ITH_SPARSE_FIELD("laurel_rank", INT64, laurel_rank),
    ITH_SPARSE_REALS("gate_cuts", cuts, n_cuts, ITH_MAX_LISTED_LAYERS),
    ITH_SPARSE_FIELD("value_norm", BOOL, value_norm),
    ITH_SPARSE_FIELD("layer_scale", BOOL, layer_scale),
    ITH_SPARSE_LIST("layer_traits", traits, n_traits, ITH_MAX_LISTED_LAYERS),
    {0},
};

/* Enumerations are stored as an int. */
_Static_assert(sizeof(ith_activation) == sizeof(int) && sizeof(ith_qk_norm) == sizeof(int) &&
                   sizeof(ith_pooling) == sizeof(int),
               "ITH_FIELD_INT reads and writes an int");

/* Members of the format that Ithaca does not compute: they are written as false or 0, and refused
 * if they say anything else. */
static const char *const not_computed[] = {"attention_bias", "mlp_bias", "sliding_window"};

enum { N_NOT_COMPUTED = sizeof not_computed / sizeof *not_computed };

static const field none[] = {{0}};

static const field *own_fields(const char *architecture)
{
    const ith_arch *arch = ith_arch_find(architecture);
    return arch != NULL && arch->fields != NULL ? arch->fields : none;
}

/* "GROUP.KEY" gives KEY, and GROUP in group[32]; "KEY" gives KEY and "". */
static const char *split_key(const char *key, char group[32])
{
    const char *dot = strchr(key, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - key);

    assert(len < 32);
    memcpy(group, key, len);
    group[len] = '\0';
    return dot == NULL ? key : dot + 1;
}

/* ---- To JSON ---- */

static json_t *item_value(const field *f, const void *items, int i)
{
    return f->kind == ITH_FIELD_REALS ? json_real(((const double *)items)[i])
                                      : json_integer(((const int32_t *)items)[i]);
}

static json_t *list_value(const field *f, const ith_hparams *hp)
{
    const char *base = (const char *)hp;
    int n = *(const int *)(const void *)(base + f->count_at);
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        if (json_array_append_new(list, item_value(f, base + f->at, i)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *field_value(const field *f, const ith_hparams *hp)
{
    const void *at = (const char *)hp + f->at;

    switch (f->kind) {
    case ITH_FIELD_INT64:
        return json_integer(*(const int64_t *)at);
    case ITH_FIELD_INT:
        return json_integer(*(const int *)at);
    case ITH_FIELD_INT32:
        return json_integer(*(const int32_t *)at);
    case ITH_FIELD_REAL:
        return json_real(*(const double *)at);
    case ITH_FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    default:
        return list_value(f, hp);
    }
}

/* Is a sparse field what the family has anyway? */
static bool says_nothing(const field *f, const ith_hparams *hp)
{
    const ith_arch *arch = ith_arch_find(hp->architecture);
    ith_hparams own = arch != NULL ? ith_arch_hparams(arch) : ith_hparams_default();
    json_t *said = field_value(f, hp), *known = field_value(f, &own);
    bool equal = f->sparse && json_equal(said, known);

    json_decref(said);
    json_decref(known);
    return equal;
}

static bool add_field(const field *f, const ith_hparams *hp, json_t *object)
{
    char group[32];
    const char *key = split_key(f->key, group);

    if (says_nothing(f, hp))
        return true;

    if (group[0] != '\0') {
        if (json_object_get(object, group) == NULL &&
            json_object_set_new(object, group, json_object()) != 0)
            return false;
        object = json_object_get(object, group);
    }
    return json_object_set_new(object, key, field_value(f, hp)) == 0;
}

static bool add_fields(const field *fields, const ith_hparams *hp, json_t *object)
{
    for (const field *f = fields; f->key != NULL; f++)
        if (!add_field(f, hp, object))
            return false;
    return true;
}

bool ith_hparams_add_own(const ith_hparams *hp, json_t *object)
{
    return add_fields(own_fields(hp->architecture), hp, object);
}

bool ith_hparams_add_sparse(const ith_hparams *hp, json_t *object)
{
    for (const field *f = shared; f->key != NULL; f++)
        if (f->sparse && !add_field(f, hp, object))
            return false;
    return true;
}

json_t *ith_hparams_to_json(const ith_hparams *hp)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:b, s:b, s:i}", "architecture", hp->architecture,
                            "name", hp->name, "rope", ith_rope_kind_names[hp->rope.kind],
                            not_computed[0], false, not_computed[1], false, not_computed[2], 0);

    if (out != NULL && add_fields(shared, hp, out) && ith_hparams_add_own(hp, out))
        return out;
    json_decref(out);
    return NULL;
}

/* ---- From JSON ---- */

static ith_status wrong(const field *f, const char *where, const char *expected, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be %s", where, f->key, expected);
}

static bool is_between(const json_t *value, int64_t min, int64_t max)
{
    return json_is_integer(value) && json_integer_value(value) >= min &&
           json_integer_value(value) <= max;
}

static ith_status read_int(const field *f, const json_t *value, const char *where, int64_t min,
                           int64_t max, int64_t *out, ith_error *err)
{
    if (!is_between(value, min, max))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a whole number from %lld to %lld",
                        where, f->key, (long long)min, (long long)max);
    *out = json_integer_value(value);
    return ITH_OK;
}

static ith_status read_item(const field *f, const json_t *item, const char *where, void *items,
                            int i, ith_error *err)
{
    if (f->kind == ITH_FIELD_REALS) {
        if (!json_is_number(item))
            return wrong(f, where, "a list of numbers", err);
        ((double *)items)[i] = json_number_value(item);
        return ITH_OK;
    }
    if (!is_between(item, 0, INT32_MAX))
        return wrong(f, where, "a list of whole numbers, 0 or more", err);
    ((int32_t *)items)[i] = (int32_t)json_integer_value(item);
    return ITH_OK;
}

static ith_status read_list(const field *f, const json_t *list, const char *where, ith_hparams *hp,
                            ith_error *err)
{
    void *items = (char *)hp + f->at;
    int *count = (void *)((char *)hp + f->count_at);
    const json_t *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > (size_t)f->max)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a list of at most %d numbers",
                        where, f->key, f->max);
    *count = 0;
    json_array_foreach (list, i, item) {
        ITH_TRY(read_item(f, item, where, items, *count, err));
        ++*count;
    }
    return ITH_OK;
}

static ith_status read_field(const field *f, const json_t *object, const char *where,
                             ith_hparams *hp, ith_error *err)
{
    char group[32];
    const char *key = split_key(f->key, group);
    const json_t *holder = group[0] != '\0' ? json_object_get(object, group) : object;
    const json_t *value = json_object_get(holder, key);
    void *at = (char *)hp + f->at;
    int64_t x = 0;

    if (value == NULL && f->optional)
        return ITH_OK;
    switch (f->kind) {
    case ITH_FIELD_INT64:
        return read_int(f, value, where, 0, INT64_MAX, at, err);
    case ITH_FIELD_INT:
        ITH_TRY(read_int(f, value, where, INT32_MIN, INT32_MAX, &x, err));
        *(int *)at = (int)x;
        return ITH_OK;
    case ITH_FIELD_INT32:
        ITH_TRY(read_int(f, value, where, -1, INT32_MAX, &x, err));
        *(int32_t *)at = (int32_t)x;
        return ITH_OK;
    case ITH_FIELD_REAL:
        *(double *)at = json_number_value(value);
        return json_is_number(value) ? ITH_OK : wrong(f, where, "a number", err);
    case ITH_FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? ITH_OK : wrong(f, where, "true or false", err);
    default:
        return read_list(f, value, where, hp, err);
    }
}

static ith_status read_fields(const field *fields, const json_t *object, const char *where,
                              ith_hparams *hp, ith_error *err)
{
    for (const field *f = fields; f->key != NULL; f++)
        ITH_TRY(read_field(f, object, where, hp, err));
    return ITH_OK;
}

static ith_status read_texts(const json_t *object, const char *where, ith_hparams *hp,
                             ith_error *err)
{
    const json_t *name = json_object_get(object, "name");
    const char *architecture = json_string_value(json_object_get(object, "architecture")),
               *rope = json_string_value(json_object_get(object, "rope"));
    int kind = 0;

    if (architecture == NULL || !json_is_string(name) || rope == NULL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"architecture\", \"name\" and \"rope\" should be strings", where);
    ith_clean_text(architecture, strlen(architecture), hp->architecture, sizeof hp->architecture);
    ith_clean_text(json_string_value(name), json_string_length(name), hp->name, sizeof hp->name);
    while (kind < ITH_ROPE_KINDS && strcmp(ith_rope_kind_names[kind], rope) != 0)
        kind++;
    if (kind == ITH_ROPE_KINDS)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"rope\" has the unknown kind \"%s\"", where,
                        rope);
    hp->rope.kind = (ith_rope_kind)kind;
    return ITH_OK;
}

static ith_status check_not_computed(const json_t *object, const char *where, ith_error *err)
{
    for (int i = 0; i < N_NOT_COMPUTED; i++) {
        const json_t *value = json_object_get(object, not_computed[i]);
        if (!json_is_boolean(value) && !json_is_integer(value))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be false or 0", where,
                            not_computed[i]);
        if (json_is_true(value) || json_integer_value(value) != 0)
            return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"%s\" is not supported", where,
                            not_computed[i]);
    }
    return ITH_OK;
}

static bool is_field(const field *fields, const char *key, bool group)
{
    size_t len = strlen(key);

    for (const field *f = fields; f->key != NULL; f++)
        if (strcmp(f->key, key) == 0 ||
            (group && strncmp(f->key, key, len) == 0 && f->key[len] == '.'))
            return true;
    return false;
}

static bool is_known(const char *key, bool group, const field *own)
{
    static const char *const texts[] = {"architecture", "name", "rope"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i], key) == 0)
            return true;
    for (int i = 0; i < N_NOT_COMPUTED; i++)
        if (strcmp(not_computed[i], key) == 0)
            return true;
    return is_field(shared, key, false) || is_field(own, key, group);
}

/* What nobody would read may change the arithmetic. `in`: "", or the group that `object` is. */
static ith_status check_members(const json_t *object, const char *in, const char *where,
                                const field *own, ith_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        bool group = in[0] == '\0' && json_is_object(value);
        char key[80];
        snprintf(key, sizeof key, "%s%s%.40s", in, in[0] == '\0' ? "" : ".", name);
        if (!is_known(key, group, own))
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: the hyperparameter \"%s\" is not known: it needs a newer ithaca",
                            where, key);
        if (group)
            ITH_TRY(check_members(value, key, where, own, err));
    }
    return ITH_OK;
}

/* What the family states; one that is not known is refused later. */
static void start_family(const json_t *object, ith_hparams *hp)
{
    const char *name = json_string_value(json_object_get(object, "architecture"));
    const ith_arch *arch = name != NULL ? ith_arch_find(name) : NULL;

    if (arch != NULL)
        *hp = ith_arch_hparams(arch);
}

/* Layers of a known family that are of a kind that it does not have would run as another. */
static ith_status check_traits(const ith_hparams *hp, const char *where, ith_error *err)
{
    const ith_arch *arch = ith_arch_find(hp->architecture);
    int32_t others = 0;

    if (arch != NULL && !arch->recurrent)
        others |= ITH_LAYER_RECURRENT;
    if (arch != NULL && !arch->lone_mlps)
        others |= ITH_LAYER_MLP;
    for (int i = 0; i < hp->n_traits; i++)
        if (hp->traits[i] & others)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: layer %d is of a kind that models of family %s do not have", where,
                            i, hp->architecture);
    return ITH_OK;
}

ith_status ith_hparams_from_json(const json_t *object, const char *where, ith_hparams *hp,
                                 ith_error *err)
{
    *hp = ith_hparams_default();
    start_family(object, hp);
    ITH_TRY(read_texts(object, where, hp, err));
    ITH_TRY(read_fields(shared, object, where, hp, err));
    ITH_TRY(read_fields(own_fields(hp->architecture), object, where, hp, err));
    ITH_TRY(check_not_computed(object, where, err));
    ITH_TRY(check_members(object, "", where, own_fields(hp->architecture), err));
    ITH_TRY(check_traits(hp, where, err));
    ITH_TRY(ith_hparams_check(hp, where, err));
    return ith_hparams_check_sampling(hp, where, err);
}
