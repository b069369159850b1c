/* gemm_panel_avx512.h - products with many tokens by vpdpbusd: weights are widened once and then
 * used for all tokens of a panel.
 *
 * STRETCH groups of two tiles are widened to bytes and f32 scales, in a buffer that stays in the
 * first-level cache while the tokens of the panel are multiplied, eight at a time. The 2 x 8
 * integer sums fill half of the registers. Of the 2 x 8 float sums, which are used once per group,
 * gcc keeps some in memory; this costs less than a smaller register tile. A group needs 8 vpdpbusd
 * and 2 float operations per tile and token, on the same two ports, so 8/10 of the integer peak is
 * the bound. Between stretches the float sums are kept in a buffer of their own: the rows of `out`
 * may be a power of two apart and share a few cache sets.
 */
#ifndef ITH_SIMD_AVX512_GEMM_PANEL_H
#define ITH_SIMD_AVX512_GEMM_PANEL_H

#include "simd/avx512bw/gemm_frame_avx512.h"

enum {
    STRETCH = 16, /* groups: 18 to 20 KiB of bytes and scales */
    CALLED = 128, /* bytes of a tile's quants prefetched with each group: the pace of memory */
    QUADS = ITH_GROUP / 4
};

typedef struct wide_group {
    uint8_t quants[QUADS][MAX_TILES][64]; /* columns 4j..4j+3 of the rows, as in w8 */
    float scales[MAX_TILES][ITH_TILE_ROWS];
    float minima[MAX_TILES][ITH_TILE_ROWS]; /* w4m */
} wide_group;

/* Where a block of tokens finds its weights, and where its sums start from and go to. */
typedef struct wide_job {
    const wide_group *weights;
    int64_t groups;
    const float *from; /* NULL: the sums start from 0 */
    float *to;
    int64_t ld_from, ld_to;
    /* Of the first tile in the next stretch, to be prefetched if `call`. */
    const char *next_quants, *next_scales;
    size_t tile_bytes;
    bool call;
} wide_job;

/* Widens group g of a tile into tile i of `to`. */
ITH_INLINE void widen(const ith_layout layout, const uint8_t *tile, int64_t groups, int64_t g,
                      const int i, wide_group *to)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const int group_bytes = layout == ITH_W8 ? 512 : 256;
    const uint8_t *from = tile + g * group_bytes;
    const uint16_t *scales =
        (const uint16_t *)(const void *)(tile + groups * group_bytes) + g * ITH_TILE_ROWS;

#pragma GCC unroll 8
    for (int j = 0; j < group_bytes / 64; j++) {
        const __m512i bytes = _mm512_loadu_si512(from + 64 * j);
        if (layout == ITH_W8) {
            _mm512_store_si512(to->quants[j][i], bytes);
            continue;
        }
        _mm512_store_si512(to->quants[j][i], _mm512_and_si512(bytes, nibble));
        _mm512_store_si512(to->quants[j + 4][i],
                           _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble));
    }
    _mm512_store_ps(to->scales[i], load_f16(scales));
    if (layout == ITH_W4M)
        _mm512_store_ps(to->minima[i], load_f16(scales + groups * ITH_TILE_ROWS));
}

/* Distances in bytes between tokens, so that one pointer gives the addresses of eight. */
typedef struct pitch {
    ptrdiff_t one, three, five, seven;
} pitch;

ITH_INLINE pitch pitch_of(ptrdiff_t bytes)
{
    pitch p = {bytes, 3 * bytes, 5 * bytes, 7 * bytes};
    /* Hides the values: gcc would keep eight pointers instead. */
    __asm__("" : "+r"(p.one), "+r"(p.three), "+r"(p.five), "+r"(p.seven));
    return p;
}

ITH_INLINE const void *token(const void *first, const pitch *p, const int t)
{
    return (const char *)first + (t == 3   ? p->three
                                  : t == 5 ? p->five
                                  : t == 6 ? 2 * p->three
                                  : t == 7 ? p->seven
                                           : t * p->one);
}

ITH_INLINE __m512 broadcast_token(const float *first, const pitch *p, const int t)
{
    return _mm512_set1_ps(*(const float *)token(first, p, t));
}

/* Prefetches group k's share of the next stretch. */
ITH_INLINE void call_next(const ith_layout layout, const int tiles, const wide_job *job,
                          int64_t groups, int64_t k)
{
    EACH_TILE
    {
        const char *quants = job->next_quants + i * job->tile_bytes + k * CALLED;
        const char *scales = job->next_scales + i * job->tile_bytes + k * ITH_TILE_ROWS * 2;
        _mm_prefetch(quants, _MM_HINT_T1);
        _mm_prefetch(quants + 64, _MM_HINT_T1);
        _mm_prefetch(scales, _MM_HINT_T1);
        if (layout == ITH_W4M)
            _mm_prefetch(scales + groups * ITH_TILE_ROWS * 2, _MM_HINT_T1);
    }
}

/* `tiles` tiles times `tokens` tokens over the groups of a stretch. x: operands from the first
 * group of the stretch of the first token of the block on. */
