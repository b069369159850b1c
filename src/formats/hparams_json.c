#include "formats/hparams_json.h"

#include "formats/hparams.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef enum field_kind { INT64, INT, INT32, REAL, BOOL } field_kind;

typedef struct field {
    const char *key;
    field_kind kind;
    size_t at;
} field;

#define MODEL(key, kind, member)                                                                                       \
    {                                                                                                                  \
        key, kind, offsetof(ith_hparams, member)                                                                       \
    }
#define ROPE(key, kind, member)                                                                                        \
    {                                                                                                                  \
        key, kind, offsetof(ith_hparams, rope.member)                                                                  \
    }

static const field model_fields[] = {
    MODEL("layers", INT64, n_layers),
    MODEL("hidden", INT64, hidden),
    MODEL("ffn", INT64, ffn),
    MODEL("heads", INT64, n_heads),
    MODEL("kv_heads", INT64, n_kv_heads),
    MODEL("head_dim", INT64, head_dim),
    MODEL("vocabulary", INT64, n_vocab),
    MODEL("context", INT64, ctx_train),
    MODEL("rms_eps", REAL, rms_eps),
    MODEL("tied_embeddings", BOOL, tied_embeddings),
    MODEL("attention_bias", BOOL, attention_bias),
    MODEL("mlp_bias", BOOL, mlp_bias),
    MODEL("sliding_window", INT64, sliding_window),
    MODEL("bos", INT32, bos),
    MODEL("has_sampling", BOOL, has_sampling),
    MODEL("temperature", REAL, temperature),
    MODEL("top_k", INT, top_k),
    MODEL("top_p", REAL, top_p),
    MODEL("min_p", REAL, min_p),
    MODEL("repetition_penalty", REAL, repetition_penalty),
    ROPE("rope_theta", REAL, theta),
    ROPE("rope_factor", REAL, factor),
    ROPE("rope_original_context", INT64, original_context),
    ROPE("rope_beta_fast", REAL, beta_fast),
    ROPE("rope_beta_slow", REAL, beta_slow),
    ROPE("rope_attention_factor", REAL, attention_factor),
    ROPE("rope_mscale", REAL, mscale),
    ROPE("rope_mscale_all_dim", REAL, mscale_all_dim),
    ROPE("rope_truncate", BOOL, truncate),
    ROPE("rope_low_freq_factor", REAL, low_freq_factor),
    ROPE("rope_high_freq_factor", REAL, high_freq_factor),
};

static const field expert_fields[] = {
    MODEL("count", INT64, experts.n),   MODEL("used", INT64, experts.used),
    MODEL("ffn", INT64, experts.ffn),   MODEL("normalized", BOOL, experts.normalized),
    MODEL("step", INT64, experts.step),
};

enum {
    N_FIELDS = sizeof model_fields / sizeof *model_fields,
    N_EXPERT_FIELDS = sizeof expert_fields / sizeof *expert_fields,
    N_KINDS = 4
};

static const char *const rope_kinds[N_KINDS] = {
    [ITH_ROPE_PLAIN] = "default", [ITH_ROPE_LINEAR] = "linear", [ITH_ROPE_YARN] = "yarn", [ITH_ROPE_LLAMA3] = "llama3"};

/* ---- To JSON ---- */

static json_t *field_value(const field *f, const ith_hparams *hp)
{
    const char *at = (const char *)hp + f->at;

    switch (f->kind) {
    case INT64:
        return json_integer(*(const int64_t *)(const void *)at);
    case INT:
        return json_integer(*(const int *)(const void *)at);
    case INT32:
        return json_integer(*(const int32_t *)(const void *)at);
    case REAL:
        return json_real(*(const double *)(const void *)at);
    default:
        return json_boolean(*(const bool *)(const void *)at);
    }
}

json_t *ith_experts_to_json(const ith_hparams *hp)
{
    json_t *out = json_object(), *dense = json_array();
    bool good = out != NULL && dense != NULL;

    for (int i = 0; i < N_EXPERT_FIELDS; i++)
        good = good && json_object_set_new(out, expert_fields[i].key, field_value(&expert_fields[i], hp)) == 0;
    for (int i = 0; i < hp->experts.n_dense; i++)
        good = good && json_array_append_new(dense, json_integer(hp->experts.dense[i])) == 0;
    if (json_object_set_new(out, "dense", dense) == 0 && good)
        return out;
    json_decref(out);
    return NULL;
}

json_t *ith_hparams_to_json(const ith_hparams *hp)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:[]}", "architecture", hp->architecture, "name", hp->name, "rope",
                            rope_kinds[hp->rope.kind], "eos");
    bool good = out != NULL;

    for (int i = 0; i < N_FIELDS; i++)
        good = good && json_object_set_new(out, model_fields[i].key, field_value(&model_fields[i], hp)) == 0;
    for (int i = 0; i < hp->n_eos; i++)
        good = good && json_array_append_new(json_object_get(out, "eos"), json_integer(hp->eos[i])) == 0;
    if (hp->experts.n > 0)
        good = good && json_object_set_new(out, "experts", ith_experts_to_json(hp)) == 0;
    if (good)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- From JSON ---- */

