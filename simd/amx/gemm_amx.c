/* gemm_amx.c - quantized products of many tokens by AMX.
 *
 * Two tiles of weights and up to 16 tokens are multiplied a group of 32 columns at a time, since
 * each group has scales of its own: the tokens' quants are rows of the first operand, weights as
 * `bytes` in simd/kernels.h are the second as they are. What costs is not the products but what
 * follows them: the integer sums are stored, converted, scaled and added, three operations for
 * sixteen sums. So the products of CHUNK groups are made at a time, two groups a step, and between
 * the steps the sums of the chunk before are added up; a float sum is loaded and stored once a
 * chunk.
 *
 * Quants and scales of a stretch of columns are copied for all tokens, in the order in which they
 * are read: rows of activations may be a power of two apart and share a few cache sets. So that
 * this is worth while, a stretch meets several pairs of tiles before the next. Weights are widened
 * to signed bytes for all tokens of a panel.
 *
 * Few tokens, an odd last tile and layouts whose scales count for 16 columns stay with the level
 * below.
 */
#include "simd/amx/tiles_amx.h"
#include "simd/avx512bw/unpack_avx512.h"
#include "simd/variants.h"

enum {
    FEW_TOKENS = 8,   /* of which the level below is faster */
    TILE_TOKENS = 16, /* at most, in a tile of the first operand: a multiple of AT_ONCE */
    AT_ONCE = 4,      /* tokens whose sums are in registers */
    STRETCH = 16,     /* groups: 18 KiB of weights and scales */
    CHUNK = 4,        /* groups whose sums wait together */
    PAIRS = 8,        /* of tiles that a stretch meets before the next */
    PANEL = ITH_PANEL_TOKENS / TILE_TOKENS, /* tiles of tokens */
    WIDE = MAX_TILES * ITH_TILE_ROWS
};

/* A stretch of up to sixteen tokens, zeros in rows not in use. */
typedef struct tokens_stretch {
    int8_t quants[STRETCH][TILE_TOKENS][ITH_GROUP];
    float scales[TILE_TOKENS][STRETCH], sums[TILE_TOKENS][STRETCH];
} tokens_stretch;

/* A stretch of two tiles of weights. */
typedef struct weights_stretch {
    int8_t quants[STRETCH][MAX_TILES][QUADS][64];
    float scales[STRETCH][MAX_TILES][ITH_TILE_ROWS], minima[STRETCH][MAX_TILES][ITH_TILE_ROWS];
} weights_stretch;

typedef int32_t dots_t[CHUNK][MAX_TILES][TILE_TOKENS][ITH_TILE_ROWS];

typedef struct panel {
    tokens_stretch tokens[PANEL];
    weights_stretch weights;
    dots_t dots[2];
    float sums[PAIRS][PANEL][TILE_TOKENS][WIDE];
} __attribute__((aligned(64))) panel;

/* Widens n groups from g on of a tile into tile i. */
typedef void widen_fn(const uint8_t *tile, int64_t groups, int64_t g, int64_t n, int i,
                      weights_stretch *to);

/* What a call is about. */
typedef struct product {
    ith_layout layout;
    widen_fn *widen;
    const ith_acts *acts;
    size_t tile_bytes;
    int64_t ld_out;
    int size, rows; /* tokens of a tile, and its rows: `size` rounded up to AT_ONCE */
    int blocks;     /* tiles of tokens in the panel */
    int64_t tokens; /* in the panel, */
    int64_t first;  /* from this one on */
} product;

/* ---- Operands ---- */

/* Columns 4j..4j+3 of a group: what the quants mean. */
ITH_INLINE __m512i signed_quad(const ith_layout layout, const uint8_t *group, const int j)
{
    const __m512i u = stored_quad(layout, group, j);
    const int zero = layout == ITH_W8 ? 128 : layout == ITH_W4 ? 8 : layout == ITH_Q5_0 ? 16 : 0;
    if (ith_tile_has_table(layout))
        return _mm512_xor_si512(look_up(layout, u), _mm512_set1_epi8((char)0x80));
    return zero > 0 ? _mm512_sub_epi8(u, _mm512_set1_epi8((char)zero)) : u;
}

ITH_INLINE void widen(const ith_layout layout, const uint8_t *tile, int64_t groups, int64_t first,
                      int64_t n, int i, weights_stretch *to)
{
    for (int64_t k = 0; k < n; k++) {
        const int64_t g = first + k;
        const uint8_t *group = tile + ith_tile_quants_at(layout, g);
        const uint8_t *small = tile + ith_tile_small_at(layout, g);
        const uint8_t *d = tile + ith_tile_d_at(layout, groups, g);
#pragma GCC unroll 8
        for (int j = 0; j < QUADS; j++)
            _mm512_store_si512(to->quants[k][i][j], signed_quad(layout, group, j));
        _mm512_store_ps(to->scales[k][i], scale_of(layout, load_d(layout, d), small, 0));
        if (ith_tile_has_minima(layout)) {
            const __m512 m = load_m(d + ith_tile_d_to_m(layout, groups));
            _mm512_store_ps(to->minima[k][i], min_of(layout, m, small, 0));
        }
    }
}

