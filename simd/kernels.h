/* kernels.h - the arithmetic of Ithaca: what every kernel computes, to the bit.
 *
 * Kernels are single-threaded functions on the caller's buffers. They do not allocate, print, start
 * threads or keep state, and simd/ depends on no other room.
 *
 * ith_kernels_get() returns a table of function pointers. Each instruction-set level (levels.inc)
 * has such a table: the scalar reference in ref/, overwritten by the variants of the levels up to
 * it. The CPU decides which level is used; the environment variable ITHACA_SIMD=NAME caps it.
 *
 * Contract
 *
 * Every variant of a kernel returns exactly the bits of the reference. This header therefore fixes
 * the order of every float operation. It writes
 *
 *   fma(a, b, c)   a * b + c, rounded once
 *   + - * /        an IEEE 754 binary32 operation, rounded to nearest even, never contracted
 *                  (-ffp-contract=off)
 *   rne(x)         x rounded to the nearest integer, ties to even
 *   a / x, finite  a / x limited to FLT_MAX, and 0 for x = 0: even a subnormal scale has an inverse
 *   clamped        the nearest number of the interval (or limited), and NaN for NaN
 *   lanes16(e)     sixteen partial results l[0..15], to which element i contributes in lane i % 16
 *                  in order of ascending i, summed by a fixed tree: l[j] += l[j + 8] for j < 8,
 *                  l[j] += l[j + 4] for j < 4, l[j] += l[j + 2] for j < 2, and last l[0] + l[1]
 *
 * Every maximum that a kernel returns has +0.0f added, so it is never -0.
 *
 * NaN and infinity
 *
 * They never give a fault. Formulas take them as IEEE 754 has it, so that a NaN among the operands
 * of a result makes it NaN, of any sign and payload, and changes no other. A kernel that has it
 * otherwise says so. Products of quantized weights and attention want finite scales and queries;
 * what they make of others is unspecified.
 *
 * An infinity gives what the formula gives, the same on all levels. Where that is a finite number,
 * nobody sees it later: behind a clamp (swiglu, softcap, sigmoid_mul, exponential), of -INFINITY
 * behind softplus and relu2, and behind a norm (rmsnorm: 0, but for the infinity itself, which
 * becomes NaN). Callers look for infinities before those (base/finite.h).
 *
 * Memory
 *
 * A kernel reads and writes exactly the elements that its contract names, and none past them. The
 * first weight tile and KV segments are 64-byte aligned (the size of a tile is a multiple of 32
 * bytes only); activations and outputs have the alignment of their elements.
 */
#ifndef ITH_SIMD_KERNELS_H
#define ITH_SIMD_KERNELS_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Options that let the compiler change results, -Ofast among them. (16: only _Float16 is wider.) */
#if defined __FAST_MATH__ || __FINITE_MATH_ONLY__ || defined __ASSOCIATIVE_MATH__ ||               \
    defined __RECIPROCAL_MATH__ || defined __NO_SIGNED_ZEROS__ ||                                  \
    (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16)
#error "Ithaca's results are defined to the bit: compile without -ffast-math and the like"
#endif

