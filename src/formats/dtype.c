/* dtype.c - the element types and their names. */
#include "formats/dtype.h"

#include <string.h>

typedef struct dtype_row {
    ith_dtype_info info;
    uint32_t ggml;           /* enum ggml_type */
    const char *safetensors; /* NULL: the format does not have it */
} dtype_row;

static const dtype_row dtypes[ITH_DTYPES] = {
    [ITH_DT_F32] = {{"F32", 1, 4}, 0, "F32"},
    [ITH_DT_F16] = {{"F16", 1, 2}, 1, "F16"},
    [ITH_DT_BF16] = {{"BF16", 1, 2}, 30, "BF16"},
    [ITH_DT_Q8_0] = {{"Q8_0", 32, 34}, 8, NULL},
    [ITH_DT_Q4_0] = {{"Q4_0", 32, 18}, 2, NULL},
    [ITH_DT_Q4_1] = {{"Q4_1", 32, 20}, 3, NULL},
    [ITH_DT_Q5_0] = {{"Q5_0", 32, 22}, 6, NULL},
    [ITH_DT_Q5_1] = {{"Q5_1", 32, 24}, 7, NULL},
    [ITH_DT_Q2_K] = {{"Q2_K", 256, 84}, 10, NULL},
    [ITH_DT_Q3_K] = {{"Q3_K", 256, 110}, 11, NULL},
    [ITH_DT_Q4_K] = {{"Q4_K", 256, 144}, 12, NULL},
    [ITH_DT_Q5_K] = {{"Q5_K", 256, 176}, 13, NULL},
    [ITH_DT_Q6_K] = {{"Q6_K", 256, 210}, 14, NULL},
    [ITH_DT_IQ4_NL] = {{"IQ4_NL", 32, 18}, 20, NULL},
    [ITH_DT_IQ4_XS] = {{"IQ4_XS", 256, 136}, 23, NULL},
    [ITH_DT_MXFP4] = {{"MXFP4", 32, 17}, 39, NULL},
    [ITH_DT_IQ3_S] = {{"IQ3_S", 256, 110}, 21, NULL},
};

const ith_dtype_info *ith_dtype_get(ith_dtype dtype)
{
    return &dtypes[dtype].info;
}

bool ith_dtype_from_safetensors(const char *name, ith_dtype *out)
{
    for (int i = 0; i < ITH_DTYPES; i++)
        if (dtypes[i].safetensors != NULL && strcmp(dtypes[i].safetensors, name) == 0) {
            *out = (ith_dtype)i;
            return true;
        }
    return false;
}

bool ith_dtype_from_ggml(uint32_t id, ith_dtype *out)
{
    for (int i = 0; i < ITH_DTYPES; i++)
        if (dtypes[i].ggml == id) {
            *out = (ith_dtype)i;
            return true;
        }
    return false;
}

/* enum ggml_type of ggml.h; missing numbers were never used or are withdrawn. */
static const char *const ggml_names[] = {
    [0] = "F32",     [1] = "F16",      [2] = "Q4_0",   [3] = "Q4_1",    [6] = "Q5_0",
    [7] = "Q5_1",    [8] = "Q8_0",     [9] = "Q8_1",   [10] = "Q2_K",   [11] = "Q3_K",
    [12] = "Q4_K",   [13] = "Q5_K",    [14] = "Q6_K",  [15] = "Q8_K",   [16] = "IQ2_XXS",
    [17] = "IQ2_XS", [18] = "IQ3_XXS", [19] = "IQ1_S", [20] = "IQ4_NL", [21] = "IQ3_S",
    [22] = "IQ2_S",  [23] = "IQ4_XS",  [24] = "I8",    [25] = "I16",    [26] = "I32",
    [27] = "I64",    [28] = "F64",     [29] = "IQ1_M", [30] = "BF16",   [34] = "TQ1_0",
    [35] = "TQ2_0",  [39] = "MXFP4",   [40] = "NVFP4", [41] = "Q1_0",
};

const char *ith_ggml_type_name(uint32_t id)
{
    return id < sizeof ggml_names / sizeof *ggml_names ? ggml_names[id] : NULL;
}
