/* hf_quantization.c - reads "quantization_config", a function for each method. */
#include "formats/hf_quantization.h"

#include "formats/hparams.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char key_of_all[] = "quantization_config";

/* What every function reads. */
typedef struct reader {
    const json_t *config; /* the object of the key */
    const char *where;
    ith_hf_quantization *out;
} reader;

/* ---- Helpers ---- */

static ith_status refuse(const reader *r, const char *key, const char *value, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: \"%s\": \"%s\": %s is not supported", r->where,
                    key_of_all, key, value);
}

static ith_status refuse_number(const reader *r, const char *key, int64_t value, ith_error *err)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)value);
    return refuse(r, key, text, err);
}

/* A string of the object that must be one of `known`, separated by "|", in any case; absent or null
 * will do. */
static ith_status check_word(const reader *r, const json_t *object, const char *key,
                             const char *known, ith_error *err)
{
    const char *word = NULL;
    size_t len;

    ITH_TRY(ith_json_string(object, r->where, key, &word, err));
    if (word == NULL)
        return ITH_OK;
    len = strlen(word);
    for (const char *k = known; k != NULL; k = strchr(k, '|')) {
        k += *k == '|';
        if (strncasecmp(k, word, len) == 0 && (k[len] == '|' || k[len] == '\0'))
            return ITH_OK;
    }
    return refuse(r, key, word, err);
}

/* A flag that must not be set. */
static ith_status check_off(const reader *r, const char *key, ith_error *err)
{
    bool on = false;

    ITH_TRY(ith_json_bool(r->config, r->where, key, &on, err));
    return on ? refuse(r, key, "true", err) : ITH_OK;
}

/* An object or list that must be empty if it is there. */
static ith_status check_empty(const reader *r, const char *key, ith_error *err)
{
    const json_t *value = json_object_get(r->config, key);

    return json_object_size(value) == 0 && json_array_size(value) == 0
               ? ITH_OK
               : refuse(r, key, "an object or list that is not empty", err);
}

static ith_status check_names(const reader *r, const char *key, ith_error *err)
{
    const json_t *list = json_object_get(r->config, key), *item;
    size_t i;
    bool good = list == NULL || json_is_null(list) || json_is_array(list);

    json_array_foreach (list, i, item)
        good = good && json_is_string(item);
    return good ? ITH_OK
                : ith_fail(err, ITH_E_FORMAT, "%s: \"%s\": \"%s\" should be a list of names",
                           r->where, key_of_all, key);
}

static ith_status add_scheme(const reader *r, const ith_hf_scheme *scheme, ith_error *err)
{
    if (r->out->n_schemes == ITH_HF_SCHEMES)
        return refuse(r, "config_groups", "more than 16 groups", err);
    r->out->schemes[r->out->n_schemes++] = *scheme;
    return ITH_OK;
}

/* Two whole numbers from 1 on; *rows keeps its value if the key is absent. */
static ith_status read_block(const reader *r, const json_t *object, const char *key, int64_t *rows,
                             int64_t *cols, ith_error *err)
{
    const json_t *list = json_object_get(object, key);
    int64_t values[2];

    if (list == NULL)
        return ITH_OK;
    for (size_t i = 0; i < 2; i++)
        values[i] = json_integer_value(json_array_get(list, i));
    if (!json_is_array(list) || json_array_size(list) != 2 || values[0] < 1 || values[1] < 1 ||
        values[0] > ITH_SIZE_LIMIT || values[1] > ITH_SIZE_LIMIT)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"%s\": \"%s\" should be two whole numbers from 1 on", r->where,
                        key_of_all, key);
    *rows = values[0];
    *cols = values[1];
    return ITH_OK;
}

/* ---- Methods ---- */

/* Blocks of 128 x 128, or of another size; null: one scale for all. */
static ith_status read_fp8(const reader *r, ith_error *err)
{
    ith_hf_scheme scheme = {true, 8, 128, 128};
    const json_t *block = json_object_get(r->config, "weight_block_size");

    ITH_TRY(check_word(r, r->config, "fmt", "e4m3", err));
    ITH_TRY(check_word(r, r->config, "scale_fmt", "float|ue8m0", err));
    ITH_TRY(check_word(r, r->config, "expert_dtype", "fp8", err));
    ITH_TRY(check_word(r, r->config, "activation_scheme", "dynamic|static", err));
    ITH_TRY(check_empty(r, "modules_to_convert", err));
    if (block != NULL && json_is_null(block))
        scheme.block_rows = scheme.block_cols = 0;
    else
        ITH_TRY(read_block(r, r->config, "weight_block_size", &scheme.block_rows,
                           &scheme.block_cols, err));
    ITH_TRY(add_scheme(r, &scheme, err));
    if (block == NULL) /* files from before blocks have one scale for all */
        ITH_TRY(add_scheme(r, &(ith_hf_scheme){true, 8, 0, 0}, err));
    return ITH_OK;
}