ITH_INLINE void wide_block(const ith_layout layout, const int tiles, const int tokens,
                           const wide_job *job, const operands *x)
{
    const pitch rows = pitch_of(x->groups * ITH_GROUP), singles = pitch_of(x->groups * 4);
    const wide_group *w = job->weights;
    sums_t acc;
    dots_t dots;

    EACH_TOKEN EACH_TILE acc[i][t] =
        job->from ? _mm512_loadu_ps(job->from + t * job->ld_from + i * ITH_TILE_ROWS)
                  : _mm512_setzero_ps();
    for (int64_t k = 0; k < job->groups; k++, w++) {
        const int8_t *quants = x->quants + k * ITH_GROUP;
        EACH_TOKEN
        {
            const int32_t *start = token(x->starts + k, &singles, t);
            EACH_TILE dots[i][t] = _mm512_set1_epi32(layout == ITH_W4M ? ITH_START : *start);
        }
        if (job->call)
            call_next(layout, tiles, job, x->groups, k);
#pragma GCC unroll 8
        for (int j = 0; j < QUADS; j++) {
            __m512i v[MAX_TILES];
            EACH_TILE v[i] = _mm512_load_si512(w->quants[j][i]);
            EACH_TOKEN
            {
                const __m512i a = broadcast_quad((const int8_t *)token(quants, &rows, t) + 4 * j);
                EACH_TILE add_dots(&dots[i][t], v[i], a);
            }
        }
        EACH_TOKEN
        {
            const __m512 scale = broadcast_token(x->scales + k, &singles, t);
            const __m512 shift = broadcast_token(x->shifts + k, &singles, t);
            EACH_TILE
            {
                const __m512 scaled =
                    _mm512_fmadd_ps(_mm512_castsi512_ps(dots[i][t]), scale, shift);
                acc[i][t] = _mm512_fmadd_ps(scaled, _mm512_load_ps(w->scales[i]), acc[i][t]);
            }
            if (layout == ITH_W4M) {
                const __m512 sum = broadcast_token(x->sums + k, &singles, t);
                EACH_TILE acc[i][t] = _mm512_fmadd_ps(_mm512_load_ps(w->minima[i]), sum, acc[i][t]);
            }
        }
    }
    EACH_TOKEN EACH_TILE _mm512_storeu_ps(job->to + t * job->ld_to + i * ITH_TILE_ROWS, acc[i][t]);
}

/* wide_block for 4 to 8 tokens, a number known at run time. More than 8 tokens in blocks of almost
 * equal size have no smaller blocks. */
ITH_INLINE void wide_tokens(const ith_layout layout, const int tiles, int tokens,
                            const wide_job *job, const operands *x)
{
    switch (tokens) {
    case 4:
        wide_block(layout, tiles, 4, job, x);
        break;
    case 5:
        wide_block(layout, tiles, 5, job, x);
        break;
    case 6:
        wide_block(layout, tiles, 6, job, x);
        break;
    case 7:
        wide_block(layout, tiles, 7, job, x);
        break;
    default:
        wide_block(layout, tiles, 8, job, x);
    }
}

/* `tiles` tiles times the panel of tokens from `first` on.
 * MAX_TOKENS < n_tokens <= ITH_PANEL_TOKENS. */
ITH_INLINE void wide_panel(const ith_layout layout, const int tiles, int64_t n_tokens,
                           const uint8_t *tile, const ith_acts *acts, int64_t first, float *out,
                           int64_t ld_out)
{
    const int64_t groups = acts->groups, blocks = (n_tokens + MAX_TOKENS - 1) / MAX_TOKENS;
    const int64_t size = n_tokens / blocks, larger = n_tokens % blocks;
    const int64_t group_bytes = layout == ITH_W8 ? 512 : 256, ld = MAX_TILES * ITH_TILE_ROWS;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)groups);
    wide_group weights[STRETCH] __attribute__((aligned(64)));
    float waiting[ITH_PANEL_TOKENS * MAX_TILES * ITH_TILE_ROWS] __attribute__((aligned(64)));

    for (int64_t g = 0; g < groups; g += STRETCH) {
        const bool last = groups - g <= STRETCH;
        const int64_t n = last ? groups - g : STRETCH, next = last ? 0 : g + n;
        const char *next_tile = (const char *)tile + (last ? (size_t)tiles * tile_bytes : 0);
        wide_job job = {.weights = weights,
                        .groups = n,
                        .ld_from = ld,
                        .ld_to = last ? ld_out : ld,
                        .next_quants = next_tile + next * group_bytes,
                        .next_scales = next_tile + groups * group_bytes + next * ITH_TILE_ROWS * 2,
                        .tile_bytes = tile_bytes};
        for (int64_t k = 0; k < n; k++)
            EACH_TILE widen(layout, tile + i * tile_bytes, groups, g + k, i, &weights[k]);
        for (int64_t b = 0, t = 0; b < blocks; b++) {
            const int count = (int)(size + (b < larger));
            const operands x = operands_at(layout, acts, first + t, g);
            job.from = g > 0 ? waiting + t * ld : NULL;
            job.to = last ? out + (first + t) * ld_out : waiting + t * ld;
            job.call = b * CALLED < group_bytes;
            wide_tokens(layout, tiles, count, &job, &x);
            job.next_quants += n * CALLED;
            t += count;
        }
    }
}

ITH_INLINE void gemm_panels(const ith_layout layout, int64_t n_tiles, int64_t n_tokens,
                            const void *tiles, const ith_acts *acts, float *out, int64_t ld_out)
{
    const uint8_t *weights = tiles;
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups);
    const int64_t panels = (n_tokens + ITH_PANEL_TOKENS - 1) / ITH_PANEL_TOKENS;

    for (int64_t p = 0, first = 0; p < panels; p++) {
        const int64_t count = n_tokens / panels + (p < n_tokens % panels);
        int64_t i = 0;
        for (; i + 2 <= n_tiles; i += 2)
            wide_panel(layout, 2, count, weights + (size_t)i * tile_bytes, acts, first,
                       out + i * ITH_TILE_ROWS, ld_out);
        if (i < n_tiles)
            wide_panel(layout, 1, count, weights + (size_t)i * tile_bytes, acts, first,
                       out + i * ITH_TILE_ROWS, ld_out);
        first += count;
    }
}

#endif
