/* gemm_float_neon.c - products of float weights: a tile of 16 rows x up to 6 tokens. */
#include "simd/neon/vec_neon.h"
#include "simd/variants.h"

enum { MAX_TOKENS = 6, REGS = ITH_TILE_ROWS / 4 }; /* 6 x 4 accumulators of the 32 registers */

#define EACH_TOKEN _Pragma("GCC unroll 6") for (int t = 0; t < tokens; t++)
#define EACH_REG   _Pragma("GCC unroll 4") for (int v = 0; v < REGS; v++)

/* One tile times `tokens` tokens, a constant after inlining. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tokens, const void *tile,
                           int64_t n_cols, const float *x, int64_t ld_x, float *out, int64_t ld_out)
{
    float32x4_t acc[MAX_TOKENS][REGS];

    EACH_TOKEN EACH_REG acc[t][v] = vdupq_n_f32(0.0f);
    for (int64_t k = 0; k < n_cols; k++) {
        float32x4_t w[REGS];
        EACH_REG
        {
            const int64_t at = k * ITH_TILE_ROWS + 4 * v;
            w[v] = layout == ITH_F32T ? vld1q_f32((const float *)tile + at)
                                      : load_bf16((const uint16_t *)tile + at);
        }
        EACH_TOKEN
        {
            const float32x4_t a = vdupq_n_f32(x[t * ld_x + k]);
            EACH_REG acc[t][v] = vfmaq_f32(acc[t][v], a, w[v]);
        }
    }
    EACH_TOKEN EACH_REG vst1q_f32(out + t * ld_out + 4 * v, acc[t][v]);
}

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    const float *x = acts->x;
    const int64_t ld_x = acts->ld_x, n_cols = acts->n_cols;
    const size_t tile_bytes = ith_tile_bytes(layout, ((size_t)n_cols + ITH_GROUP - 1) / ITH_GROUP);
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    const uint8_t *tile = tiles;

    for (int64_t i = 0; i < n_tiles; i++, tile += tile_bytes, out += ITH_TILE_ROWS)
        /* Of almost equal size. */
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
            const float *from = x + begin * ld_x;
            float *to = out + begin * ld_out;
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        gemm_block(layout, n, tile, n_cols, from, ld_x, to, ld_out);                               \
        break
            switch (end - begin) {
                CASE(1);
                CASE(2);
                CASE(3);
                CASE(4);
                CASE(5);
                CASE(6);
            }
#undef CASE
        }
}

void ith_gemm_bf16__neon(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out)
{
    gemm(ITH_BF16, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_f32t__neon(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out)
{
    gemm(ITH_F32T, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
