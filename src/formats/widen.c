/* widen.c - elements of any type as f32. */
#include "formats/widen.h"

#include "formats/blocks.h"
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

void ith_dtype_to_f32(ith_dtype dtype, const uint8_t *src, int64_t n, float *out)
{
    const ith_dtype_info *type = ith_dtype_get(dtype);

    if (dtype == ITH_DT_F32)
        widen_f32(src, n, out);
    else if (dtype == ITH_DT_F16)
        widen_f16(src, n, out);
    else if (dtype == ITH_DT_BF16)
        widen_bf16(src, n, out);
    else
        for (int64_t i = 0; i < n; i += type->block, src += type->block_bytes)
            ith_block_widen(dtype, src, out + i);
}
