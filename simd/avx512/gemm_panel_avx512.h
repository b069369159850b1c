/* gemm_panel_avx512.h - products with many tokens by vpdpbusd: weights are widened once and then
 * used for all tokens of a panel.
 *
 * STRETCH groups of two tiles are widened to bytes and f32 scales, in a buffer that stays in the
 * first-level cache while the tokens of the panel are multiplied, eight at a time, or six where a
 * group has two runs. The 2 x 8 integer sums fill half of the registers. Of the 2 x 8 float sums,
 * which are used once per group, gcc keeps some in memory; this costs less than a smaller register
 * tile. A group needs 8 vpdpbusd and 2 float operations per tile and token, on the same two ports,
 * so 8/10 of the integer peak is the bound. With two runs the float sums are used twice as often,
 * and 2 x 6 of both kinds stay in registers. Between stretches the float sums are kept in a buffer
 * of their own: the rows of `out` may be a power of two apart and share a few cache sets.
 */
#ifndef ITH_SIMD_AVX512_GEMM_PANEL_H
#define ITH_SIMD_AVX512_GEMM_PANEL_H

#include "simd/avx512bw/gemm_frame_avx512.h"

enum {
    STRETCH = 16, /* groups: 18 to 20 KiB of bytes and scales */
    CALLED = 128  /* bytes of a tile's blocks prefetched with each group: the pace of memory */
};

/* The layouts become one of five forms, each called by one of its layouts: w8, w4, w4m, q6_k and
 * q2_k. What differs is the zero point, the runs, and whether there are minima. */
ITH_INLINE ith_layout wide_form(const ith_layout layout)
{
    if (ith_tile_forms[layout].runs == 2)
        return ith_tile_has_minima(layout) ? ITH_Q2_K : ITH_Q6_K;
    if (ith_tile_has_minima(layout))
        return ITH_W4M;
    return layout == ITH_W4 ? ITH_W4 : ITH_W8;
}

typedef struct wide_group {
    uint8_t quants[QUADS][MAX_TILES][64]; /* columns 4j..4j+3 of the rows, as in w8 */
    /* Scales of each run, then minima of each; q2_k alone has all four. */
    float numbers[4][MAX_TILES][ITH_TILE_ROWS];
} wide_group;

ITH_INLINE int64_t wide_bytes(const ith_layout form)
{
    return form == ITH_Q2_K ? sizeof(wide_group) : offsetof(wide_group, numbers[2]);
}

ITH_INLINE const wide_group *next_wide(const ith_layout form, const wide_group *w)
{
    return (const wide_group *)(const void *)((const char *)w + wide_bytes(form));
}

/* Where a block of tokens finds its weights, and where its sums start from and go to. */
typedef struct wide_job {
    const wide_group *weights;
    int64_t groups;
    const float *from; /* NULL: the sums start from 0 */
    float *to;
    int64_t ld_from, ld_to;
    /* Of the first tile in the next stretch, to be prefetched if `call`. */
    const char *next_blocks, *next_scales;
    int64_t scales_step; /* bytes of scales of a group, on average, */
    int64_t to_minima;   /* and from them to the minima, if there are any */
    size_t tile_bytes;
    bool call;
} wide_job;

