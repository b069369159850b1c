/* hf_config_rope.c - rotary positions in config.json. */
#include "formats/hf_config_impl.h"

#include <stdint.h>
#include <string.h>

ith_status ith_hf_rotate_share(const char *where, const char *key, double share, ith_hparams *hp,
                               ith_error *err)
{
    if (!(share > 0 && share <= 1))
        return ith_hf_refuse(where, key, "a value that is not above 0 and at most 1", err);
    hp->rope.rotated = share == 1 ? 0 : (int64_t)(share * (double)ith_hparams_rope_dim(hp));
    return share == 1 || hp->rope.rotated > 0
               ? ITH_OK
               : ith_hf_refuse(where, key, "a head that does not rotate", err);
}

static ith_status read_rotated(const ith_hf_reader *r, const json_t *object, const char *key,
                               ith_error *err)
{
    const json_t *value = json_object_get(object, key);
    double share = 1;

    if (value == NULL || json_is_null(value))
        return ITH_OK;
    ITH_TRY(ith_json_real(object, r->where, key, &share, err));
    if (!r->arch->partial_rotary && share != 1)
        return ith_hf_refuse(r->where, key, "a value other than 1", err);
    return ith_hf_rotate_share(r->where, key, share, r->hp, err);
}

ith_status ith_hf_check_rotary(const ith_hf_reader *r, const char *key, ith_error *err)
{
    double share = r->arch->defaults.rotated;

    if (share > 0)
        ITH_TRY(ith_hf_rotate_share(r->where, key, share, r->hp, err));
    return read_rotated(r, r->config, key, err);
}

static ith_status read_rope_kind(const ith_hf_reader *r, const json_t *params, ith_rope_kind *kind,
                                 ith_error *err)
{
    const char *where = r->where;
    const char *name = "default";

    ITH_TRY(ith_json_string(params, where, "type", &name, err)); /* the older spelling */
    ITH_TRY(ith_json_string(params, where, "rope_type", &name, err));
    if (strcmp(name, "su") == 0 || /* what Phi-3's first files call it */
        (strcmp(name, "yarn") == 0 && r->arch->rope_yarn_is_long &&
         json_object_get(params, "short_factor") != NULL))
        name = ith_rope_kind_names[ITH_ROPE_LONG];
    if (strcmp(name, "mrope") == 0) /* what Qwen2-VL's first files call "default", with sections */
        name = ith_rope_kind_names[ITH_ROPE_PLAIN];
    for (int i = 0; i < ITH_ROPE_KINDS; i++)
        if (strcmp(ith_rope_kind_names[i], name) == 0 &&
            (i != ITH_ROPE_PROPORTIONAL || r->arch->rope_proportional)) {
            *kind = (ith_rope_kind)i;
            return ITH_OK;
        }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: \"rope_type\": %s is not supported; Ithaca knows default, linear, yarn, "
                    "llama3, dynamic and longrope%s",
                    where, name, r->arch->rope_proportional ? ", and proportional" : "");
}

static ith_status read_yarn(const json_t *params, const char *where, ith_rope_params *rope,
                            ith_error *err)
{
    ITH_TRY(ith_json_real(params, where, "beta_fast", &rope->beta_fast, err));
    ITH_TRY(ith_json_real(params, where, "beta_slow", &rope->beta_slow, err));
    ITH_TRY(ith_json_real(params, where, "attention_factor", &rope->attention_factor, err));
    ITH_TRY(ith_json_real(params, where, "mscale", &rope->mscale, err));
    ITH_TRY(ith_json_real(params, where, "mscale_all_dim", &rope->mscale_all_dim, err));
    return ith_json_bool(params, where, "truncate", &rope->truncate, err);
}

static ith_status read_factors(const json_t *params, const char *where, const char *key,
                               double *factors, int *n, ith_error *err)
{
    const json_t *list = json_object_get(params, key), *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > ITH_MAX_ROPE_FACTORS)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a list of at most %d numbers",
                        where, key, ITH_MAX_ROPE_FACTORS);
    *n = (int)json_array_size(list);
    json_array_foreach (list, i, item) {
        if (!json_is_number(item))
            return ith_fail(err, ITH_E_FORMAT, "%s: entry %zu of \"%s\" is not a number", where, i,
                            key);
        factors[i] = json_number_value(item);
    }
    return ITH_OK;
}