/* ---- Weight tiles ---------------------------------------------------------------------------- *
 *
 * A quantized matrix [rows, cols] is a sequence of tiles of 16 rows; cols is padded to groups of
 * 32. A tile holds, one after another: the blocks, a block for 1 or 8 groups; f16
 * scales d, 16 of each block, of rows 0..15; in layouts with minima, 16 f16 m of each block. (In
 * mxfp4 the scales are bytes e instead.) A block holds the quants of its groups, then the small
 * scales of its groups. layouts.inc has the sizes, tile.h the offsets.
 *
 *   layout    quants                                   block   weight
 *   w8        bytes q + 128                            1       d * q
 *   w4        nibbles u                                1       d * (u - 8)
 *   w4m       nibbles u                                1       d * u + m
 *   q5_0      nibbles, bits: u                         1       d * (u - 16)
 *   q5_1      nibbles, bits: u                         1       d * u + m
 *   q2_k      pairs u                                  8       d * (s & 15) * u - m * (s >> 4)
 *   q3_k      pairs, bits: u                           8       d * s * (u - 4)
 *   q4_k      nibbles u                                8       d * s * u - m * t
 *   q5_k      nibbles, bits: u                         8       d * s * u - m * t
 *   q6_k      nibbles, pairs: u                        8       d * s * (u - 32)
 *   iq4_nl    nibbles u                                1       d * iq4[u]
 *   iq4_xs    nibbles u                                8       d * s * iq4[u]
 *   mxfp4     nibbles u                                1       2^(e - 128) * fp4[u]
 *
 * The planes of a group's quants, in the order of the table; r in 0..15 is the row, b in 0..3:
 *
 *   bytes     512. At 64j + 4r + b: column 4j + b, for j in 0..7
 *   nibbles   256. At 64j + 4r + b: the low nibble is column 4j + b, the high one column
 *             16 + 4j + b, for j in 0..3
 *   pairs     128. At 64i + 4r + b: bits 2k and 2k + 1 are column 4(2k + i) + b, for i in 0..1 and
 *             k in 0..3. If other planes hold the lower bits, these are the two highest
 *   bits      64. At 4r + b: bit j is column 4j + b, for j in 0..7, the highest bit of its quant
 *
 * The small scales of a group are 32 bytes, 16 in iq4_xs. q4_k, q5_k: s [16], then t [16], both
 * unsigned. q2_k: s [2][16], unsigned, for columns 0..15 and 16..31; q3_k, q6_k: the same, signed.
 * iq4_xs: s [16], signed.
 *
 * A scale counts for a run of columns: 32 of them, but 16 in q2_k, q3_k and q6_k. Whatever the
 * layout, the scale of a run, scale_w, is d, or d * s, and its minimum, min_w, is m, or -(m * t):
 * products of an f16 and a byte, which are exact.
 *
 * Padding rows and columns hold u8 = 128 in w8, and elsewhere any quants with d and m of 0; padding
 * rows of mxfp4 hold quants and e of 0. cols is a multiple of 256 where a block has 8 groups.
 *
 * Float tiles hold 16 rows of 32 * groups elements and nothing else:
 *
 *   bf16, f32t   column k of row r at 16k + r, as bf16 or f32
 *   f32          plain rows, one after another, for OpenBLAS on the exact path
 */
enum {
    ITH_TILE_ROWS = 16, /* rows interleaved in a tile: the int32 lanes of an AVX-512 register */
    ITH_GROUP = 32      /* columns that share a scale in activations, and the unit of tiles */
};

/* ITH_W8, ITH_W4, ... */
typedef enum ith_layout {
#define ITH_LAYOUT(constant, name, bytes, quantized) ITH_##constant,
#include "simd/layouts.inc"
    ITH_LAYOUTS
} ith_layout;

/* Bytes of one tile, rounded up to 64 so that tiles stay aligned one after another. */
static inline size_t ith_tile_bytes(ith_layout layout, size_t groups)
{
    static const uint16_t per_group[ITH_LAYOUTS] = {
#define ITH_LAYOUT(constant, name, bytes, quantized) [ITH_##constant] = bytes,
#include "simd/layouts.inc"
    };
    return (groups * per_group[layout] + 63) / 64 * 64;
}

/* "w8" */
static inline const char *ith_layout_name(ith_layout layout)
{
    static const char *const names[ITH_LAYOUTS] = {
#define ITH_LAYOUT(constant, name, bytes, quantized) [ITH_##constant] = #name,
#include "simd/layouts.inc"
    };
    return names[layout];
}

/* True if products with this layout take quantized activations. */
static inline bool ith_layout_is_quantized(ith_layout layout)
{
    static const bool is_quantized[ITH_LAYOUTS] = {
#define ITH_LAYOUT(constant, name, bytes, quantized) [ITH_##constant] = quantized,
#include "simd/layouts.inc"
    };
    return is_quantized[layout];
}

/* ---- Activations ----------------------------------------------------------------------------- *
 *
 * The right-hand side of a product, in the form that the layout of the weights calls for.
 *
 * Quantized activations are groups of 32 int8 that share a scale. An integer dot product idot with
 * |idot| < 2^22 is converted and scaled by one operation: the integer idot + ITH_START, its bits
 * read as a float, is exactly 1.5 * 2^23 + idot, and fma(that, scale, shift) with
 * shift = -1.5 * 2^23 * scale is idot * scale, rounded once. This requires shift to be exact, so
 * the two lowest mantissa bits of a scale are clear, and a scale is at most 2^104.
 */
enum { ITH_START = 0x4B400000 }; /* the bits of ITH_SHIFT = 1.5 * 2^23 */
#define ITH_SHIFT          12582912.0f
#define ITH_ACT_SCALE_MOST 0x1p104f

/* Activations of consecutive tokens. In the first four, row t of an array starts at t * groups (of
 * quants: at t * groups * 32). */
