/* gemm_dotprod.c - quantized products by sdot. */
#include "simd/dotprod/dots_dotprod.h"

#include "simd/neon/gemm_frame_neon.h"

void ith_gemm_w8__dotprod(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__dotprod(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                          const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__dotprod(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                           const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_W4M, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
