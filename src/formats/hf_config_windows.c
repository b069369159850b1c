/* hf_config_windows.c - which layers have a window, in config.json. */
#include "formats/hf_config_impl.h"

#include <string.h>

/* Transformers 4 and 5 have different names for some. Only families with recurrent layers say
 * "attention". */
static const char *const recurrent_names[] = {"linear_attention", "mamba", "conv", NULL},
                         *const full_names[] = {"attention", "full_attention", NULL};

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static ith_status read_layer_type(const ith_hf_reader *r, const char *key, const json_t *type,
                                  size_t i, ith_error *err)
{
    const char *name = json_string_value(type);
    bool window = name != NULL && strcmp(name, "sliding_attention") == 0,
         recurrent = name != NULL && is_one_of(name, recurrent_names);
    int32_t trait = window ? ITH_LAYER_WINDOW : recurrent ? ITH_LAYER_RECURRENT : 0;

    if ((window && r->arch->windows == ITH_WINDOWS_NONE) || (recurrent && !r->arch->recurrent))
        return ith_hf_refuse(r->where, key, name, err);
    if (trait == 0 && (name == NULL || !is_one_of(name, full_names + !r->arch->recurrent)))
        return ith_hf_refuse(r->where, key, name != NULL ? name : "a value that is not a string",
                             err);
    if (window && r->hp->window == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"%s\" has windows, but \"sliding_window\" is not a number", r->where,
                        key);
    if (trait != 0 && r->hp->n_traits == 0)
        ITH_TRY(ith_arch_set_pattern(r->hp, 1, 0, 0, r->where, err));
    if (trait != 0 && i < (size_t)r->hp->n_traits)
        r->hp->traits[i] |= trait;
    return ITH_OK;
}

/* Does the class read layer_types? If not, these must say what it does. */
static bool reads_types(const ith_hf_reader *r)
{
    const char *type = json_string_value(json_object_get(r->config, "model_type"));

    return r->arch->windows != ITH_WINDOWS_ALL ||
           (r->arch->typed != NULL && type != NULL && strcmp(r->arch->typed, type) == 0);
}

ith_status ith_hf_check_layer_types(const ith_hf_reader *r, const char *key, ith_error *err)
{
    const json_t *types = json_object_get(r->config, key), *type;
    size_t i;

    if (!json_is_array(types))
        return ITH_OK;
    json_array_foreach (types, i, type)
        ITH_TRY(read_layer_type(r, key, type, i, err));
    if (r->hp->n_traits > 0 && json_array_size(types) != (size_t)r->hp->n_layers)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" lists %zu layers, expected %lld", r->where,
                        key, json_array_size(types), (long long)r->hp->n_layers);
    for (int64_t l = 0; !reads_types(r) && r->hp->window > 0 && l < r->hp->n_layers; l++)
        if (!(ith_hparams_traits(r->hp, l) & ITH_LAYER_WINDOW))
            return ith_hf_refuse(r->where, key,
                                 "a layer without the window that the class gives to all", err);
    return ITH_OK;
}

static ith_status refuse_window(const ith_hf_reader *r, const char *key, ith_error *err)
{
    return json_is_true(json_object_get(r->config, key))
               ? ith_hf_refuse(r->where, key, "true", err)
               : ith_hf_refuse(r->where, "sliding_window", "a number", err);
}

/* Do windows count only with "use_sliding_window"? */
static bool is_on_request(ith_window_rule rule)
{
    return rule == ITH_WINDOWS_ASKED || rule == ITH_WINDOWS_EVEN;
}

ith_status ith_hf_read_window(const ith_hf_reader *r, ith_error *err)
{
    const json_t *value = json_object_get(r->config, "sliding_window");

    if (json_is_null(value))
        r->hp->window = 0;
    ITH_TRY(ith_json_int(r->config, r->where, "sliding_window", 0, ITH_SIZE_LIMIT, &r->hp->window,
                         err));
    /* To the classes that read it, 0 is a window in which a token sees nothing. */
    if (!json_is_integer(value) || json_integer_value(value) != 0 ||
        r->arch->windows == ITH_WINDOWS_NONE ||
        (is_on_request(r->arch->windows) &&
         !json_is_true(json_object_get(r->config, "use_sliding_window"))))
        return ITH_OK;
    return ith_hf_refuse(r->where, "sliding_window", "0", err);
}

/* "sliding_window_pattern": a number of layers, of which the last is full, or their letters, such
 * as "LLLG": L has the window. */
static ith_status read_steps(const ith_hf_reader *r, ith_error *err)
{
    static const char key[] = "sliding_window_pattern";
    const json_t *value = r->arch->window_step_of_class ? NULL : json_object_get(r->config, key);
    const char *letters = json_string_value(value);
    ith_hparams *hp = r->hp;
    int64_t step = r->arch->window_step;

    if (hp->window == 0)
        return ITH_OK;
    if (letters == NULL && value != NULL)
        ITH_TRY(ith_json_int(r->config, r->where, key, 1, ITH_SIZE_LIMIT, &step, err));
    else if (letters != NULL && (letters[0] == '\0' || letters[strspn(letters, "LG")] != '\0'))
        return ith_hf_refuse(r->where, key, letters, err);
    ITH_TRY(ith_arch_set_pattern(hp, step, 0, ITH_LAYER_WINDOW, r->where, err));
    for (int i = 0; letters != NULL && i < hp->n_traits; i++)
        hp->traits[i] = letters[(size_t)i % strlen(letters)] == 'L' ? ITH_LAYER_WINDOW : 0;
    return ITH_OK;
}

/* Without layer_types, windows are in layers from max_window_layers on, or in some before; in most
 * families if use_sliding_window says so. */
ith_status ith_hf_check_windows(const ith_hf_reader *r, const char *key, ith_error *err)
{
    ith_window_rule rule = r->arch->windows;
    int64_t first = r->arch->defaults.window_first;
    bool on = r->arch->defaults.sliding_window;

    if (json_is_array(json_object_get(r->config, "layer_types")))
        return ITH_OK;
    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    ITH_TRY(ith_json_int(r->config, r->where, "max_window_layers", 0, ITH_SIZE_LIMIT, &first, err));
    if (rule == ITH_WINDOWS_ALL)
        on = true, first = 0;
    if (rule == ITH_WINDOWS_FROM)
        on = true;
    if (rule == ITH_WINDOWS_STEPS)
        return read_steps(r, err);
    if (!on || r->hp->window == 0 || (first >= r->hp->n_layers && rule != ITH_WINDOWS_EVEN))
        return ITH_OK;
    if (rule == ITH_WINDOWS_NONE)
        return refuse_window(r, key, err);
    ITH_TRY(ith_arch_set_pattern(r->hp, 1, 0, 0, r->where, err));
    for (int i = 0; i < r->hp->n_traits; i++)
        if (rule == ITH_WINDOWS_EVEN ? i < first && i % 2 == 0 : i >= first)
            r->hp->traits[i] = ITH_LAYER_WINDOW;
    return ITH_OK;
}
