/* gemm_avx512.c - quantized products by vpdpbusd: 2 tiles of 16 rows x up to 6 tokens in registers.
 *
 * The weights are the unsigned operand, biased as they are stored; the accumulators start at the zero point's share,
 * that quantization has left beside the scales. One broadcast of four quants of a token serves both tiles. Per group
 * and (tile, token) there are 8 vpdpbusd and 3 float operations (convert, times the activation's scale, fma with the
 * row's), so 8/11 of the integer peak is the bound.
 */
#include "simd/avx512/vec_avx512.h"
#include "simd/variants.h"

enum {
    MAX_TILES = 2,
    MAX_TOKENS = 6,        /* 2 x 6 integer and 2 x 6 float accumulators of the 32 registers */
    PANEL_BYTES = 1 << 20, /* activations that a pass over all tiles keeps in the second-level cache */
    PREFETCH = 4096        /* bytes ahead in a stream of weights: a page, where the hardware's prefetcher stops */
};

typedef struct operands { /* one block of tokens; arrays as in ith_acts, at the block's first token */
    const int8_t *quants;
    const float *scales, *sums;
    const int32_t *zeros;
    int64_t groups;
} operands;

typedef __m512i dots_t[MAX_TILES][MAX_TOKENS];
typedef __m512 sums_t[MAX_TILES][MAX_TOKENS];

#define EACH_TILE  _Pragma("GCC unroll 2") for (int i = 0; i < tiles; i++)
#define EACH_TOKEN _Pragma("GCC unroll 6") for (int t = 0; t < tokens; t++)

/* Adds columns 4j..4j+3 of every tile (w) times those of every token. */
ITH_INLINE void dot_quad(const int tiles, const int tokens, const __m512i w[MAX_TILES], const int8_t *quants,
                         int64_t stride, dots_t dots)
{
    EACH_TOKEN
    {
        const __m512i a = broadcast_quad(quants + t * stride);
        EACH_TILE add_dots(&dots[i][t], w[i], a);
    }
}

ITH_INLINE void dot_group_w8(const int tiles, const int tokens, const uint8_t *weights, size_t tile_bytes,
                             const int8_t *quants, int64_t stride, dots_t dots)
{
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m512i w[MAX_TILES];
        EACH_TILE w[i] = _mm512_loadu_si512(weights + i * tile_bytes + 64 * j);
        dot_quad(tiles, tokens, w, quants + 4 * j, stride, dots);
    }
}

ITH_INLINE void dot_group_w4(const int tiles, const int tokens, const uint8_t *weights, size_t tile_bytes,
                             const int8_t *quants, int64_t stride, dots_t dots)
{
    const __m512i nibble = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        __m512i low[MAX_TILES], high[MAX_TILES];
        EACH_TILE
        {
            __m512i pairs = _mm512_loadu_si512(weights + i * tile_bytes + 64 * j);
            low[i] = _mm512_and_si512(pairs, nibble);
            high[i] = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
        }
        dot_quad(tiles, tokens, low, quants + 4 * j, stride, dots);
        dot_quad(tiles, tokens, high, quants + 16 + 4 * j, stride, dots);
    }
}

/* Folds a group's integer sums into the float accumulators. `scales`: of the first tile's rows in this group. */
ITH_INLINE void fold_group(const ith_layout layout, const int tiles, const int tokens, const uint16_t *scales,
                           size_t tile_bytes, const operands *x, int64_t g, dots_t dots, sums_t acc)
{
    EACH_TILE
    {
        const uint16_t *row_scales = scales + i * (tile_bytes / 2) + g * ITH_TILE_ROWS;
        const __m512 scale_w = load_f16(row_scales);
        EACH_TOKEN
        {
            __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(dots[i][t]), _mm512_set1_ps(x->scales[t * x->groups + g]));
            acc[i][t] = _mm512_fmadd_ps(scaled, scale_w, acc[i][t]);
        }
        if (layout == ITH_W4M) {
            const __m512 min_w = load_f16(row_scales + x->groups * ITH_TILE_ROWS);
            EACH_TOKEN acc[i][t] = _mm512_fmadd_ps(min_w, _mm512_set1_ps(x->sums[t * x->groups + g]), acc[i][t]);
        }
    }
}

