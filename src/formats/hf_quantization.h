/* hf_quantization.h - "quantization_config" of config.json: how a folder's matrices were quantized.
 *
 * Which matrices are quantized, the tensors say (quantized.h): lists of modules that are not
 * ("modules_to_not_convert", "ignore") are checked for their form only. How activations or the KV
 * cache were to be quantized does not count: Ithaca has its own way, and Transformers on a CPU
 * leaves them alone.
 */
#ifndef ITH_FORMATS_HF_QUANTIZATION_H
#define ITH_FORMATS_HF_QUANTIZATION_H

#include "base/error.h"
#include "base/json.h"

typedef enum ith_hf_method {
    ITH_HF_PLAIN,      /* not quantized */
    ITH_HF_FP8,        /* "fp8": DeepSeek, Qwen and others; "fbgemm_fp8"; "modelopt" */
    ITH_HF_COMPRESSED, /* "compressed-tensors" */
    ITH_HF_AWQ,        /* "awq", as "gemm" packs it */
    ITH_HF_GPTQ,       /* "gptq" */
    ITH_HF_MXFP4       /* "mxfp4": gpt-oss */
} ith_hf_method;

/* How some of the matrices are quantized. */
typedef struct ith_hf_scheme {
    bool is_float; /* F8_E4M3; else integers of `bits`: 4 or 8 */
    int bits;
    int64_t block_rows, block_cols; /* that share a scale; 0: all of the matrix */
} ith_hf_scheme;

enum { ITH_HF_SCHEMES = 16 };

typedef struct ith_hf_quantization {
    ith_hf_method method;
    int n_schemes;
    ith_hf_scheme schemes[ITH_HF_SCHEMES];
    bool zeros_less_one; /* GPTQ: zero points are stored less 1 */
} ith_hf_quantization;

/* `config`: the parsed file, or an object inside that has the key; where: its path, for messages.
 * ITH_E_FORMAT: a value of the wrong type; ITH_E_UNSUPPORTED, naming it: a method, or a variant of
 * one, that is not read. */
ith_status ith_hf_quantization_parse(const json_t *config, const char *where,
                                     ith_hf_quantization *out, ith_error *err);

#endif
