/* gemm_neon.c - quantized products by multiplications to 16 bits (Armv8.0). */
#include "simd/neon/dots_neon.h"

#include "simd/neon/gemm_frame_neon.h"

void ith_gemm_w8__neon(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                       float *out, int64_t ld_out)
{
    gemm(ITH_W8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__neon(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                       float *out, int64_t ld_out)
{
    gemm(ITH_W4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__neon(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                        float *out, int64_t ld_out)
{
    gemm(ITH_W4M, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
