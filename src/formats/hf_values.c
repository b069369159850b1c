/* hf_values.c - helpers for what reads a config.json: the common reader and the families. */
#include "formats/hf_config.h"

#include <string.h>

ith_status ith_hf_refuse(const char *where, const char *key, const char *value, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"%s\": %s is not supported", where, key, value);
}

ith_status ith_hf_need_int(const json_t *config, const char *where, const char *key, int64_t *out,
                           ith_error *err)
{
    *out = -1;
    ITH_TRY(ith_json_int(config, where, key, 0, ITH_SIZE_LIMIT, out, err));
    return *out >= 0 ? ITH_OK : ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" is missing", where, key);
}

ith_status ith_hf_activation(const json_t *config, const char *where, const char *key,
                             ith_activation *out, ith_error *err)
{
    static const struct {
        const char *name;
        ith_activation act;
    } names[] = {{"silu", ITH_ACT_SILU},
                 {"swish", ITH_ACT_SILU},
                 {"gelu_pytorch_tanh", ITH_ACT_GELU_TANH},
                 {"gelu_new", ITH_ACT_GELU_TANH},
                 {"gelu_fast", ITH_ACT_GELU_TANH},
                 {"gelu", ITH_ACT_GELU},
                 {"relu2", ITH_ACT_RELU2}};
    const char *act = NULL;

    ITH_TRY(ith_json_string(config, where, key, &act, err));
    if (act == NULL)
        return ITH_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, act) == 0) {
            *out = names[i].act;
            return ITH_OK;
        }
    return ith_hf_refuse(where, key, act, err);
}
