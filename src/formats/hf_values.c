/* hf_values.c - helpers for what reads a config.json: the common reader and the families. */
#include "formats/hf_config.h"

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