typedef struct ith_acts {
    /* For quantized layouts. */
    int8_t *quants;    /* [tokens][groups * 32], in [-127, 127] */
    float *scales;     /* [tokens][groups], >= +0 */
    float *shifts;     /* [tokens][groups]: -ITH_SHIFT * scale */
    float *sums;       /* [tokens][groups]: scale * (float)(sum of the group's quants) */
    int32_t *start8;   /* [tokens][groups]: ITH_START - 8 * that sum, for the zero point of w4 */
    int32_t *start128; /* [tokens][groups]: ITH_START - 128 * that sum, for the zero point of w8 */
    int32_t *half128; /* [tokens][2 * groups]: ITH_START - 128 * the sum of each half of the quants,
                          for layouts with two runs in a group */
    int64_t groups;
    /* For bf16 and f32t. */
    const float *x; /* [tokens][ld_x], of which the first n_cols of each row are read */
    int64_t ld_x, n_cols;
} ith_acts;

/* Fills in what follows from the scale of group `at` (token * groups + group) and the sums of its
 * first and last sixteen quants. */
static inline void ith_acts_derive(const ith_acts *acts, int64_t at, float scale, int32_t first,
                                   int32_t last)
{
    const int32_t sum = first + last;
    acts->scales[at] = scale;
    acts->shifts[at] = -ITH_SHIFT * scale;
    acts->sums[at] = scale * (float)sum;
    acts->start8[at] = ITH_START - 8 * sum;
    acts->start128[at] = ITH_START - 128 * sum;
    acts->half128[2 * at] = ITH_START - 128 * first;
    acts->half128[2 * at + 1] = ITH_START - 128 * last;
}

/* ---- KV segments ----------------------------------------------------------------------------- *
 *
 * The cache of one layer and KV head is cut into segments of 1,024 keys. A segment is 16 contiguous
 * blocks of 64 keys; block b starts at b * ith_kv_block_bytes(). With d = head_dim and dp = d
 * rounded up to 16, channels d..dp-1 hold zeros (u8 = 128 in the keys of q8).
 *
 *   q8         K   u8   [dp/4][64][4]  channel 4c + b of key j at (c * 64 + j) * 4 + b, as q + 128
 *              V   s8   [16][dp][4]    channel c of value 16b + i at (i * dp + c) * 4 + b
 *              ks  bf16 [64]           scales: key = ks * q, plus the constant that softmax ignores
 *              vs  bf16 [64]           scales: value = vs * v
 *   bf16, f32  K [dp][64], V [64][dp], elements of that type
 *
 * Keys of a block that are not yet written may hold anything. (Those before a window are written.)
 */
enum { ITH_KV_BLOCK = 64, ITH_KV_SEGMENT = 1024 };

/* ITH_KVL_Q8, ITH_KVL_BF16, ... */
typedef enum ith_kv_layout {
#define ITH_KV_LAYOUT(constant, name, element, scales) ITH_KVL_##constant,
#include "simd/layouts.inc"
    ITH_KV_LAYOUTS
} ith_kv_layout;

/* "q8" */
static inline const char *ith_kv_layout_name(ith_kv_layout layout)
{
    static const char *const names[ITH_KV_LAYOUTS] = {
#define ITH_KV_LAYOUT(constant, name, element, scales) [ITH_KVL_##constant] = #name,
#include "simd/layouts.inc"
    };
    return names[layout];
}

static inline size_t ith_kv_block_bytes(ith_kv_layout layout, int head_dim)
{
    size_t dp = ((size_t)head_dim + 15) / 16 * 16;
    switch (layout) {
#define ITH_KV_LAYOUT(constant, name, element, scales)                                             \
    case ITH_KVL_##constant:                                                                       \
        return ITH_KV_BLOCK * (2 * dp * element + scales);
#include "simd/layouts.inc"
    default:
        return 0;
    }
}

/* ---- Latent segments ------------------------------------------------------------------------- *
 *
 * Multi-head latent attention caches one vector for each token, which is key and value at once: the
 * value is the key's first v = value_dim channels, the latent; the others, its tail, hold the
 * position. v is a multiple of 32. A latent segment is 16 contiguous blocks of 64 such keys, of
 * ith_latent_block_bytes() each; d and dp as above.
 *
 *   q8         K   u8   [dp/4][64][4]  as above
 *              ks  bf16 [64]           scales of the latents
 *              ts  bf16 [64]           scales of the tails
 *   bf16, f32  K [dp][64]
 *
 * Attention reads values in another order than keys. The kernels latent_values put a segment's
 * values in it: a copy, [16] blocks of the V above with v in place of dp.
 */
