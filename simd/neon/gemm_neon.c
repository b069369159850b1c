/* gemm_neon.c - quantized products by multiplications to 16 bits (Armv8.0). */
#include "simd/neon/dots_neon.h"

#include "simd/neon/gemm_frame_neon.h"

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    void ith_gemm_##name##__neon(int64_t n_tiles, int64_t n_tokens, const void *tiles,             \
                                 const ith_acts *acts, float *out, int64_t ld_out)                 \
    {                                                                                              \
        gemm(ITH_##constant, n_tiles, n_tokens, tiles, acts, out, ld_out);                         \
    }
#include "simd/layouts.inc"