/* A scale for each row. */
static ith_status read_fbgemm(const reader *r, ith_error *err)
{
    return add_scheme(r, &(ith_hf_scheme){true, 8, 1, 0}, err);
}

/* NVIDIA's: one scale for all. */
static ith_status read_modelopt(const reader *r, ith_error *err)
{
    const char *algorithm = NULL;

    ITH_TRY(ith_json_string(r->config, r->where, "quant_algo", &algorithm, err));
    if (algorithm == NULL || strcasecmp(algorithm, "FP8") != 0)
        return refuse(r, "quant_algo", algorithm != NULL ? algorithm : "none", err);
    return add_scheme(r, &(ith_hf_scheme){true, 8, 0, 0}, err);
}

static ith_status read_bits(const reader *r, bool may_be_8, int *bits, ith_error *err)
{
    int64_t value = 4;

    ITH_TRY(ith_json_int(r->config, r->where, "bits", 0, 64, &value, err));
    *bits = (int)value;
    return value == 4 || (may_be_8 && value == 8) ? ITH_OK : refuse_number(r, "bits", value, err);
}

/* -1: all columns. */
static ith_status read_group(const reader *r, const json_t *object, int64_t *cols, ith_error *err)
{
    int64_t size = 128;

    ITH_TRY(ith_json_int(object, r->where, "group_size", -1, ITH_SIZE_LIMIT, &size, err));
    if (size == 0)
        return refuse_number(r, "group_size", size, err);
    *cols = size < 0 ? 0 : size;
    return ITH_OK;
}

static ith_status read_awq(const reader *r, ith_error *err)
{
    ith_hf_scheme scheme = {.block_rows = 1};

    ITH_TRY(check_word(r, r->config, "version", "gemm", err));
    ITH_TRY(check_word(r, r->config, "format", "gemm", err));
    ITH_TRY(check_word(r, r->config, "backend",
                       "autoawq|auto|auto_trainable|machete|marlin|exllama_v1|exllama_v2|gemm|"
                       "gemm_triton|torch_awq|torch_fused_awq|bitblas",
                       err));
    ITH_TRY(read_bits(r, false, &scheme.bits, err));
    ITH_TRY(read_group(r, r->config, &scheme.block_cols, err));
    return add_scheme(r, &scheme, err);
}

/* Rules for single modules; those that begin with "-:" only say which are not quantized. */
static ith_status check_rules(const reader *r, ith_error *err)
{
    const json_t *rules = json_object_get(r->config, "dynamic");
    const char *name;
    json_t *rule;

    json_object_foreach ((json_t *)(uintptr_t)rules, name, rule) {
        if (strncmp(name, "-:", 2) != 0)
            return refuse(r, "dynamic", name, err);
    }
    return ITH_OK;
}

static ith_status read_gptq(const reader *r, ith_error *err)
{
    ith_hf_scheme scheme = {.block_rows = 1};
    const char *format = NULL;

    ITH_TRY(check_word(r, r->config, "checkpoint_format", "gptq|gptq_v2", err));
    ITH_TRY(check_word(r, r->config, "format", "gptq|gptq_v2", err));
    ITH_TRY(check_word(r, r->config, "pack_dtype", "int32", err));
    ITH_TRY(check_off(r, "is_marlin_format", err));
    ITH_TRY(check_rules(r, err));
    ITH_TRY(read_bits(r, true, &scheme.bits, err));
    ITH_TRY(read_group(r, r->config, &scheme.block_cols, err));
    ITH_TRY(ith_json_string(r->config, r->where, "format", &format, err));
    ITH_TRY(ith_json_string(r->config, r->where, "checkpoint_format", &format, err));
    r->out->zeros_less_one = format == NULL || strcasecmp(format, "gptq") == 0;
    return add_scheme(r, &scheme, err);
}

/* ---- compressed-tensors ---- */

static ith_status read_strategy(const reader *r, const json_t *weights, ith_hf_scheme *scheme,
                                ith_error *err)
{
    const json_t *group = json_object_get(weights, "group_size");
    const char *strategy = NULL;

    ITH_TRY(check_word(r, weights, "strategy", "tensor|channel|group|block", err));
    ITH_TRY(ith_json_string(weights, r->where, "strategy", &strategy, err));
    if (strategy == NULL)
        strategy = group == NULL || json_is_null(group) ? "tensor"
                   : json_integer_value(group) < 0      ? "channel"
                                                        : "group";
    if (strcasecmp(strategy, "tensor") == 0)
        return ITH_OK;
    scheme->block_rows = 1;
    if (strcasecmp(strategy, "channel") == 0)
        return ITH_OK;
    if (strcasecmp(strategy, "group") == 0)
        return read_group(r, weights, &scheme->block_cols, err);
    scheme->block_rows = scheme->block_cols = 128;
    return read_block(r, weights, "block_structure", &scheme->block_rows, &scheme->block_cols, err);
}