/* Copies n groups from g on of the tokens of a tile. */
static void take_tokens(const product *p, int64_t block, int64_t g, int64_t n, tokens_stretch *to)
{
    const __mmask16 used = first_lanes(n);
    for (int t = 0; t < p->rows; t++) {
        const int64_t token = block * p->size + t;
        const bool some = t < p->size && token < p->tokens;
        const int64_t at = (p->first + (some ? token : 0)) * p->acts->groups + g;
        const __mmask16 keep = some ? used : 0;
        const __m256i *quants = (const __m256i *)(const void *)(p->acts->quants + at * ITH_GROUP);
        for (int64_t k = 0; k < n; k++)
            _mm256_store_si256((__m256i *)(void *)to->quants[k][t],
                               some ? _mm256_loadu_si256(quants + k) : _mm256_setzero_si256());
        _mm512_store_ps(to->scales[t], _mm512_maskz_loadu_ps(keep, p->acts->scales + at));
        _mm512_store_ps(to->sums[t], _mm512_maskz_loadu_ps(keep, p->acts->sums + at));
    }
}

/* Prefetches share `turn` of `turns` of the n groups from g on of two tiles. */
static void call_weights(const product *p, const uint8_t *tile, int64_t g, int64_t n, int turn,
                         int turns)
{
    const int64_t groups = p->acts->groups, quants = ith_tile_quants_at(p->layout, g),
                  bytes = n * ith_tile_group_bytes(p->layout),
                  d = ith_tile_d_at(p->layout, groups, g),
                  d_bytes = ith_tile_d_at(p->layout, groups, g + n - 1) - d + 64;
    for (int i = 0; i < MAX_TILES; i++, tile += p->tile_bytes) {
        for (int64_t at = bytes * turn / turns; at < bytes * (turn + 1) / turns; at += 64)
            ith_fetch_l2(tile + quants + at);
        for (int64_t at = 0; turn == 0 && at < d_bytes; at += 64) {
            ith_fetch_l2(tile + d + at);
            if (ith_tile_has_minima(p->layout))
                ith_fetch_l2(tile + d + at + ith_tile_d_to_m(p->layout, groups));
        }
    }
}

/* ---- Products ---- */

/* The products of groups k and k + 1 of the stretch: 2 tiles of weights each. `two`: of both. */
ITH_INLINE void multiply(const bool two, const tokens_stretch *x, const weights_stretch *w,
                         int64_t k)
{
    tile_zero(0);
    tile_zero(1);
    tile_load(4, x->quants[k], ITH_GROUP);
    tile_load(6, w->quants[k][0], 64);
    tile_add_ss(0, 4, 6);
    tile_load(7, w->quants[k][1], 64);
    tile_add_ss(1, 4, 7);
    if (!two)
        return;
    tile_zero(2);
    tile_zero(3);
    tile_load(5, x->quants[k + 1], ITH_GROUP);
    tile_load(6, w->quants[k + 1][0], 64);
    tile_add_ss(2, 5, 6);
    tile_load(7, w->quants[k + 1][1], 64);
    tile_add_ss(3, 5, 7);
}

/* Stores them as groups i and i + 1 of a chunk. */
ITH_INLINE void store_dots(const bool two, dots_t dots, int i)
{
    tile_store(0, dots[i][0], 64);
    tile_store(1, dots[i][1], 64);
    if (!two)
        return;
    tile_store(2, dots[i + 1][0], 64);
    tile_store(3, dots[i + 1][1], 64);
}

/* Adds n groups, a constant, to the float sums of tokens [from, to). k: the first of them in the
 * stretch. */
