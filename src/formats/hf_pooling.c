/* hf_pooling.c - how sentence-transformers makes one vector of a model's outputs. */
#include "formats/hf_config.h"

#include <string.h>

const char *const ith_pooling_names[] = {
    [ITH_POOLING_UNSAID] = "none",       [ITH_POOLING_LAST] = "the last token",
    [ITH_POOLING_MEAN] = "the mean",     [ITH_POOLING_FIRST] = "the first token",
    [ITH_POOLING_MAX] = "the maximum",   [ITH_POOLING_WEIGHTED] = "a weighted mean",
    [ITH_POOLING_SQRT] = "a scaled sum", [ITH_POOLING_RANK] = "a classifier",
    [ITH_POOLING_MORE] = "several steps"};

ith_status ith_hf_pooling_parse(const json_t *config, const char *where, ith_hparams *hp,
                                ith_error *err)
{
    static const struct {
        const char *key;
        ith_pooling pooling;
    } modes[] = {{"pooling_mode_lasttoken", ITH_POOLING_LAST},
                 {"pooling_mode_mean_tokens", ITH_POOLING_MEAN},
                 {"pooling_mode_cls_token", ITH_POOLING_FIRST},
                 {"pooling_mode_max_tokens", ITH_POOLING_MAX},
                 {"pooling_mode_weightedmean_tokens", ITH_POOLING_WEIGHTED},
                 {"pooling_mode_mean_sqrt_len_tokens", ITH_POOLING_SQRT}};

    if (!json_is_object(config))
        return ith_fail(err, ITH_E_FORMAT, "%s: not a JSON object", where);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        bool on = false;
        ITH_TRY(ith_json_bool(config, where, modes[i].key, &on, err));
        if (on)
            hp->pooling = hp->pooling == ITH_POOLING_UNSAID ? modes[i].pooling : ITH_POOLING_MORE;
    }
    return ITH_OK;
}

/* The last component of a class's name: "Pooling". */
static const char *class_of(const json_t *module)
{
    const char *type = json_string_value(json_object_get(module, "type")),
               *dot = type != NULL ? strrchr(type, '.') : NULL;

    return dot != NULL ? dot + 1 : type;
}

ith_status ith_hf_modules_parse(const json_t *modules, const char *where, ith_hparams *hp,
                                ith_error *err)
{
    static const char *const done[] = {"Transformer", "Pooling", "Normalize"};
    const json_t *module;
    size_t i;

    if (!json_is_array(modules))
        return ith_fail(err, ITH_E_FORMAT, "%s: not a JSON list", where);
    json_array_foreach (modules, i, module) {
        const char *class = class_of(module);
        bool known = false;
        for (size_t k = 0; class != NULL && k < sizeof done / sizeof *done; k++)
            known = known || strcmp(class, done[k]) == 0;
        if (!known)
            hp->pooling = ITH_POOLING_MORE;
    }
    return ITH_OK;
}
