/* arch_recurrent.c - which layers are recurrent, and the sizes of Mamba2. */
#include "formats/arch_recurrent.h"

#include "formats/hf_config.h"

#include <float.h>
#include <string.h>

ith_layer_form ith_layer_of_recurrent(const ith_hparams *hp, int64_t i, const char *block)
{
    ith_layer_form form = ith_layer_of_attention_and_experts(hp, i);

    if (ith_hparams_traits(hp, i) & ITH_LAYER_RECURRENT)
        form.sub[0].block = block;
    return form;
}

ith_status ith_recurrent_but_in(const json_t *config, const char *where, const char *key,
                                ith_hparams *hp, ith_error *err)
{
    const json_t *list = json_object_get(config, key), *layer;
    size_t i;

    if (list == NULL || json_is_null(list))
        return ITH_OK;
    if (!json_is_array(list))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be a list", where, key);
    ITH_TRY(ith_arch_set_pattern(hp, 1, ITH_LAYER_RECURRENT, 0, where, err));
    json_array_foreach (list, i, layer) {
        int64_t number = json_integer_value(layer);
        if (!json_is_integer(layer) || number < 0 || number >= hp->n_layers)
            return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should hold layer numbers up to %lld",
                            where, key, (long long)hp->n_layers - 1);
        hp->traits[number] = 0;
    }
    return ITH_OK;
}

/* ---- GGUF ---- */

const char *const ith_recurrent_gguf_keys[] = {"attention.head_count_kv",
                                               "attention.recurrent_layers",
                                               "full_attention_interval",
                                               "rope.dimension_sections",
                                               "shortconv.l_cache",
                                               "ssm.conv_kernel",
                                               "ssm.state_size",
                                               "ssm.group_count",
                                               "ssm.time_step_rank",
                                               "ssm.inner_size",
                                               NULL};

ith_status ith_recurrent_by_kv_heads(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    static const char key[] = "attention.head_count_kv";
    const ith_gguf_pair *pair = ith_gguf_find(meta, hp->architecture, key);

    if (pair == NULL || pair->type != ITH_GGUF_ARRAY)
        return ith_gguf_int(meta, hp->architecture, key, 1, ITH_SIZE_LIMIT, &hp->n_kv_heads, err);
    if ((pair->item_type != ITH_GGUF_I32 && pair->item_type != ITH_GGUF_U32) ||
        !ith_hparams_lists_layers(hp, pair->count))
        return ith_fail(err, ITH_E_FORMAT, "%s: %s.%s should have a number for each of %lld layers",
                        meta->path, hp->architecture, key, (long long)hp->n_layers);
    ITH_TRY(ith_arch_set_pattern(hp, 1, ITH_LAYER_RECURRENT, 0, meta->path, err));
    for (int i = 0, known = 0; i < hp->n_traits; i++) {
        int32_t heads;
        memcpy(&heads, pair->value + 4 * i, sizeof heads);
        if (heads == 0)
            continue;
        hp->traits[i] = 0;
        if (heads < 0 || (known != 0 && heads != known))
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s: layer %d has %d KV heads and an earlier one %d, which is not "
                            "supported",
                            meta->path, i, heads, known);
        hp->n_kv_heads = known = heads;
    }
    return ITH_OK;
}

/* ---- Mamba2 ---- */

void ith_mamba_set_defaults(ith_hparams *hp)
{
    ith_mamba_params *m = &hp->mamba;

    m->heads = 128;
    m->groups = 1;
    m->state = 256;
    m->taps = 4;
    m->conv_bias = m->norm = true;
}

/* Is there no bound? Steps are positive anyway. Files say Infinity, which is read as a string
 * (base/json.h), or {"__float__": "Infinity"}. */
static bool is_unlimited(const json_t *limits)
{
    const json_t *least = json_array_get(limits, 0), *most = json_array_get(limits, 1);
    const char *word =
        json_string_value(json_is_object(most) ? json_object_get(most, "__float__") : most);

    if (limits == NULL || json_is_null(limits))
        return true;
    return json_array_size(limits) == 2 && json_is_number(least) && json_number_value(least) <= 0 &&
           ((word != NULL && strcmp(word, "Infinity") == 0) || json_number_value(most) >= FLT_MAX);
}

ith_status ith_mamba_refuse_bounds(const json_t *config, const char *where, const char *key,
                                   ith_error *err)
{
    return is_unlimited(json_object_get(config, key)) ? ITH_OK
                                                      : ith_hf_refuse(where, key, "a bound", err);
}

ith_status ith_mamba_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err)
{
    ith_mamba_params *m = &hp->mamba;
    const json_t *size = json_object_get(config, "mamba_d_head");
    const int64_t most = ITH_SIZE_LIMIT;
    int64_t expand = 2;
    bool biased = false;

    ITH_TRY(ith_json_int(config, where, "mamba_n_heads", 1, most, &m->heads, err));
    ITH_TRY(ith_json_int(config, where, "mamba_n_groups", 1, most, &m->groups, err));
    ITH_TRY(ith_json_int(config, where, "mamba_d_state", 1, most, &m->state, err));
    ITH_TRY(ith_json_int(config, where, "mamba_d_conv", 1, most, &m->taps, err));
    ITH_TRY(ith_json_int(config, where, "mamba_expand", 1, 1 << 10, &expand, err));
    ITH_TRY(ith_json_bool(config, where, "mamba_conv_bias", &m->conv_bias, err));
    ITH_TRY(ith_json_bool(config, where, "mamba_proj_bias", &biased, err));
    if (biased)
        return ith_hf_refuse(where, "mamba_proj_bias", "true", err);
    ITH_TRY(ith_mamba_refuse_bounds(config, where, "time_step_limit", err));
    if (json_is_string(size) && strcmp(json_string_value(size), "auto") != 0)
        return ith_hf_refuse(where, "mamba_d_head", json_string_value(size), err);
    if (size == NULL || json_is_null(size) || json_is_string(size)) {
        m->head_dim = m->heads > 0 ? expand * hp->hidden / m->heads : 0;
        return ITH_OK;
    }
    return ith_json_int(config, where, "mamba_d_head", 1, most, &m->head_dim, err);
}

ith_status ith_mamba_read_gguf(const ith_gguf_meta *meta, ith_hparams *hp, ith_error *err)
{
    const char *arch = hp->architecture;
    ith_mamba_params *m = &hp->mamba;
    int64_t all = 0;

    m->conv_bias = m->norm = true;
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.time_step_rank", &m->heads, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.group_count", &m->groups, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.state_size", &m->state, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.inner_size", &all, err));
    ITH_TRY(ith_gguf_need_int(meta, arch, "ssm.conv_kernel", &m->taps, err));
    if (m->heads == 0 || all % m->heads != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %s.ssm.time_step_rank is %lld and ssm.inner_size %lld; expected heads "
                        "of one size",
                        meta->path, arch, (long long)m->heads, (long long)all);
    m->head_dim = all / m->heads;
    return ITH_OK;
}
