/* dtype.h - the element types of tensors, and how file formats name them.
 *
 * A new type is one value of ith_dtype and one row of the table in dtype.c; how it widens
 * is in widen.c, and of a quantized one in blocks.c.
 */
#ifndef ITH_FORMATS_DTYPE_H
#define ITH_FORMATS_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ith_dtype {
    ITH_DT_F32,
    ITH_DT_F16,
    ITH_DT_BF16,
    ITH_DT_Q8_0,
    ITH_DT_Q4_0,
    ITH_DT_Q4_1,
    ITH_DT_Q5_0,
    ITH_DT_Q5_1,
    ITH_DT_Q2_K,
    ITH_DT_Q3_K,
    ITH_DT_Q4_K,
    ITH_DT_Q5_K,
    ITH_DT_Q6_K,
    ITH_DT_IQ4_NL,
    ITH_DT_IQ4_XS,
    ITH_DT_MXFP4,
    ITH_DT_IQ3_S,
    ITH_DTYPES,
    ITH_DT_UNREAD = ITH_DTYPES /* a type that Ithaca does not read; tensors name it (tensor.h) */
} ith_dtype;

typedef struct ith_dtype_info {
    const char *name; /* "F32", "Q4_0" */
    int block;        /* elements per block */
    int block_bytes;
} ith_dtype_info;

/* Not of ITH_DT_UNREAD, here and below. */
const ith_dtype_info *ith_dtype_get(ith_dtype dtype);

/* ---- Names in files ---- */

/* False: Ithaca does not read this type. */
bool ith_dtype_from_safetensors(const char *name, ith_dtype *out);
bool ith_dtype_from_ggml(uint32_t id, ith_dtype *out);

/* GGML's name of any of its types, whether Ithaca reads it or not: "Q4_K". NULL if the number is
 * unknown. */
const char *ith_ggml_type_name(uint32_t id);

#endif
