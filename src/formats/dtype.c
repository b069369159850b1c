/* dtype.c - element types and how each widens to f32.
 *
 * Blocks of 32 elements, in GGML's layout (block_q8_0 and so on in its ggml-common.h):
 *   Q8_0  f16 d, 32 x int8 q                                                     x = d * q
 *   Q4_0  f16 d, 16 bytes: low nibbles are elements 0..15, high ones 16..31      x = d * (q - 8)
 *   Q4_1  f16 d, f16 m, 16 bytes as Q4_0                                         x = d * q + m
 */
#include "formats/dtype.h"

#include "simd/half.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "files are read in place: a little-endian machine is assumed"
#endif

static uint16_t load16(const uint8_t *p)
{
    uint16_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static void widen_f32(const uint8_t *src, int64_t n, float *out)
{
    memcpy(out, src, (size_t)n * sizeof *out);
}

static void widen_f16(const uint8_t *src, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = ith_f16_to_f32(load16(src + 2 * i));
}

static void widen_bf16(const uint8_t *src, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = ith_bf16_to_f32(load16(src + 2 * i));
}

static void widen_q8_0(const uint8_t *src, int64_t n, float *out)
{
    for (int64_t b = 0; b < n / 32; b++, src += 34, out += 32) {
        float d = ith_f16_to_f32(load16(src));
        for (int i = 0; i < 32; i++)
            out[i] = d * (float)(int8_t)src[2 + i];
    }
}

static void widen_q4_0(const uint8_t *src, int64_t n, float *out)
{
    for (int64_t b = 0; b < n / 32; b++, src += 18, out += 32) {
        float d = ith_f16_to_f32(load16(src));
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)((src[2 + i] & 15) - 8);
            out[i + 16] = d * (float)((src[2 + i] >> 4) - 8);
        }
    }
}

static void widen_q4_1(const uint8_t *src, int64_t n, float *out)
{
    for (int64_t b = 0; b < n / 32; b++, src += 20, out += 32) {
        float d = ith_f16_to_f32(load16(src)), m = ith_f16_to_f32(load16(src + 2));
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)(src[4 + i] & 15) + m;
            out[i + 16] = d * (float)(src[4 + i] >> 4) + m;
        }
    }
}

typedef struct dtype_row {
    ith_dtype_info info;
    uint32_t ggml;           /* enum ggml_type */
    const char *safetensors; /* NULL: the format does not have it */
    void (*widen)(const uint8_t *src, int64_t n, float *out);
} dtype_row;

static const dtype_row dtypes[ITH_DTYPES] = {
    [ITH_DT_F32] = {{"F32", 1, 4}, 0, "F32", widen_f32},
    [ITH_DT_F16] = {{"F16", 1, 2}, 1, "F16", widen_f16},
    [ITH_DT_BF16] = {{"BF16", 1, 2}, 30, "BF16", widen_bf16},
    [ITH_DT_Q8_0] = {{"Q8_0", 32, 34}, 8, NULL, widen_q8_0},
    [ITH_DT_Q4_0] = {{"Q4_0", 32, 18}, 2, NULL, widen_q4_0},
    [ITH_DT_Q4_1] = {{"Q4_1", 32, 20}, 3, NULL, widen_q4_1},
};

const ith_dtype_info *ith_dtype_get(ith_dtype dtype)
{
    return &dtypes[dtype].info;
}

void ith_dtype_to_f32(ith_dtype dtype, const uint8_t *src, int64_t n, float *out)
{
    dtypes[dtype].widen(src, n, out);
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