static inline size_t ith_latent_block_bytes(ith_kv_layout layout, int head_dim)
{
    size_t dp = ((size_t)head_dim + 15) / 16 * 16;
    switch (layout) {
#define ITH_KV_LAYOUT(constant, name, element, scales)                                             \
    case ITH_KVL_##constant:                                                                       \
        return ITH_KV_BLOCK * (dp * element + scales);
#include "simd/layouts.inc"
    default:
        return 0;
    }
}

/* Bytes of a block's values in that copy. */
static inline size_t ith_latent_values_bytes(ith_kv_layout layout, int value_dim)
{
    switch (layout) {
#define ITH_KV_LAYOUT(constant, name, element, scales)                                             \
    case ITH_KVL_##constant:                                                                       \
        return ITH_KV_BLOCK * (size_t)value_dim * element;
#include "simd/layouts.inc"
    default:
        return 0;
    }
}

/* ---- Attention ------------------------------------------------------------------------------- *
 *
 * A call attends with `n_tokens` consecutive query tokens, each with `n_heads` query heads that
 * share one KV head, to one segment. Token t sees keys [b_t, n_t) of the segment, with
 * n_t = clamp(first_visible + t, 0, ITH_KV_SEGMENT) and b_t = clamp(first_visible + t - window, 0,
 * ITH_KV_SEGMENT), or 0 without a window. Row (t, h) of the outputs is t * n_heads + h.
 *
 * A row with b_t < n_t yields the segment's partial softmax in base 2. With
 * x_j = log2(e)/sqrt(d) * (q . k_j) that is m = max x_j (in q8 rounded up to an integer),
 * l = sum 2^(x_j - m) and o[c] = sum 2^(x_j - m) v_j[c]. Other rows yield m = -INFINITY and l = 0,
 * and their o is unspecified.
 *
 * To the bit: start from m = -INFINITY, L[0..15] = 0 and o[c] = 0, and go through the blocks b with
 * 64b < n_t and 64b + 64 > b_t in ascending order. A key is seen if its index is in [b_t, n_t).
 *
 * With a soft cap, cap > 0, every score x_j becomes cap * T(x_j * (2 log2(e) / cap)), T as in the
 * kernel `softcap`: in q8 t_j becomes T(t_j * (qs * (2 log2(e) / cap))) and qs becomes cap.
 *
 *   q8:  t_j = (float)(sum_c q[c] * kq_j[c]) * ks_j, where the integer sum is exact
 *        M = max(m, ceil((max over seen j of t_j) * qs)) + 0.0f, an integer
 *        alpha = ith_exp2(m - M), 0 if m = -INFINITY; then m = M
 *        s_j = fma(t_j, qs, R - M) with R = 1.5 * 2^23: R plus the integer nearest to the exponent
 *              (R - M is exact)
 *        p_j = E(fma(t_j, qs, (R - M) - s_j)) * 2^(s_j - R), where E is the polynomial of ith_exp2;
 *              0 if j is not seen or s_j < R - 100
 *        L[i] = fma(L[i], alpha, (p_i + p_{i+16}) + (p_{i+32} + p_{i+48}))
 *        w_j = p_j * vs_j, 0 if j is not seen; W = max w_j; inv = 255 / W, finite
 *        u_j = rne(w_j * inv), the product not rounded before: an integer in [0, 255]
 *        o[c] = fma((float)(sum_j u_j * v_j[c]), W * (1.0f/255.0f), o[c] * alpha)
 *
 *        The scales must keep |t_j * qs| below 2^21, and ks and vs below 2^100; beyond that the
 *        values are unspecified.
 *
 *        Of a latent segment, with a = sum over c < v of q[c] * kq_j[c] and b = the same over
 *        c >= v, t_j = fma((float)b * ts_j, qt, ((float)a * ks_j) * qs); vs_j is ks_j; and from
 *        there on qs is 1. Latents have no soft cap.
 *
 *   f32 and bf16 (K and V widened to f32; q is f32, already multiplied by log2(e)/sqrt(d)):
 *        x_j = fma(q[c], k_j[c], x_j) for ascending c, from 0
 *        M = max(m, max over seen j of x_j) + 0.0f; alpha and L as above
 *        p_j = ith_exp2(x_j - M) for seen j, else 0
 *        o[c] = o[c] * alpha, then o[c] = fma(p_j, v_j[c], o[c]) for seen j in ascending order
 *
 * At the end l is the sum of L by the tree of lanes16.
 */
