/* gemm_float_ref.c - products of float weights: one chain of fma over the columns per element. */
#include "simd/half.h"
#include "simd/variants.h"

#include <math.h>

static void add_column(ith_layout layout, const uint8_t *tile, int64_t k, float x,
                       float acc[ITH_TILE_ROWS])
{
    const float *f32 = (const float *)(const void *)tile + k * ITH_TILE_ROWS;
    const uint16_t *bf16 = (const uint16_t *)(const void *)tile + k * ITH_TILE_ROWS;
    for (int r = 0; r < ITH_TILE_ROWS; r++)
        acc[r] = fmaf(x, layout == ITH_F32T ? f32[r] : ith_bf16_to_f32(bf16[r]), acc[r]);
}

static void gemm(ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                 const ith_acts *acts, float *out, int64_t ld_out)
{
    const float *x = acts->x;
    const int64_t ld_x = acts->ld_x, n_cols = acts->n_cols;
    const size_t tile_bytes = ith_tile_bytes(layout, ((size_t)n_cols + ITH_GROUP - 1) / ITH_GROUP);
    for (int64_t i = 0; i < n_tiles; i++)
        for (int64_t t = 0; t < n_tokens; t++) {
            float *acc = out + t * ld_out + i * ITH_TILE_ROWS;
            for (int r = 0; r < ITH_TILE_ROWS; r++)
                acc[r] = 0.0f;
            for (int64_t k = 0; k < n_cols; k++)
                add_column(layout, (const uint8_t *)tiles + (size_t)i * tile_bytes, k,
                           x[t * ld_x + k], acc);
        }
}

void ith_gemm_bf16__ref(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                        float *out, int64_t ld_out)
{
    gemm(ITH_BF16, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_f32t__ref(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                        float *out, int64_t ld_out)
{
    gemm(ITH_F32T, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