ITH_INLINE void fold_groups(const int n, const bool minima, const dots_t dots,
                            const tokens_stretch *x, const weights_stretch *w, int64_t k, int from,
                            int to, float (*sums)[WIDE])
{
    const __m512 zero = _mm512_setzero_ps();
    const int tiles = MAX_TILES, tokens = AT_ONCE;
    __m512 scale[CHUNK][MAX_TILES];
#pragma GCC unroll 4
    for (int c = 0; c < n; c++)
        EACH_TILE scale[c][i] = _mm512_load_ps(w->scales[k + c][i]);
    for (int at = from; at < to; at += AT_ONCE) {
        __m512 acc[AT_ONCE][MAX_TILES];
        EACH_TOKEN EACH_TILE acc[t][i] = _mm512_load_ps(sums[at + t] + i * ITH_TILE_ROWS);
#pragma GCC unroll 4
        for (int c = 0; c < n; c++)
            EACH_TOKEN
            {
                const __m512 by = _mm512_set1_ps(x->scales[at + t][k + c]);
                EACH_TILE
                {
                    const __m512 dot = _mm512_cvtepi32_ps(_mm512_load_si512(dots[c][i][at + t]));
                    /* + 0: a scale of 0 makes no -0. */
                    acc[t][i] =
                        _mm512_fmadd_ps(_mm512_fmadd_ps(dot, by, zero), scale[c][i], acc[t][i]);
                    if (minima)
                        acc[t][i] =
                            _mm512_fmadd_ps(_mm512_load_ps(w->minima[k + c][i]),
                                            _mm512_set1_ps(x->sums[at + t][k + c]), acc[t][i]);
                }
            }
        EACH_TOKEN EACH_TILE _mm512_store_ps(sums[at + t] + i * ITH_TILE_ROWS, acc[t][i]);
    }
}

ITH_INLINE void fold(const bool minima, int64_t n, const dots_t dots, const tokens_stretch *x,
                     const weights_stretch *w, int64_t k, int from, int to, float (*sums)[WIDE])
{
    if (n == CHUNK)
        fold_groups(CHUNK, minima, dots, x, w, k, from, to, sums);
    else
        for (int64_t c = 0; c < n; c++)
            fold_groups(1, minima, dots + c, x, w, k + c, from, to, sums);
}

/* Two tiles of weights times a tile of tokens over a stretch of n groups. */
ITH_INLINE void multiply_stretch(const bool minima, int rows, int64_t n, const tokens_stretch *x,
                                 const weights_stretch *w, dots_t dots[2], float (*sums)[WIDE])
{
    const int half = (rows / 2 + AT_ONCE - 1) / AT_ONCE * AT_ONCE;
    for (int64_t k = 0; k < n + CHUNK; k += CHUNK) {
        const int64_t before = k == 0 ? 0 : n - (k - CHUNK) < CHUNK ? n - (k - CHUNK) : CHUNK;
        dots_t *to = &dots[k / CHUNK % 2];
        const int32_t(*old)[MAX_TILES][TILE_TOKENS][ITH_TILE_ROWS] =
            (const void *)dots[1 - k / CHUNK % 2];
#pragma GCC unroll 2
        for (int step = 0; step < 2; step++) {
            const int64_t g = k + 2 * step;
            if (g < n)
                multiply(g + 1 < n, x, w, g);
            fold(minima, before, old, x, w, k - CHUNK, step == 0 ? 0 : half,
                 step == 0 ? half : rows, sums);
            if (g < n)
                store_dots(g + 1 < n, *to, 2 * step);
        }
    }
}

/* Each with a loop of its own. */
static __attribute__((noinline)) void stretch_plain(int rows, int64_t n, const tokens_stretch *x,
                                                    const weights_stretch *w, dots_t dots[2],
                                                    float (*sums)[WIDE])
{
    multiply_stretch(false, rows, n, x, w, dots, sums);
}
static __attribute__((noinline)) void stretch_minima(int rows, int64_t n, const tokens_stretch *x,
                                                     const weights_stretch *w, dots_t dots[2],
                                                     float (*sums)[WIDE])
{
    multiply_stretch(true, rows, n, x, w, dots, sums);
}

/* ---- Panels ---- */

static void put_out(const product *p, float (*sums)[TILE_TOKENS][WIDE], float *out)
{
    for (int64_t t = 0; t < p->tokens; t++) {
        const float *from = sums[t / p->size][t % p->size];
        float *to = out + (p->first + t) * p->ld_out;
        _mm512_storeu_ps(to, _mm512_load_ps(from));
        _mm512_storeu_ps(to + ITH_TILE_ROWS, _mm512_load_ps(from + ITH_TILE_ROWS));
    }
}

/* The tokens of a panel times a pair of tiles over a stretch. next: what is multiplied then. */
static void multiply_pair(const product *p, panel *b, const uint8_t *tile, int64_t g, int64_t n,
                          float (*sums)[TILE_TOKENS][WIDE], const uint8_t *next, int64_t next_g)
{
    const int64_t left = p->acts->groups - next_g, next_n = left < STRETCH ? left : STRETCH;
    for (int i = 0; i < MAX_TILES; i++)
        p->widen(tile + (size_t)i * p->tile_bytes, p->acts->groups, g, n, i, &b->weights);
    if (g == 0)
        memset(sums, 0, (size_t)p->blocks * sizeof *sums);
    for (int m = 0; m < p->blocks; m++) {
        if (next)
            call_weights(p, next, next_g, next_n, m, p->blocks);
        (ith_tile_has_minima(p->layout) ? stretch_minima : stretch_plain)(
            p->rows, n, &b->tokens[m], &b->weights, b->dots, sums[m]);
    }
}