typedef struct ith_attn {
    const void *segment; /* its blocks, 64-byte aligned */
    const void *values;  /* of a latent segment: the copy, 64-byte aligned; NULL: another segment */
    int head_dim;
    int value_dim; /* of a latent segment */
    int n_tokens, n_heads;
    int64_t first_visible; /* keys that token 0 sees; may be negative or beyond the segment */
    int64_t window;        /* a token sees the last so many of them; 0: all */
    float cap;             /* of scores, in base 2; 0: none */

    /* Queries: q8: int8 [head_dim rounded up to 16], zeros in the padding; else float [head_dim].
     * The strides count elements. */
    const void *q;
    int64_t q_token_stride, q_head_stride;

    /* q8: qs = amax / 127 * log2(e)/sqrt(d) of row (t, h) at t * q_scale_stride + h. With a latent
     * segment qs and qt, those of the row's first v channels and of its tail, from
     * t * q_scale_stride + 2 * h on. */
    const float *q_scale;
    int64_t q_scale_stride;

    float *m, *l; /* [n_tokens * n_heads] */
    float *o;     /* [n_tokens * n_heads][head_dim; value_dim with a latent segment] */
} ith_attn;

/* Channels of a value, and of a row of o. */
static inline int ith_attn_value_dim(const ith_attn *a)
{
    return a->values != NULL ? a->value_dim : a->head_dim;
}

/* Bytes of a block of its segment. */
static inline size_t ith_attn_block_bytes(const ith_attn *a, ith_kv_layout layout)
{
    return a->values != NULL ? ith_latent_block_bytes(layout, a->head_dim)
                             : ith_kv_block_bytes(layout, a->head_dim);
}

/* The values of block `block` of its segment. */
static inline const void *ith_attn_values(const ith_attn *a, ith_kv_layout layout, int64_t block)
{
    const size_t bytes = ith_attn_block_bytes(a, layout), dp = ((size_t)a->head_dim + 15) / 16 *
                                                               16 *
                                                               (layout == ITH_KVL_Q8     ? 1
                                                                : layout == ITH_KVL_BF16 ? 2
                                                                                         : 4);
    if (a->values != NULL)
        return (const uint8_t *)a->values +
               (size_t)block * ith_latent_values_bytes(layout, a->value_dim);
    return (const uint8_t *)a->segment + (size_t)block * bytes + ITH_KV_BLOCK * dp;
}

/* ---- Recurrences ----------------------------------------------------------------------------- *
 *
 * A call takes some columns of the state of one head through n_tokens consecutive tokens. The state
 * is a matrix S of `rows` (key channels) by `cols` (value channels), in blocks of 16 columns:
 * element (i, c) at (c / 16 * rows + i) * 16 + c % 16. The columns that are missing from the last
 * block hold zeros and keep them.
 *
 * To the bit, for each token in order, and for each column c:
 *
 *   beta given    (the delta rule) e = lanes4 of S[i] * k[i]; then, with one decay g for all rows,
 *                 e = g * e. With a decay for each row, e = lanes4 of S[i] * (g[i] * k[i]), the
 *                 product in brackets rounded. d = beta * (v - e)
 *   beta NULL     d = v
 *
 *   S[i] = fma(k[i], d, g[i] * S[i]), the product rounded; out = lanes4 of S[i] * q[i]
 *
 *   lanes4(a * b)   four partial results p[0..3] of 0, to which element i contributes by
 *                   p[i % 4] = fma(a, b, p[i % 4]) in order of ascending i; then
 *                   (p[0] + p[2]) + (p[1] + p[3])
 *
 * Columns do not see each other, so that they may be shared out in whole blocks. */
typedef struct ith_recurrence {
    float *state; /* from the first of these columns' blocks on, 64-byte aligned */
    int64_t rows, cols, n_tokens;
    const float *q, *k, *v; /* token t: rows, rows, cols of them, at t * ld */
    int64_t ld;
    const float *decay; /* token t: [1], or if `each` [rows], at t * ld_gates */
    const float *beta;  /* token t: [1] at t * ld_gates; NULL: nothing is erased */
    int64_t ld_gates;
    bool each;
    float *out; /* token t: [cols] at t * ld_out */
    int64_t ld_out;
} ith_recurrence;

enum { ITH_STATE_COLS = 16 }; /* columns of a block of the state */

/* ---- Sizes that callers should know ---------------------------------------------------------- */

/* A quantized product handles up to ITH_PANEL_TOKENS tokens at a time (avx512/gemm_panel_avx512.h).
 * The more tokens, the less it costs to widen the weights; but activations and sums should stay in
 * the second-level cache, so callers that know its size pass fewer. */
enum {
    ITH_PANEL_TOKENS = 192,

    /* bytes of the widened weights of two tiles and of the activations of eight tokens */
    ITH_PANEL_WEIGHTS = 24 * 1024,