/* The context that is extended. That beside the parameters counts before theirs, as in
 * Transformers, if they are of all layers; so does that of the class. */
static ith_status read_original(const ith_hf_reader *r, const json_t *params, bool of_all,
                                int64_t *tokens, ith_error *err)
{
    static const char key[] = "original_max_position_embeddings";

    ITH_TRY(ith_json_int(params, r->where, key, 1, ITH_SIZE_LIMIT, tokens, err));
    if (!of_all)
        return ITH_OK;
    if (r->arch->defaults.original_ctx > 0)
        *tokens = r->arch->defaults.original_ctx;
    return ith_json_int(r->config, r->where, key, 1, ITH_SIZE_LIMIT, tokens, err);
}

/* LongRoPE (arXiv 2402.13753). */
static ith_status read_long(const ith_hf_reader *r, const json_t *params, bool of_all,
                            ith_rope_params *rope, ith_error *err)
{
    rope->original_context = 0;
    ITH_TRY(read_original(r, params, of_all, &rope->original_context, err));
    if (rope->original_context == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: LongRoPE without \"original_max_position_embeddings\"", r->where);
    rope->factor = ith_rope_long_factor(r->hp->ctx_train, rope->original_context);
    ITH_TRY(ith_json_real(params, r->where, "factor", &rope->factor, err));
    ITH_TRY(ith_json_real(params, r->where, "attention_factor", &rope->attention_factor, err));
    ITH_TRY(
        read_factors(params, r->where, "short_factor", rope->short_factors, &rope->n_short, err));
    return read_factors(params, r->where, "long_factor", rope->long_factors, &rope->n_long, err);
}

/* A parameter of RoPE that nobody reads may change the arithmetic, unless it is null, a flag, or
 * the 1 of a factor. */
static ith_status check_rope_keys(const ith_hf_reader *r, const json_t *params, ith_error *err)
{
    static const char *const known[] = {"type",
                                        "rope_type",
                                        "rope_theta",
                                        "factor",
                                        "original_max_position_embeddings",
                                        "beta_fast",
                                        "beta_slow",
                                        "attention_factor",
                                        "mscale",
                                        "mscale_all_dim",
                                        "truncate",
                                        "low_freq_factor",
                                        "high_freq_factor",
                                        "partial_rotary_factor",
                                        "short_factor",
                                        "long_factor",
                                        NULL};
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)params, key, value)
        if (!ith_arch_takes(known, key) && !(r->arch->rope_alpha && strcmp(key, "alpha") == 0) &&
            !ith_hf_is_taken(r, key) && !json_is_null(value) && !json_is_boolean(value) &&
            !(json_is_number(value) && json_number_value(value) == 1))
            return ith_hf_refuse(r->where, key, "a parameter of RoPE that Ithaca does not know",
                                 err);
    return ITH_OK;
}

/* of_all: the parameters are those of all layers, not of those of a type. */
static ith_status read_scaling(const ith_hf_reader *r, const json_t *params, bool of_all,
                               ith_error *err)
{
    const char *where = r->where;
    ith_hparams *hp = r->hp;
    ith_rope_params *rope = &hp->rope;

    if (json_object_get(params, "mrope_section") != NULL && !ith_hf_is_taken(r, "mrope_section"))
        return ith_hf_refuse(where, "mrope_section", "multimodal RoPE", err);
    ITH_TRY(check_rope_keys(r, params, err));
    ITH_TRY(read_rope_kind(r, params, &rope->kind, err));
    ITH_TRY(read_rotated(r, params, "partial_rotary_factor", err));
    ITH_TRY(ith_json_real(params, where, "rope_theta", &rope->theta, err));
    if (rope->kind == ITH_ROPE_PLAIN)
        return ITH_OK;
    if (rope->kind == ITH_ROPE_PROPORTIONAL) {
        rope->factor = 1;
        return ith_json_real(params, where, "factor", &rope->factor, err);
    }
    if (rope->kind == ITH_ROPE_LONG)
        return read_long(r, params, of_all, rope, err);
    rope->original_context = hp->ctx_train;
    ITH_TRY(read_original(r, params, of_all, &rope->original_context, err));
    if (rope->kind == ITH_ROPE_YARN) /* the default if the factor is null or missing */
        rope->factor = (double)hp->ctx_train / (double)rope->original_context;
    ITH_TRY(ith_json_real(params, where, "factor", &rope->factor, err));
    if (rope->kind == ITH_ROPE_YARN)
        ITH_TRY(read_yarn(params, where, rope, err));
    ITH_TRY(ith_json_real(params, where, "low_freq_factor", &rope->low_freq_factor, err));
    ITH_TRY(ith_json_real(params, where, "high_freq_factor", &rope->high_freq_factor, err));
    if (rope->kind == ITH_ROPE_DYNAMIC)
        ITH_TRY(ith_json_real(params, where, "alpha", &rope->alpha, err));
    ith_hparams_extend_context(hp);
    return ITH_OK;
}