static ith_status read_weights(const reader *r, const json_t *weights, ith_error *err)
{
    ith_hf_scheme scheme = {0};
    const char *type = "int";
    int64_t bits = 8;
    char text[64];

    ITH_TRY(check_word(r, weights, "type", "int|float", err));
    ITH_TRY(ith_json_string(weights, r->where, "type", &type, err));
    ITH_TRY(ith_json_int(weights, r->where, "num_bits", 0, 64, &bits, err));
    scheme.is_float = strcasecmp(type, "float") == 0;
    scheme.bits = (int)bits;
    if (bits != 8 && (bits != 4 || scheme.is_float)) {
        snprintf(text, sizeof text, "%s of %lld bits", type, (long long)bits);
        return refuse(r, "weights", text, err);
    }
    ITH_TRY(read_strategy(r, weights, &scheme, err));
    return add_scheme(r, &scheme, err);
}

static ith_status read_compressed(const reader *r, ith_error *err)
{
    static const char formats[] =
        "dense|naive-quantized|int-quantized|float-quantized|pack-quantized|mixed-precision";
    const json_t *groups = json_object_get(r->config, "config_groups"), *sparsity, *weights;
    const char *name;
    json_t *group;

    ITH_TRY(check_word(r, r->config, "format", formats, err));
    ITH_TRY(check_empty(r, "transform_config", err));
    sparsity = json_object_get(r->config, "sparsity_config");
    if (json_object_size(sparsity) > 0)
        ITH_TRY(check_word(r, sparsity, "format", "dense", err));
    json_object_foreach ((json_t *)(uintptr_t)groups, name, group) {
        weights = json_object_get(group, "weights");
        if (!json_is_object(group))
            return refuse(r, "config_groups", name, err);
        ITH_TRY(check_word(r, group, "format", formats, err));
        if (json_is_object(weights))
            ITH_TRY(read_weights(r, weights, err));
    }
    return ITH_OK;
}

/* Blocks of 32 columns, whose tensors say all. */
static ith_status read_mxfp4(const reader *r, ith_error *err)
{
    const ith_hf_scheme scheme = {true, 4, 1, 32};
    return add_scheme(r, &scheme, err);
}

ith_status ith_hf_quantization_parse(const json_t *config, const char *where,
                                     ith_hf_quantization *out, ith_error *err)
{
    static const struct {
        const char *name;
        ith_hf_method method;
        ith_status (*read)(const reader *r, ith_error *err);
    } methods[] = {
        {"fp8", ITH_HF_FP8, read_fp8},
        {"fbgemm_fp8", ITH_HF_FP8, read_fbgemm},
        {"modelopt", ITH_HF_FP8, read_modelopt},
        {"compressed-tensors", ITH_HF_COMPRESSED, read_compressed},
        {"awq", ITH_HF_AWQ, read_awq},
        {"gptq", ITH_HF_GPTQ, read_gptq},
        {"mxfp4", ITH_HF_MXFP4, read_mxfp4},
    };
    static const char *const lists[] = {"modules_to_not_convert", "ignored_layers", "ignore"};
    const json_t *object = json_object_get(config, key_of_all);
    reader r = {object, where, out};
    const char *method = NULL;

    *out = (ith_hf_quantization){0};
    if (json_is_object(json_object_get(config, "quantization")))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: \"quantization\": MLX's formats are not supported; take the model "
                        "that this one was made of, or a GGUF file of it",
                        where);
    if (object == NULL || json_is_null(object))
        r.config = object = json_object_get(config, "compression_config");
    if (object == NULL || json_is_null(object))
        return ITH_OK;
    ITH_TRY(ith_json_string(object, where, "quant_method", &method, err));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        ITH_TRY(check_names(&r, lists[i], err));
    for (size_t i = 0; method != NULL && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].name, method) == 0) {
            out->method = methods[i].method;
            return methods[i].read(&r, err);
        }
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: \"%s\": %s is not supported; Ithaca reads fp8, fbgemm_fp8, modelopt, "
                    "compressed-tensors, awq, gptq and mxfp4",
                    where, key_of_all, method != NULL ? method : "a quantized checkpoint");
}
