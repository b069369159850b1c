/* gemm_float_avx512bw.c - products of float weights: 2 tiles of 16 rows x up to 8 tokens; for one
 * or two tokens 4 tiles, so that more sums are in flight. */
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

enum {
    MAX_TOKENS = 8, /* 2 x 8 accumulators: two units with a latency of four cycles need eight */
    FEW_TOKENS = 2,
    FEW_TILES = 4,
    PREFETCH = 4096 /* prefetch distance: a page, at whose end the hardware's prefetcher stops */
};

/* `tiles` tiles times `tokens` tokens; both are constants after inlining. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tiles, const int tokens,
                           const uint8_t *tile, size_t tile_bytes, int64_t n_cols, const float *x,
                           int64_t ld_x, float *out, int64_t ld_out)
{
    __m512 acc[FEW_TILES][MAX_TOKENS];

    EACH_TILE EACH_TOKEN acc[i][t] = _mm512_setzero_ps();
    for (int64_t k = 0; k < n_cols; k++) {
        __m512 w[FEW_TILES];
        EACH_TILE
        {
            const uint8_t *at =
                tile + i * tile_bytes + k * ITH_TILE_ROWS * (layout == ITH_F32T ? 4 : 2);
            w[i] = layout == ITH_F32T ? _mm512_load_ps(at)
                                      : load_bf16((const uint16_t *)(const void *)at);
            if (tokens <= FEW_TOKENS)
                ith_fetch_l1((const char *)at + PREFETCH);
        }
        EACH_TOKEN
        {
            const __m512 a = _mm512_set1_ps(x[t * ld_x + k]);
            EACH_TILE acc[i][t] = _mm512_fmadd_ps(a, w[i], acc[i][t]);
        }
    }
    EACH_TILE EACH_TOKEN _mm512_storeu_ps(out + t * ld_out + i * ITH_TILE_ROWS, acc[i][t]);
}

/* `tiles` tiles times all tokens, in blocks of almost equal size. */
ITH_INLINE void gemm_tiles(const ith_layout layout, const int tiles, int64_t n_tokens,
                           const uint8_t *tile, size_t tile_bytes, int64_t n_cols, const float *x,
                           int64_t ld_x, float *out, int64_t ld_out)
{
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t begin = n_tokens * b / blocks, end = n_tokens * (b + 1) / blocks;
        const float *from = x + begin * ld_x;
        float *to = out + begin * ld_out;
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        gemm_block(layout, tiles, n, tile, tile_bytes, n_cols, from, ld_x, to, ld_out);            \
        break
        switch (end - begin) {
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
            CASE(5);
            CASE(6);
            CASE(7);
            CASE(8);
        }
#undef CASE
    }
}

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    const float *x = acts->x;
    const int64_t ld_x = acts->ld_x, n_cols = acts->n_cols;
    const size_t tile_bytes = ith_tile_bytes(layout, ((size_t)n_cols + ITH_GROUP - 1) / ITH_GROUP);
    const uint8_t *tile = tiles;
    int64_t i = 0;

    if (n_tokens == 1 || n_tokens == FEW_TOKENS)
        for (; i + FEW_TILES <= n_tiles;
             i += FEW_TILES, tile += FEW_TILES * tile_bytes, out += FEW_TILES * ITH_TILE_ROWS) {
            if (n_tokens == 1)
                gemm_block(layout, FEW_TILES, 1, tile, tile_bytes, n_cols, x, ld_x, out, ld_out);
            else
                gemm_block(layout, FEW_TILES, FEW_TOKENS, tile, tile_bytes, n_cols, x, ld_x, out,
                           ld_out);
        }
    for (; i + 2 <= n_tiles; i += 2, tile += 2 * tile_bytes, out += 2 * ITH_TILE_ROWS)
        gemm_tiles(layout, 2, n_tokens, tile, tile_bytes, n_cols, x, ld_x, out, ld_out);
    if (i < n_tiles)
        gemm_tiles(layout, 1, n_tokens, tile, tile_bytes, n_cols, x, ld_x, out, ld_out);
}

void ith_gemm_bf16__avx512bw(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                             const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_BF16, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_f32t__avx512bw(int64_t n_tiles, int64_t n_tokens, const void *tiles,
                             const ith_acts *acts, float *out, int64_t ld_out)
{
    gemm(ITH_F32T, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
