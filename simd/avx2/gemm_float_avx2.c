/* gemm_float_avx2.c - products of float weights: a tile of 16 rows x up to 6 tokens; for one or two
 * tokens two tiles at a time, so that more sums are in flight. */
#include "simd/avx2/vec_avx2.h"
#include "simd/variants.h"

enum {
    MAX_TOKENS = 6, /* 6 x 2 accumulators of the 16 registers */
    FEW_TOKENS = 2,
    MAX_HALVES = 4, /* halves of tiles */
    PREFETCH = 4096 /* prefetch distance: a page, at whose end the hardware's prefetcher stops */
};

#define EACH_HALF _Pragma("GCC unroll 4") for (int h = 0; h < halves; h++)

/* halves / 2 tiles times `tokens` tokens; both are constants after inlining. */
ITH_INLINE void gemm_block(const ith_layout layout, const int halves, const int tokens,
                           const uint8_t *tile, size_t tile_bytes, int64_t n_cols, const float *x,
                           int64_t ld_x, float *out, int64_t ld_out)
{
    const int size = layout == ITH_F32T ? 4 : 2;
    __m256 acc[MAX_TOKENS][MAX_HALVES];

    EACH_TOKEN EACH_HALF acc[t][h] = _mm256_setzero_ps();
    for (int64_t k = 0; k < n_cols; k++) {
        const uint8_t *at = tile + k * ITH_TILE_ROWS * size;
        __m256 w[MAX_HALVES];
        EACH_HALF
        {
            const uint8_t *half = at + (size_t)(h / 2) * tile_bytes + h % 2 * 8 * size;
            w[h] = layout == ITH_F32T ? _mm256_load_ps((const float *)(const void *)half)
                                      : load_bf16((const uint16_t *)(const void *)half);
            if (tokens <= FEW_TOKENS && h % 2 == 0)
                ith_fetch_l1((const char *)half + PREFETCH);
        }
        EACH_TOKEN
        {
            const __m256 a = _mm256_broadcast_ss(x + t * ld_x + k);
            EACH_HALF acc[t][h] = _mm256_fmadd_ps(a, w[h], acc[t][h]);
        }
    }
    EACH_TOKEN EACH_HALF _mm256_storeu_ps(out + t * ld_out + 8 * h, acc[t][h]);
}

ITH_INLINE void gemm_tokens(const ith_layout layout, int tokens, const uint8_t *tile,
                            size_t tile_bytes, int64_t n_cols, const float *x, int64_t ld_x,
                            float *out, int64_t ld_out)
{
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        gemm_block(layout, 2, n, tile, tile_bytes, n_cols, x, ld_x, out, ld_out);                  \
        break
    switch (tokens) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
    }
#undef CASE
}

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    const float *x = acts->x;
    const int64_t ld_x = acts->ld_x, n_cols = acts->n_cols;
    const size_t tile_bytes = ith_tile_bytes(layout, ((size_t)n_cols + ITH_GROUP - 1) / ITH_GROUP);
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    const uint8_t *tile = tiles;
    int64_t i = 0;

    if (n_tokens == 1 || n_tokens == FEW_TOKENS)
        for (; i + 2 <= n_tiles; i += 2, tile += 2 * tile_bytes, out += 2 * ITH_TILE_ROWS) {
            if (n_tokens == 1)
                gemm_block(layout, 4, 1, tile, tile_bytes, n_cols, x, ld_x, out, ld_out);
            else
                gemm_block(layout, 4, 2, tile, tile_bytes, n_cols, x, ld_x, out, ld_out);
        }
    for (; i < n_tiles; i++, tile += tile_bytes, out += ITH_TILE_ROWS)
        /* Of almost equal size. */
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
            gemm_tokens(layout, (int)(end - begin), tile, tile_bytes, n_cols, x + begin * ld_x,
                        ld_x, out + begin * ld_out, ld_out);
        }
}

void ith_gemm_bf16__avx2(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out)
{
    gemm(ITH_BF16, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_f32t__avx2(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out)
{
    gemm(ITH_F32T, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
