/* gemm_dotprod.c - quantized products by sdot. */
#include "simd/dotprod/dots_dotprod.h"

#include "simd/neon/gemm_frame_neon.h"

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    void ith_gemm_##name##__dotprod(int64_t n_tiles, int64_t n_tokens, const void *tiles,          \
                                    const ith_acts *acts, float *out, int64_t ld_out)              \
    {                                                                                              \
        gemm(ITH_##constant, n_tiles, n_tokens, tiles, acts, out, ld_out);                         \
    }
#include "simd/layouts.inc"