/* Widens group g of a tile into tile i of `to`. */
ITH_INLINE void widen(const ith_layout layout, const uint8_t *tile, int64_t groups, int64_t g,
                      const int i, wide_group *to)
{
    const uint8_t *group = tile + ith_tile_quants_at(layout, g);
    const uint8_t *small = tile + ith_tile_small_at(layout, g);
    const uint8_t *d = tile + ith_tile_d_at(layout, groups, g);
    const int runs = ith_tile_forms[layout].runs;

#pragma GCC unroll 8
    for (int k = 0; k < QUADS; k++) {
        const int j = layout == ITH_W8 ? k : k / 2 + k % 2 * 4;
        _mm512_store_si512(to->quants[j][i], biased_quad(layout, group, j));
    }
#pragma GCC unroll 2
    for (int run = 0; run < runs; run++) {
        _mm512_store_ps(to->numbers[run][i], scale_of(layout, load_d(layout, d), small, run));
        if (ith_tile_has_minima(layout)) {
            const __m512 m = load_m(d + ith_tile_d_to_m(layout, groups));
            _mm512_store_ps(to->numbers[runs + run][i], min_of(layout, m, small, run));
        }
    }
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
ITH_INLINE void call_next(const ith_layout form, const int tiles, const wide_job *job, int64_t k)
{
    EACH_TILE
    {
        const char *blocks = job->next_blocks + i * job->tile_bytes + k * CALLED;
        const char *scales = job->next_scales + i * job->tile_bytes + k * job->scales_step;
        ith_fetch_l2(blocks);
        ith_fetch_l2(blocks + 64);
        ith_fetch_l2(scales);
        if (ith_tile_has_minima(form))
            ith_fetch_l2(scales + job->to_minima);
    }
}

/* A run of a group: integer products of the tiles and tokens, added to the float sums. x: operands
 * from the group on. */
ITH_INLINE void wide_run(const ith_layout form, const int tiles, const int tokens, const int run,
                         const wide_group *w, const operands *x, const pitch *rows,
                         const pitch *singles, const pitch *starts, sums_t acc)
{
    const int runs = ith_tile_forms[form].runs, n = QUADS / runs;
    dots_t dots;

    EACH_TOKEN
    {
        const int32_t *start = token(x->starts + run, starts, t);
        EACH_TILE dots[i][t] = _mm512_set1_epi32(ith_tile_has_minima(form) ? ITH_START : *start);
    }
#pragma GCC unroll 8
    for (int j = run * n; j < (run + 1) * n; j++) {
        __m512i v[MAX_TILES];
        EACH_TILE v[i] = _mm512_load_si512(w->quants[j][i]);
        EACH_TOKEN
        {
            const __m512i a = broadcast_quad((const int8_t *)token(x->quants, rows, t) + 4 * j);
            EACH_TILE add_dots(&dots[i][t], v[i], a);
        }
    }
    EACH_TOKEN
    {
        const __m512 scale = broadcast_token(x->scales, singles, t);
        const __m512 shift = broadcast_token(x->shifts, singles, t);
        EACH_TILE
        {
            const __m512 scaled = _mm512_fmadd_ps(_mm512_castsi512_ps(dots[i][t]), scale, shift);
            acc[i][t] = _mm512_fmadd_ps(scaled, _mm512_load_ps(w->numbers[run][i]), acc[i][t]);
        }
        if (ith_tile_has_minima(form)) {
            const __m512 sum = runs == 2 ? half_sum(token(x->starts + run, starts, t),
                                                    token(x->scales, singles, t))
                                         : broadcast_token(x->sums, singles, t);
            EACH_TILE acc[i][t] =
                _mm512_fmadd_ps(_mm512_load_ps(w->numbers[runs + run][i]), sum, acc[i][t]);
        }
    }
}

/* `tiles` tiles times `tokens` tokens over the groups of a stretch. first: operands from the first
 * group of the stretch of the first token of the block on. */
ITH_INLINE void wide_block(const ith_layout form, const int tiles, const int tokens,
                           const wide_job *job, const operands *first)
{
    const int runs = ith_tile_forms[form].runs;
    const pitch rows = pitch_of(first->groups * ITH_GROUP), singles = pitch_of(first->groups * 4);
    const pitch starts = runs == 2 ? pitch_of(first->groups * 8) : singles;
    const wide_group *w = job->weights;
    operands x = *first;
    sums_t acc;

    EACH_TOKEN EACH_TILE acc[i][t] =
        job->from ? _mm512_loadu_ps(job->from + t * job->ld_from + i * ITH_TILE_ROWS)
                  : _mm512_setzero_ps();
    for (int64_t k = 0; k < job->groups; k++, w = next_wide(form, w)) {
        if (job->call)
            call_next(form, tiles, job, k);
#pragma GCC unroll 2
        for (int run = 0; run < runs; run++)
            wide_run(form, tiles, tokens, run, w, &x, &rows, &singles, &starts, acc);
        x.quants += ITH_GROUP;
        x.starts += runs;
        x.scales++;
        x.shifts++;
        x.sums++;
    }
    EACH_TOKEN EACH_TILE _mm512_storeu_ps(job->to + t * job->ld_to + i * ITH_TILE_ROWS, acc[i][t]);
}

/* Tokens of the largest block. */
ITH_INLINE int wide_most(const ith_layout form)
{
    return ith_tile_forms[form].runs == 2 ? 6 : MAX_TOKENS;
}

/* Keeps blocks that never occur from being compiled. More tokens than `most` in blocks of almost
 * equal size have no block smaller than half of it; nor have the tokens that are too many for
 * gemm_direct. */
#define WITHIN(n) ((n) > most ? most : (n) < most / 2 ? most / 2 : (n))

/* wide_block for a number of tokens known at run time. */
ITH_INLINE void wide_tokens(const ith_layout form, const int tiles, int tokens, const wide_job *job,
                            const operands *x)
{
    const int most = wide_most(form);
    switch (tokens) {
    case 3:
        wide_block(form, tiles, WITHIN(3), job, x);
        break;
    case 4:
        wide_block(form, tiles, WITHIN(4), job, x);
        break;
    case 5:
        wide_block(form, tiles, WITHIN(5), job, x);
        break;
    case 6:
        wide_block(form, tiles, WITHIN(6), job, x);
        break;
    case 7:
        wide_block(form, tiles, WITHIN(7), job, x);
        break;
    default:
        wide_block(form, tiles, most, job, x);
    }
}

/* Of each form one function, which its layouts share. */
#define WIDE(form, name)                                                                           \
    static __attribute__((noinline)) void name(int tiles, int tokens, const wide_job *job,         \
                                               const operands *x)                                  \
    {                                                                                              \
        if (tiles == 2)                                                                            \
            wide_tokens(form, 2, tokens, job, x);                                                  \
        else                                                                                       \
            wide_tokens(form, 1, tokens, job, x);                                                  \
    }
WIDE(ITH_W8, wide_w8)
WIDE(ITH_W4, wide_w4)
WIDE(ITH_W4M, wide_w4m)
WIDE(ITH_Q6_K, wide_q6_k)
WIDE(ITH_Q2_K, wide_q2_k)

ITH_INLINE void wide_call(const ith_layout form, int tiles, int tokens, const wide_job *job,
                          const operands *x)
{
    (form == ITH_W8     ? wide_w8
     : form == ITH_W4   ? wide_w4
     : form == ITH_W4M  ? wide_w4m
     : form == ITH_Q6_K ? wide_q6_k
                        : wide_q2_k)(tiles, tokens, job, x);
}

/* Widens groups [g, g + n) of the tiles. */
ITH_INLINE void widen_stretch(const ith_layout layout, const int tiles, const uint8_t *tile,
                              int64_t groups, int64_t g, int64_t n, wide_group *weights)
{
    const size_t tile_bytes = ith_tile_bytes(layout, (size_t)groups);
    char *to = (char *)weights;

    for (int64_t k = 0; k < n; k++, to += wide_bytes(wide_form(layout)))
        EACH_TILE widen(layout, tile + i * tile_bytes, groups, g + k, i, (wide_group *)(void *)to);
}

/* `tiles` tiles times the panel of tokens from `first` on.
 * MAX_TOKENS / 2 < n_tokens <= ITH_PANEL_TOKENS. */
ITH_INLINE void wide_panel(const ith_layout layout, const int tiles, int64_t n_tokens,
                           const uint8_t *tile, const ith_acts *acts, int64_t first, float *out,
                           int64_t ld_out)
{
    const ith_layout form = wide_form(layout);
    const int64_t groups = acts->groups;
    const int64_t blocks = (n_tokens + wide_most(form) - 1) / wide_most(form);
    const int64_t size = n_tokens / blocks, larger = n_tokens % blocks;
    const int64_t group_bytes = ith_tile_group_bytes(layout), ld = MAX_TILES * ITH_TILE_ROWS;
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
                        .next_blocks = next_tile + next * group_bytes,
                        .next_scales = next_tile + ith_tile_d_at(layout, groups, next),
                        .scales_step = ith_tile_d_bytes(layout) / ith_tile_block(layout),
                        .to_minima = ith_tile_d_to_m(layout, groups),
                        .tile_bytes = tile_bytes};
        widen_stretch(layout, tiles, tile, groups, g, n, weights);
        for (int64_t b = 0, t = 0; b < blocks; b++) {
            const int count = (int)(size + (b < larger));
            const operands x = operands_at(layout, acts, first + t, g);
            job.from = g > 0 ? waiting + t * ld : NULL;
            job.to = last ? out + (first + t) * ld_out : waiting + t * ld;
            job.call = b * CALLED < group_bytes;
            wide_call(form, tiles, count, &job, &x);
            job.next_blocks += n * CALLED;
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