/* The set of window layers: without scaling. */
static ith_status read_window_rope(const ith_hf_reader *r, const json_t *params, ith_error *err)
{
    ith_rope_kind kind = ITH_ROPE_PLAIN;

    ITH_TRY(check_rope_keys(r, params, err));
    ITH_TRY(read_rope_kind(r, params, &kind, err));
    if (kind != ITH_ROPE_PLAIN)
        return ith_hf_refuse(r->where, "sliding_attention", "RoPE scaling of window layers", err);
    ITH_TRY(ith_json_real(params, r->where, "rope_theta", &r->hp->window_theta, err));
    return r->hp->window_theta != 0 || json_object_get(params, "rope_theta") == NULL
               ? ITH_OK
               : ith_hf_refuse(r->where, "rope_theta", "0", err);
}

/* Is there anything beside the two sets that may count? With both of them, what is no set does
 * not: Transformers leaves it there when it makes two of one. */
static bool has_other_sets(const json_t *params, const json_t *full, const json_t *window)
{
    size_t sets = 0;
    const char *key;
    json_t *value;

    if (!json_is_object(full) || !json_is_object(window))
        return json_object_size(params) > 2;
    json_object_foreach ((json_t *)(uintptr_t)params, key, value)
        sets += json_is_object(value);
    return sets > 2;
}

/* Classes take the base of a set without one from several places. */
static ith_status need_theta(const ith_hf_reader *r, const json_t *set, const char *name,
                             ith_error *err)
{
    return !json_is_object(set) || json_is_number(json_object_get(set, "rope_theta"))
               ? ITH_OK
               : ith_hf_refuse(r->where, name, "a set without \"rope_theta\"", err);
}

/* One set, or one for each type of layer. */
static ith_status read_rope_sets(const ith_hf_reader *r, const json_t *params, ith_error *err)
{
    const json_t *full = json_object_get(params, "full_attention"),
                 *window = json_object_get(params, "sliding_attention");

    if (!json_is_object(full) && !json_is_object(window))
        return read_scaling(r, params, !r->arch->window_rope, err);
    if (!r->arch->window_rope || has_other_sets(params, full, window))
        return ith_hf_refuse(r->where, "rope_parameters", "a set for each layer type", err);
    ITH_TRY(need_theta(r, full, "full_attention", err));
    ITH_TRY(need_theta(r, window, "sliding_attention", err));
    if (json_is_object(full))
        ITH_TRY(read_scaling(r, full, false, err));
    return json_is_object(window) ? read_window_rope(r, window, err) : ITH_OK;
}

const json_t *ith_hf_rope_params(const json_t *config)
{
    const json_t *params = json_object_get(config, "rope_scaling");

    return params == NULL || json_is_null(params) ||
                   (json_is_object(params) && json_object_size(params) == 0)
               ? json_object_get(config, "rope_parameters")
               : params;
}

ith_status ith_hf_read_rope(const ith_hf_reader *r, ith_error *err)
{
    const json_t *params = ith_hf_rope_params(r->config);

    if (ith_hf_is_taken(r, "rope_parameters"))
        return ITH_OK;
    ITH_TRY(ith_json_real(r->config, r->where, "rope_theta", &r->hp->rope.theta, err));
    if (params == NULL || json_is_null(params))
        return ITH_OK;
    if (!json_is_object(params))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"rope_scaling\" or \"rope_parameters\" should be an object",
                        r->where);
    return read_rope_sets(r, params, err);
}