static ith_status read_int(const field *f, const json_t *object, const char *where, int64_t min, int64_t max,
                           int64_t *out, ith_error *err)
{
    if (!json_is_integer(json_object_get(object, f->key)))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a whole number", where, f->key);
    return ith_json_int(object, where, f->key, min, max, out, err);
}

static ith_status read_field(const field *f, const json_t *object, const char *where, ith_hparams *hp, ith_error *err)
{
    char *at = (char *)hp + f->at;
    const json_t *value = json_object_get(object, f->key);
    int64_t x = 0;

    switch (f->kind) {
    case INT64:
        return read_int(f, object, where, 0, INT64_MAX, (int64_t *)(void *)at, err);
    case INT:
        ITH_TRY(read_int(f, object, where, INT32_MIN, INT32_MAX, &x, err));
        *(int *)(void *)at = (int)x;
        return ITH_OK;
    case INT32:
        ITH_TRY(read_int(f, object, where, -1, INT32_MAX, &x, err));
        *(int32_t *)(void *)at = (int32_t)x;
        return ITH_OK;
    case REAL:
        if (!json_is_number(value))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a number", where, f->key);
        *(double *)(void *)at = json_number_value(value);
        return ITH_OK;
    default:
        if (!json_is_boolean(value))
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be true or false", where, f->key);
        *(bool *)(void *)at = json_is_true(value);
        return ITH_OK;
    }
}

static ith_status read_texts(const json_t *object, const char *where, ith_hparams *hp, ith_error *err)
{
    const json_t *name = json_object_get(object, "name");
    const char *architecture = json_string_value(json_object_get(object, "architecture")),
               *rope = json_string_value(json_object_get(object, "rope"));
    int kind = 0;

    if (architecture == NULL || !json_is_string(name) || rope == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"architecture\", \"name\" and \"rope\" should be strings", where);
    ith_clean_text(architecture, strlen(architecture), hp->architecture, sizeof hp->architecture);
    ith_clean_text(json_string_value(name), json_string_length(name), hp->name, sizeof hp->name);
    while (kind < N_KINDS && strcmp(rope_kinds[kind], rope) != 0)
        kind++;
    if (kind == N_KINDS)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"rope\" has the unknown kind \"%s\"", where, rope);
    hp->rope.kind = (ith_rope_kind)kind;
    return ITH_OK;
}

static ith_status read_eos(const json_t *object, const char *where, ith_hparams *hp, ith_error *err)
{
    const json_t *eos = json_object_get(object, "eos"), *id;
    size_t i;

    if (!json_is_array(eos) || json_array_size(eos) > ITH_MAX_EOS)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"eos\" should be a list of at most %d tokens", where, ITH_MAX_EOS);
    json_array_foreach(eos, i, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"eos\" should hold tokens' numbers", where);
        ith_hparams_add_eos(hp, json_integer_value(id));
    }
    return ITH_OK;
}

/* Absent: none. */
static ith_status read_experts(const json_t *object, const char *where, ith_hparams *hp, ith_error *err)
{
    const json_t *experts = json_object_get(object, "experts"), *dense = json_object_get(experts, "dense"), *layer;
    size_t i;

    if (experts == NULL)
        return ITH_OK;
    for (int k = 0; k < N_EXPERT_FIELDS; k++)
        ITH_TRY(read_field(&expert_fields[k], experts, where, hp, err));
    if (hp->experts.n == 0 || !json_is_array(dense) || json_array_size(dense) > ITH_MAX_DENSE)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"experts\" should have a count, and \"dense\" at most %d layers",
                        where, ITH_MAX_DENSE);
    json_array_foreach(dense, i, layer)
    {
        if (!json_is_integer(layer) || json_integer_value(layer) < 0 || json_integer_value(layer) > INT32_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"dense\" should hold layers' numbers", where);
        hp->experts.dense[hp->experts.n_dense++] = (int32_t)json_integer_value(layer);
    }
    return ITH_OK;
}

ith_status ith_hparams_from_json(const json_t *object, const char *where, ith_hparams *hp, ith_error *err)
{
    *hp = ith_hparams_default();
    ITH_TRY(read_texts(object, where, hp, err));
    for (int i = 0; i < N_FIELDS; i++)
        ITH_TRY(read_field(&model_fields[i], object, where, hp, err));
    ITH_TRY(read_experts(object, where, hp, err));
    ITH_TRY(read_eos(object, where, hp, err));
    ITH_TRY(ith_hparams_check(hp, where, err));
    return hp->has_sampling ? ith_hparams_check_sampling(hp, where, err) : ITH_OK;
}