/* `tiles` tiles times `tokens` tokens, both constants where this is inlined. */
ITH_INLINE void gemm_block(const ith_layout layout, const int tiles, const int tokens, const uint8_t *tile,
                           const operands *x, float *out, int64_t ld_out)
{
    const int64_t groups = x->groups, stride = groups * ITH_GROUP;
    const int group_bytes = layout == ITH_W8 ? 512 : 256;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)groups);
    const uint16_t *scales = (const uint16_t *)(const void *)(tile + groups * group_bytes);
    sums_t acc;
    dots_t dots;

    EACH_TILE EACH_TOKEN acc[i][t] = _mm512_setzero_ps();
    for (int64_t g = 0; g < groups; g++) {
        const uint8_t *weights = tile + g * group_bytes;
        EACH_TOKEN
        {
            const __m512i zero =
                layout == ITH_W4M ? _mm512_setzero_si512() : _mm512_set1_epi32(x->zeros[t * groups + g]);
            EACH_TILE dots[i][t] = zero;
        }
        EACH_TILE
#pragma GCC unroll 8
        for (int j = 0; j < group_bytes; j += 64)
            _mm_prefetch((const char *)weights + i * tile_bytes + j + PREFETCH, _MM_HINT_T0);
        if (layout == ITH_W8)
            dot_group_w8(tiles, tokens, weights, tile_bytes, x->quants + g * ITH_GROUP, stride, dots);
        else
            dot_group_w4(tiles, tokens, weights, tile_bytes, x->quants + g * ITH_GROUP, stride, dots);
        fold_group(layout, tiles, tokens, scales, tile_bytes, x, g, dots, acc);
    }
    EACH_TOKEN EACH_TILE _mm512_storeu_ps(out + t * ld_out + i * ITH_TILE_ROWS, acc[i][t]);
}

/* The block for a count of tokens in 1..MAX_TOKENS that is known only now. */
ITH_INLINE void gemm_tokens(const ith_layout layout, const int tiles, int tokens, const uint8_t *tile,
                            const operands *x, float *out, int64_t ld_out)
{
    switch (tokens) {
    case 1:
        gemm_block(layout, tiles, 1, tile, x, out, ld_out);
        break;
    case 2:
        gemm_block(layout, tiles, 2, tile, x, out, ld_out);
        break;
    case 3:
        gemm_block(layout, tiles, 3, tile, x, out, ld_out);
        break;
    case 4:
        gemm_block(layout, tiles, 4, tile, x, out, ld_out);
        break;
    case 5:
        gemm_block(layout, tiles, 5, tile, x, out, ld_out);
        break;
    default:
        gemm_block(layout, tiles, 6, tile, x, out, ld_out);
    }
}

/* Walks a panel of tokens in blocks of nearly equal size. */
ITH_INLINE void gemm_panel(const ith_layout layout, const int tiles, int64_t n_tokens, const uint8_t *tile,
                           const ith_acts *acts, int64_t first, float *out, int64_t ld_out)
{
    const int64_t blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS, groups = acts->groups;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t begin = first + n_tokens * b / blocks, end = first + n_tokens * (b + 1) / blocks;
        const operands x = {
            .quants = acts->quants + begin * groups * ITH_GROUP,
            .scales = acts->scales + begin * groups,
            .sums = acts->sums + begin * groups,
            .zeros = (layout == ITH_W8 ? acts->zero128 : acts->zero8) + begin * groups,
            .groups = groups,
        };
        gemm_tokens(layout, tiles, (int)(end - begin), tile, &x, out + begin * ld_out, ld_out);
    }
}

ITH_INLINE void gemm(const ith_layout layout, int64_t n_tiles, int64_t n_tokens, const void *tiles,
                     const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *weights = tiles;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    int64_t panel = acts->groups ? PANEL_BYTES / (acts->groups * ITH_GROUP) : n_tokens;
    panel = panel < 96 ? 96 : panel / MAX_TOKENS * MAX_TOKENS;

    for (int64_t first = 0; first < n_tokens; first += panel) {
        const int64_t count = n_tokens - first < panel ? n_tokens - first : panel;
        int64_t i = 0;
        for (; i + 2 <= n_tiles; i += 2)
            gemm_panel(layout, 2, count, weights + (size_t)i * tile_bytes, acts, first, out + i * ITH_TILE_ROWS,
                       ld_out);
        if (i < n_tiles)
            gemm_panel(layout, 1, count, weights + (size_t)i * tile_bytes, acts, first, out + i * ITH_TILE_ROWS,
                       ld_out);
    }
}

void ith_gemm_w8__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out,
                         int64_t ld_out)
{
    gemm(ITH_W8, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out,
                         int64_t ld_out)
{
    gemm(ITH_W4, n_tiles, n_tokens, tiles, acts, out, ld_out);
}

void ith_gemm_w4m__avx512(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out,
                          int64_t ld_out)
{
    gemm(ITH_W4M, n_tiles, n_tokens, tiles, acts, out, ld_out);
}