    /* bytes of the sums of a token with two tiles */
    ITH_PANEL_TOKEN = 2 * ITH_TILE_ROWS * (int)sizeof(float)
};

enum { ITH_MAXIMA = 256 }; /* values whose largest the kernel `maxima` finds */

/* Of the kernel `swiglu`. */
typedef struct ith_swiglu {
    float alpha, limit, plus;
} ith_swiglu;

/* ---- The table ------------------------------------------------------------------------------- */

typedef void ith_gemm_fn(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts,
                         float *out, int64_t ld_out);
typedef void ith_attn_fn(const ith_attn *a);
typedef void ith_latent_values_fn(int n_blocks, int head_dim, int value_dim, const void *segment,
                                  void *values);

typedef struct ith_kernels {
    const char *name; /* of the level */

    /* True if a core computes so much faster than it reads weights from memory that a pass with a
     * few tokens costs little more than a pass with one. */
    bool spare_arithmetic;

    /* True if the level is used only where ITHACA_SIMD names it. */
    bool on_request;

    /* Prepare a thread for the level's products and attention, and undo that: for example, the tile
     * configuration of AMX. A thread calls enter() before its first gemm or attn and leave() after
     * its last; in between it may do anything else, but not enter again. All other kernels run with
     * or without it. Most levels need nothing and do nothing; the pointers are never NULL. Both are
     * cheap enough for every pass, and neither can fail: whether the system permits the level at
     * all is asked once, by its line in levels.inc. */
    void (*enter)(void);
    void (*leave)(void);

    /* Products of weights in each layout, NULL for ITH_F32: out[t * ld_out + 16 * i + r] is row r
     * of tile i times token t, for `n_tiles` consecutive tiles and the first `n_tokens` tokens of
     * acts. n_tiles, n_tokens >= 0. `out` is overwritten, never read.
     *
     *   quantized    from acc = 0, for each run of columns that share a scale, in ascending order:
     *                acc = fma(fma(ITH_SHIFT + idot, scale_a, shift_a), scale_w, acc) with the
     *                exact idot = sum (u - zero point) * quant, or sum table[u] * quant. The inner
     *                fma is idot * scale_a, rounded once, and +0 if that is 0.
     *                With minima, idot = sum u * quant, and then acc = fma(min_w, sum_a, acc) with
     *                sum_a = scale_a * (float)(sum of the run's quants)
     *   bf16, f32t   from acc = 0, for each column k < n_cols in ascending order:
     *                acc = fma(x[t * ld_x + k], w, acc). The padding columns are not used.
     *
     * Tiles are taken in pairs, and all tokens of the call pass by one pair before the next: their
     * activations had better stay in a cache. */
    ith_gemm_fn *gemm[ITH_LAYOUTS];

    /* Quantizes x[n] into groups first, first + 1, ... of row `token` of acts; the last group is
     * padded with zeros. For each group: amax = max |x|; scale = amax * (1.0f / 127.0f), at most
     * 2^104, its bits rounded to (bits + 2) & ~3, so that the two lowest are clear;
     * inv = 127 / amax, finite; quant = rne(x * inv), limited to [-127, 127]. ith_acts_derive gives
     * the rest. A group with a NaN, an infinity, or an amax of 127 * 2^104 or more has the scale
     * ITH_ACT_SCALE_MOST, and its quants are unspecified. */
    void (*quantize)(int64_t n, const float *x, const ith_acts *acts, int64_t token, int64_t first);

    /* Quantizes a query, key or value head x[d]: amax = max |x[c] - bias[c]|, without a bias if it
     * is NULL; inv = 127 / amax, finite; out[c] = rne((x[c] - bias[c]) * inv) for c < d, and 0 up
     * to d rounded up to 16. Returns amax / 127; NaN or infinity if x has one, and then `out` is
     * unspecified. */
    float (*quantize_head)(int d, const float *x, const float *bias, int8_t *out);

    /* The same with the bf16 scale that the cache stores: s = amax / 127, rounded up to bf16;
     * inv = 1 / s, finite; quants are limited to [-127, 127]. Returns s; NaN or infinity as above.
     */
    uint16_t (*quantize_head_bf16)(int d, const float *x, const float *bias, int8_t *out);

    /* Writes key and value `slot` (0..63) of a q8 block: their int8 rows, of head_dim rounded up to
     * 16, and their bf16 scales. */
    void (*kv_put_q8)(void *block, int head_dim, int slot, const int8_t *k, const int8_t *v,
                      uint16_t ks, uint16_t vs);

    /* Writes key `slot` of a q8 block of a latent segment: its int8 row, of head_dim rounded up to
     * 16, and the bf16 scales of its latent and its tail. */
    void (*latent_put_q8)(void *block, int head_dim, int slot, const int8_t *k, uint16_t ks,
                          uint16_t ts);

    /* Copies the values of the first n_blocks blocks of a latent segment, in each layout of the
     * cache, into the order in which attention reads them. `values`: 64-byte aligned. */
    ith_latent_values_fn *latent_values[ITH_KV_LAYOUTS];

    /* Attention to a segment in each layout of the cache: see ith_attn. */
    ith_attn_fn *attn[ITH_KV_LAYOUTS];

    /* Merges the partial results of a later segment (pm, pl, po) into those of `rows` rows. Rows
     * with pl = 0 stay as they are. For the others: M = m > pm ? m : pm; a = ith_exp2(m - M), 0 if
     * m = -INFINITY; b = ith_exp2(pm - M); l = fma(pl, b, l * a); o[c] = fma(po[c], b, o[c] * a);
     * m = M. */
    void (*attn_merge)(int64_t rows, int head_dim, float *m, float *l, float *o, const float *pm,
                       const float *pl, const float *po);

    /* out[i] = (x[i] * r) * w[i] with r = 1 / sqrtf(S / n + eps), S = lanes16 of s = fma(x, x, s).
     * `out` may be `x`. */
    void (*rmsnorm)(int64_t n, const float *x, const float *w, float eps, float *out);

    /* Rotates a head in place, by pairs (i, i + d/2): x_i' = fma(x_i, cos_i, -(x_{i+d/2} * sin_i)),
     * x_{i+d/2}' = fma(x_{i+d/2}, cos_i, x_i * sin_i). cos, sin: [d/2]. d is even. */
    void (*rope)(int d, float *x, const float *cos, const float *sin);

    /* out[i] = g / (1 + ith_exp2(y)) * u with y = g * -log2(e), clamped to [-126, 126]. `out` may
     * be `g` or `u`. Of an infinite g it is infinite, or NaN if u is 0. */
    void (*silu_mul)(int64_t n, const float *g, const float *u, float *out);

    /* A gate with limits, as in gpt-oss: with g = g[i] limited to limit from above and u = u[i]
     * limited to [-limit, limit], out[i] = g / (1 + ith_exp2(y)) * (u + plus),
     * y = g * (-log2(e) * alpha), clamped to [-126, 126]. limit > 0. `out` may be `g` or `u`. */
    void (*swiglu)(int64_t n, const float *g, const float *u, const ith_swiglu *form, float *out);

    /* out[i] = ((x[i] - mean) * r) * w[i], then + b[i] if b is not NULL; with mean = lanes16 of x
     * by additions, divided by n, and r = 1 / sqrtf(S / n + eps), S = lanes16 of
     * s = fma(v, v, s), v = x[i] - mean. `out` may be `x`. */
    void (*layernorm)(int64_t n, const float *x, const float *w, const float *b, float eps,
                      float *out);

    /* lanes16 of s = fma(x, x, s) */
    float (*sum_squares)(int64_t n, const float *x);

    /* GELU by tanh: out[i] = x / (1 + ith_exp2(y)), y = x * fma(x * x, ITH_GELU_3, ITH_GELU_1),
     * clamped to [-126, 126] (ref/exp2.h has the constants). `out` may be `x`. Infinities stay. */
    void (*gelu)(int64_t n, const float *x, float *out);

    /* out[i] = r * r with r = x[i] < 0 ? 0 : x[i]. `out` may be `x`. */
    void (*relu2)(int64_t n, const float *x, float *out);

    /* GELU: out[i] = r - a * q with r = x[i] > 0 ? x[i] : 0, a = |x[i]|, and q near the share of a
     * normal distribution above a: q = t * p * ith_exp2(y), t = 1 / fma(ITH_ERF_T, a, 1), p the
     * chain of fma over ITH_ERF_7 ... ITH_ERF_1 in t, y = (a * a) * ITH_ERF_E, clamped to
     * [-126, 126] (ref/exp2.h). `out` may be `x`. Of an infinity it is NaN. */
    void (*gelu_erf)(int64_t n, const float *x, float *out);

    /* x[i] = cap * T(x[i] * (2 log2(e) / cap)), T(y) = 1 - 2 / (1 + ith_exp2(y)) with y clamped to
     * [-126, 126]: cap * tanh(x / cap). cap > 0. An infinity becomes cap or -cap. */
    void (*softcap)(int64_t n, float *x, float cap);

    /* out[i] = u[i] / (1 + ith_exp2(y)) with y = g[i] * -log2(e), clamped to [-126, 126]: u times
     * the logistic function of g. `out` may be `g` or `u`. Of g = INFINITY it is u, of
     * -INFINITY u / 2^126. */
    void (*sigmoid_mul)(int64_t n, const float *g, const float *u, float *out);

    /* ln(1 + e^x), x = a[i] + b[i]: with u = ith_exp2(y), y = -|x| * log2(e) limited to -126 from
     * below, and z = u / (2 + u), out[i] = fma(2 z, p, x > 0 ? x : 0), where p is the polynomial
     * 1 + y/3 + y^2/5 + ... + y^8/17 in y = z z, by fma from the highest coefficient down.
     * `out` may be `a`. */
    void (*softplus)(int64_t n, const float *a, const float *b, float *out);

    /* x[i] = ith_exp2(x[i] * log2(e), clamped to [-126, 126]) */
    void (*exponential)(int64_t n, float *x);

    /* One token of a causal convolution of each channel: from acc = bias[i], or 0 if bias is NULL,
     * for j = 0 .. taps - 1: acc = fma(w[j * ld_w + i], x[j][i], acc). out[i] = acc, or with `silu`
     * acc / (1 + ith_exp2(acc * -log2(e), clamped to [-126, 126])). `out` may be x[taps - 1]. */
    void (*conv)(int64_t n, int taps, const float *const *x, const float *w, int64_t ld_w,
                 const float *bias, bool silu, float *out);

    /* See ith_recurrence. */
    void (*recur)(const ith_recurrence *r);

    void (*add)(int64_t n, float *x, const float *y); /* x[i] += y[i] */
    void (*mul)(int64_t n, float *x, const float *y); /* x[i] *= y[i] */
    void (*scale)(int64_t n, float *x, float a);      /* x[i] *= a */

    /* x[i] = fma(a, y[i], x[i]) */
    void (*add_scaled)(int64_t n, float *x, float a, const float *y);

    /* The largest x[i]. NaN counts as -INFINITY. n >= 1 */
    float (*max)(int64_t n, const float *x);

    /* lanes16 of ith_exp2((x[i] - max) * log2(e)), 0 where that is NaN: the denominator of softmax.
     * x[i] <= max */
    float (*sum_exp)(int64_t n, const float *x, float max);

    /* For sampling, the largest of many values. NaN counts as -INFINITY here.
     *
     *   argmax   the lowest i whose x[i] is the largest; 0 if all are -INFINITY. n >= 1
     *   maxima   out[b] = the largest of the values from x[ITH_MAXIMA * b] on, ITH_MAXIMA of them
     *            or as many as are left, for all such blocks
     *   select   ids[0..] = all i with x[i] >= limit, ascending; NaN is never selected. `limit` is
     *            not NaN. Returns how many there are, and writes no more
     *
     * To find the k largest values, select with the k-th largest of the maxima as the limit: at
     * least k values reach it, and seldom many more. */
    int64_t (*argmax)(int64_t n, const float *x);
    void (*maxima)(int64_t n, const float *x, float *out);
    int64_t (*select)(int64_t n, const float *x, float limit, int32_t *ids);

    /* out[i] = ith_exp2(((x[i] - max) / t) * log2(e)), 0 where that is NaN: weights relative to the
     * largest. x[i] <= max, t > 0. `out` may be `x`. */
    void (*weights)(int64_t n, const float *x, float max, float t, float *out);
} ith_kernels;

/* The table for this CPU under the cap of ITHACA_SIMD, which is read at the first call.
 * Thread-safe. */
const ith_kernels *ith_kernels_get(void);

/* NULL, or what is wrong with the value of ITHACA_SIMD, as a constant text for the engine to fail
 * with; the value caps nothing then. Naming a level that this CPU lacks is not an error: the
 * highest supported level below it is used, or, for a level of another architecture, any. */
const char *ith_kernels_env_error(void);

/* The table of a level by name, for tests and benches; NULL if this architecture has no such level
 * or this CPU lacks it. Thread-safe. */
const ith_kernels *ith_kernels_named(const char *name);

/* The names of all levels of this architecture, rising from "ref", ended by NULL. */
const char *const *ith_kernels_names(void);

/* 2^x for x <= 127, as all kernels compute it: NaN for NaN; 0 for x < -126; else with n = rne(x)
 * and f = x - n the polynomial of ref/exp2.h in f, evaluated by fma, times 2^n. */
float ith_exp2(float x);

#endif