/* The tokens of a panel times up to PAIRS pairs of tiles. */
static void multiply_pairs(const product *p, panel *b, int pairs, const uint8_t *tiles, float *out)
{
    const int64_t groups = p->acts->groups;
    for (int64_t g = 0; g < groups; g += STRETCH) {
        const int64_t n = groups - g < STRETCH ? groups - g : STRETCH;
        for (int m = 0; m < p->blocks; m++)
            take_tokens(p, m, g, n, &b->tokens[m]);
        for (int i = 0; i < pairs; i++) {
            const bool same = i + 1 < pairs;
            const uint8_t *tile = tiles + (size_t)(2 * i) * p->tile_bytes;
            const uint8_t *next = same                   ? tile + 2 * p->tile_bytes
                                  : g + STRETCH < groups ? tiles
                                                         : NULL;
            multiply_pair(p, b, tile, g, n, b->sums[i], next, same ? g : g + STRETCH);
        }
    }
    for (int i = 0; i < pairs; i++)
        put_out(p, b->sums[i], out + i * WIDE);
}

static void configure(int rows)
{
    tile_shapes shapes = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shapes.rows[i] = (uint8_t)(i < 6 ? rows : QUADS);
        shapes.row_bytes[i] = i == 4 || i == 5 ? ITH_GROUP : 64;
    }
    tile_configure(&shapes);
}

/* Pairs of tiles times the panel of p. */
static void multiply_panel(product *p, int64_t n_pairs, const uint8_t *tiles, float *out)
{
    panel b;
    p->blocks = (int)((p->tokens + TILE_TOKENS - 1) / TILE_TOKENS);
    p->size = (int)((p->tokens + p->blocks - 1) / p->blocks);
    p->rows = (p->size + AT_ONCE - 1) / AT_ONCE * AT_ONCE;
    configure(p->rows);
    for (int64_t i = 0; i < n_pairs; i += PAIRS)
        multiply_pairs(p, &b, (int)(n_pairs - i < PAIRS ? n_pairs - i : PAIRS),
                       tiles + (size_t)(2 * i) * p->tile_bytes, out + i * WIDE);
}

static void gemm(ith_layout layout, widen_fn *widen_layout, ith_gemm_fn *below, int64_t n_tiles,
                 int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out,
                 int64_t ld_out)
{
    const int64_t pairs = n_tokens > FEW_TOKENS ? n_tiles / 2 : 0,
                  panels = (n_tokens + ITH_PANEL_TOKENS - 1) / ITH_PANEL_TOKENS;
    product p = {.layout = layout,
                 .widen = widen_layout,
                 .acts = acts,
                 .tile_bytes = ith_tile_bytes(layout, (size_t)acts->groups),
                 .ld_out = ld_out};

    for (int64_t i = 0; pairs > 0 && i < panels; i++, p.first += p.tokens) {
        p.tokens = n_tokens / panels + (i < n_tokens % panels);
        multiply_panel(&p, pairs, tiles, out);
    }
    if (n_tiles > 2 * pairs)
        below(n_tiles - 2 * pairs, n_tokens,
              (const uint8_t *)tiles + (size_t)(2 * pairs) * p.tile_bytes, acts, out + pairs * WIDE,
              ld_out);
}

#define PRODUCT(constant, name)                                                                    \
    static void widen_##name(const uint8_t *tile, int64_t groups, int64_t g, int64_t n, int i,     \
                             weights_stretch *to)                                                  \
    {                                                                                              \
        widen(ITH_##constant, tile, groups, g, n, i, to);                                          \
    }                                                                                              \
    void ITH_TILES(ith_gemm_##name)(int64_t n_tiles, int64_t n_tokens, const void *tiles,          \
                                    const ith_acts *acts, float *out, int64_t ld_out)              \
    {                                                                                              \
        gemm(ITH_##constant, widen_##name, ith_gemm_##name##__avx512, n_tiles, n_tokens, tiles,    \
             acts, out, ld_out);                                                                   \
    }
PRODUCT(W8, w8)
PRODUCT(W4, w4)
PRODUCT(W4M, w4m)
PRODUCT(Q5_0, q5_0)
PRODUCT(Q5_1, q5_1)
PRODUCT(Q4_K, q4_k)
PRODUCT(Q5_K, q5_k)
PRODUCT(IQ4_NL, iq4_nl)
PRODUCT(IQ4_XS, iq4_xs)
PRODUCT(MXFP4, mxfp4)
