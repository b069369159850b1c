/* kernels.h - the arithmetic of Ithaca: what every kernel computes, to the bit.
 *
 * A leaf: single-threaded functions on the caller's buffers; no allocation, no MPI, no OpenMP, no stdio, no state.
 * ith_kernels_get() returns a table of function pointers: the scalar reference (ref/) first, overwritten in rising
 * order by what the CPU has, capped by the environment variable ITHACA_SIMD=name:
 *   x86    avx2; avxvnni (avx2 and AVX-VNNI); avx512bw (AVX-512 F, BW, DQ, VL; on avx2); avx512 (avx512bw and VNNI)
 *   arm64  neon; dotprod; i8mm (on dotprod)
 *
 * Every variant of a kernel gives the reference's exact bits (contract 2). Therefore this page fixes the order of
 * every float operation. Notation: fma(a,b,c) = a*b+c rounded once; all else is IEEE binary32, rounded to nearest even,
 * each operation by itself (-ffp-contract=off); rne(x) = x rounded to the nearest integer, ties to even. `lanes16(e)`
 * means: sixteen partial results, element i going to lane i % 16 in ascending i, then the fixed tree
 * l[j] += l[j+8] (j<8), l[j] += l[j+4] (j<4), l[j] += l[j+2] (j<2), l[0] + l[1]. `a / x, finite` is a/x limited to FLT_MAX,
 * and 0 for x = 0: a subnormal scale still has an inverse. Every maximum that is handed back has +0.0f added: it is never -0.
 * NaN and infinite inputs give unspecified values but never a fault.
 *
 * Alignment: weights (their first tile: the size of one is a multiple of 32 bytes only) and KV segments are 64-byte aligned;
 * activations and outputs need only their element's alignment. A kernel reads and writes exactly the elements that its
 * contract names, never past them.
 */
#ifndef ITH_SIMD_KERNELS_H
#define ITH_SIMD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Weight tiles -----------------------------------------------------------------------------------------------
 *
 * A quantized matrix [rows, cols] is a sequence of tiles of 16 rows; cols is padded to groups of 32. A tile holds
 * first the quants of all its groups, then the scales of all its groups (then the minima):
 *
 *   w8   group g: 512 bytes: for j in 0..7, for row r in 0..15, for b in 0..3: quant of column 32g + 4j + b of row r,
 *                 stored as u8 = q + 128, q in [-128, 127]
 *        then for each g: 16 scales, f16, of rows 0..15.                 weight = scale * q
 *   w4   group g: 256 bytes: for j in 0..3, r in 0..15, b in 0..3: low nibble = quant of column 32g + 4j + b, high
 *                 nibble = quant of column 32g + 16 + 4j + b, both u4 in [0, 15]
 *        then 16 scales per group.                                       weight = scale * (u4 - 8)
 *   w4m  as w4, then for each g: 16 minima, f16, after all scales.       weight = scale * u4 + min
 *
 * Rows past the end and columns past the end hold u8 = 128 (w8) or any nibble with scale 0 and min 0.
 *
 * Float tiles hold 16 rows of `32 * groups` elements and nothing else:
 *   bf16, f32t   element of column k of row r at 16 k + r, bf16 or f32
 *   f32          plain rows, one after another: for OpenBLAS, on the exact path
 */
enum {
    ITH_TILE_ROWS = 16, /* rows interleaved in one tile: the lanes of one AVX-512 register of int32 */
    ITH_GROUP = 32      /* columns that share a scale, in weights and activations */
};

typedef enum ith_layout { ITH_W8, ITH_W4, ITH_W4M, ITH_BF16, ITH_F32T, ITH_F32, ITH_LAYOUTS } ith_layout;

/* Bytes of one tile of 16 rows, rounded up to 64 so that tiles stay aligned one after another. */
static inline size_t ith_tile_bytes(ith_layout layout, size_t groups)
{
    static const uint16_t per_group[ITH_LAYOUTS] = {512 + 32, 256 + 32, 256 + 64, 16 * 32 * 2, 16 * 32 * 4, 16 * 32 * 4};
    return (groups * per_group[layout] + 63) / 64 * 64;
}

/* Does the layout take quantized activations? */
static inline bool ith_layout_is_quantized(ith_layout layout)
{
    return layout <= ITH_W4M;
}

/* ---- Activations for quantized products: groups of 32 int8 with one scale each ------------------------------------- */

/* Arrays over tokens; token t's row starts at quants + t * groups * 32, scales + t * groups, and so on.
 *
 * An integer sum idot, |idot| < 2^22, becomes a float and is scaled in one operation: in the register of
 * idot + ITH_START, read as a float, stands 1.5 * 2^23 + idot exactly, and fma(that, scale, shift) with
 * shift = -1.5 * 2^23 * scale is idot * scale, rounded once. That needs shift to be exact: scales have the two lowest bits of
 * their mantissa clear and are at most 2^104. */
enum { ITH_START = 0x4B400000 }; /* the bits of 1.5 * 2^23 = ITH_SHIFT */
#define ITH_SHIFT 12582912.0f

typedef struct ith_acts {
    int8_t *quants;    /* [tokens][groups * 32], in [-127, 127] */
    float *scales;     /* [tokens][groups]: >= +0 */
    float *shifts;     /* [tokens][groups]: -ITH_SHIFT * scale */
    float *sums;       /* [tokens][groups]: scale * (float)(sum of the group's quants) */
    int32_t *start8;   /* [tokens][groups]: ITH_START - 8 * sum of the quants: w4's zero point */
    int32_t *start128; /* [tokens][groups]: ITH_START - 128 * sum of the quants: w8's zero point */
    int64_t groups;
} ith_acts;

/* Fills what follows from a group's scale and the sum of its quants. `at`: token * groups + group. */
static inline void ith_acts_derive(const ith_acts *acts, int64_t at, float scale, int32_t sum)
{
    acts->scales[at] = scale;
    acts->shifts[at] = -ITH_SHIFT * scale;
    acts->sums[at] = scale * (float)sum;
    acts->start8[at] = ITH_START - 8 * sum;
    acts->start128[at] = ITH_START - 128 * sum;
}

/* ---- KV segments ------------------------------------------------------------------------------------------------
 *
 * The cache of one layer and KV head is cut into segments of 1,024 keys, each of 16 blocks of 64 keys, contiguous:
 * block b of a segment starts at b * ith_kv_block_bytes(). d = head_dim, dp = d rounded up to 16; channels d..dp-1
 * hold zeros (u8 128 in K).
 *
 *   q8 block:   K  u8  [dp/4][64][4]   key j, channel 4c+b at ((c * 64) + j) * 4 + b, stored as q + 128
 *               V  s8  [16][dp][4]     key 16b+i, channel c at ((i * dp) + c) * 4 + b
 *               ks bf16 [64]           scale of each key;   key = ks * q (+ the constant that softmax cannot see)
 *               vs bf16 [64]           scale of each value; value = vs * v
 *   bf16 / f32: K  [dp][64], V [64][dp] of that element
 *
 * Keys of a block that are not yet written may hold anything.
 */
enum { ITH_KV_BLOCK = 64, ITH_KV_SEGMENT = 1024 };

typedef enum ith_kv_layout { ITH_KVL_Q8, ITH_KVL_BF16, ITH_KVL_F32, ITH_KV_LAYOUTS } ith_kv_layout;

static inline size_t ith_kv_block_bytes(ith_kv_layout layout, int head_dim)
{
    size_t dp = ((size_t)head_dim + 15) / 16 * 16;
    return layout == ITH_KVL_Q8 ? 64 * (2 * dp + 4) : layout == ITH_KVL_BF16 ? 64 * 2 * dp * 2 : 64 * 2 * dp * 4;
}

/* One unit of attention: `n_tokens` consecutive query tokens, each with `n_heads` query heads that share one KV head,
 * against one segment. Token t sees the segment's keys [0, n_t), n_t = clamp(first_visible + t, 0, ITH_KV_SEGMENT).
 * Row (t, h) of the outputs is t * n_heads + h.
 *
 * The result for a row with n_t > 0 is the segment's partial softmax in base 2. With x_j = log2(e)/sqrt(d) * q.k_j:
 * m = max x_j (q8: rounded up to an integer), l = sum 2^(x_j - m), o[c] = sum 2^(x_j - m) v_j[c]. For n_t <= 0: m = -INFINITY, l = 0, o unspecified.
 * In bits, blocks b of 64 keys ascending (only those with 64 b < n_t; "seen" = key index < n_t), starting from m = -INFINITY,
 * L[0..15] = 0, o[c] = 0:
 *   q8:  t_j = (float)(sum_c q[c] * kq_j[c]) * ks_j                     (the integer sum is exact)
 *        M = max(m, ceil((max over seen j of t_j) * qs)) + 0.0f: an integer;  alpha = ith_exp2(m - M), 0 if m = -INFINITY;  m = M
 *        s_j = fma(t_j, qs, R - M) with R = 1.5 * 2^23: the integer nearest to the exponent, plus R (R - M is exact)
 *        p_j = E(fma(t_j, qs, (R - M) - s_j)) * 2^(s_j - R), E the polynomial of ith_exp2, if j is seen and s_j >= R - 100; else 0
 *        L[i] = fma(L[i], alpha, (p_i + p_{i+16}) + (p_{i+32} + p_{i+48}))
 *        w_j = p_j * vs_j (0 if not seen); W = max w_j; inv = 255 / W, finite; u_j = rne(w_j * inv as a real number), in [0, 255]
 *        o[c] = fma((float)(sum_j u_j * v_j[c]), W * (1.0f/255.0f), o[c] * alpha)
 *        The scales must keep |t_j * qs| below 2^21, and ks and vs below 2^100; past that the values are unspecified.
 *   f32 and bf16 (K, V widened to f32; q is f32 with log2(e)/sqrt(d) multiplied in by the caller):
 *        x_j = fma chain over c ascending from 0: x = fma(q[c], k_j[c], x)
 *        M = max(m, max over seen x_j) + 0.0f; alpha and L as above; p_j = ith_exp2(x_j - M) for seen j, else 0
 *        o[c] = o[c] * alpha, then for seen j ascending: o[c] = fma(p_j, v_j[c], o[c])
 *   at the end l = the lanes16 tree over L.
 * ith_exp2(x), x <= 127: x < -126 gives 0. Else n = rne(x), f = x - n, the polynomial of ref/exp2.h in f by fma, times 2^n.
 */
typedef struct ith_attn {
    const void *segment; /* blocks, 64-byte aligned */
    int head_dim;
    int n_tokens, n_heads;
    int64_t first_visible;              /* keys of the segment that token 0 sees; may be negative or past the end */
    const void *q;                      /* q8: int8 [.. head_dim rounded up to 16, zeros in the padding]; else float [head_dim] */
    int64_t q_token_stride, q_head_stride; /* in elements */
    const float *q_scale;               /* q8: qs of row (t, h) at t * q_scale_stride + h: amax/127 * log2(e)/sqrt(d) */
    int64_t q_scale_stride;
    float *m, *l; /* [n_tokens * n_heads] */
    float *o;     /* [n_tokens * n_heads][head_dim] */
} ith_attn;

/* How many tokens a call of a quantized product has in its hands at a time (avx512/gemm_panel_avx512.h): no more than ITH_PANEL_TOKENS,
 * and better no more than a first-level cache has room for beside the weights. Who knows the caches calls with fewer. */
enum {
    ITH_PANEL_TOKENS = 192,
    ITH_PANEL_WEIGHTS = 24 * 1024, /* bytes: two tiles' weights, widened, and the activations of eight tokens */
    ITH_PANEL_TOKEN = 2 * ITH_TILE_ROWS * (int)sizeof(float) /* bytes: a token's sums of two tiles */
};

enum { ITH_MAXIMA = 256 }; /* values of which kernel `maxima` gives the largest */

/* ---- The table ------------------------------------------------------------------------------------------------------ */

typedef struct ith_kernels {
    const char *name; /* of the highest variant in the table */

    /* A core computes many times faster than weights reach it from memory: a few tokens cost little more than one. */
    bool spare_arithmetic;

    /* out[t * ld_out + 16 * tile + r] for `n_tiles` consecutive tiles and `n_tokens` tokens of `acts`, starting at its first.
     * For each group g ascending from acc = 0:
     *   w8, w4:  acc = fma(fma(ITH_SHIFT + idot, scale_a, shift_a), scale_w, acc), idot = sum (w - zero point) * quant, exact:
     *            the inner fma is idot * scale_a, rounded once (and +0 where that is 0)
     *   w4m:     the same with idot = sum u4 * quant, then acc = fma(min_w, sum_a, acc)
     * `out` is overwritten; what it held is never read. n_tokens >= 0, any n_tiles.
     * Every pair of tiles passes by all tokens of the call before the next pair comes: their activations had better stay in a cache. */
    void (*gemm_w8)(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out, int64_t ld_out);
    void (*gemm_w4)(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out, int64_t ld_out);
    void (*gemm_w4m)(int64_t n_tiles, int64_t n_tokens, const void *tiles, const ith_acts *acts, float *out, int64_t ld_out);

    /* The same shapes for tiles of bf16 and f32t, x[t * ld_x + k] as they are: for k in 0..n_cols-1 ascending from acc = 0:
     * acc = fma(x, w, acc). The tiles have n_cols columns rounded up to groups of 32; those past n_cols are not used. */
    void (*gemm_bf16)(int64_t n_tiles, int64_t n_tokens, int64_t n_cols, const void *tiles, const float *x, int64_t ld_x, float *out,
                      int64_t ld_out);
    void (*gemm_f32)(int64_t n_tiles, int64_t n_tokens, int64_t n_cols, const void *tiles, const float *x, int64_t ld_x, float *out,
                     int64_t ld_out);

    /* Quantizes x[n] into groups first, first + 1 ... of row `token` of acts; the last is filled up with zeros. Per group: amax = max |x|;
     * scale = amax * (1.0f / 127.0f), at most 2^104, rounded to the nearest number whose two lowest bits
     * are clear (half away from 0): bits + 2 & ~3; inv = 127 / amax, finite;
     * quant = rne(x * inv), limited to [-127, 127]. The rest by ith_acts_derive. */
    void (*quantize)(int64_t n, const float *x, const ith_acts *acts, int64_t token, int64_t first);

    /* Quantizes one query, key or value head x[d]: amax = max |x[c] - bias[c]| (bias NULL: 0);
     * inv = 127 / amax, finite; out[c] = rne((x[c] - bias[c]) * inv) for c < d, 0 up to d rounded up to 16.
     * Returns amax / 127. */
    float (*quantize_head)(int d, const float *x, const float *bias, int8_t *out);

    /* The same against the bf16 scale that the cache stores: s = amax/127 rounded up to bf16; inv = 1 / s, finite; limited
     * to [-127, 127]. Returns the bf16. */
    uint16_t (*quantize_head_bf16)(int d, const float *x, const float *bias, int8_t *out);

    /* Writes key and value `slot` (0..63) of a block from their int8 rows of head_dim rounded up to 16, and the scales. */
    void (*kv_put_q8)(void *block, int head_dim, int slot, const int8_t *k, const int8_t *v, uint16_t ks, uint16_t vs);

    void (*attn_q8)(const ith_attn *a);
    void (*attn_bf16)(const ith_attn *a);
    void (*attn_f32)(const ith_attn *a);

    /* Folds a later segment's partial into a row's state: nothing if pl = 0; else M = m > pm ? m : pm, a = ith_exp2(m - M)
     * (0 if m = -INFINITY), b = ith_exp2(pm - M): l = fma(pl, b, l * a), o[c] = fma(po[c], b, o[c] * a), m = M. */
    void (*attn_merge)(int64_t rows, int head_dim, float *m, float *l, float *o, const float *pm, const float *pl, const float *po);

    /* out[i] = (x[i] * r) * w[i], r = 1 / sqrtf(S / n + eps), S = lanes16 of s = fma(x, x, s). out may be x. */
    void (*rmsnorm)(int64_t n, const float *x, const float *w, float eps, float *out);

    /* Rotates one head in place, pairs (i, i + d/2): x_i' = fma(x_i, cos_i, -(x_{i+d/2} * sin_i)),
     * x_{i+d/2}' = fma(x_{i+d/2}, cos_i, x_i * sin_i); cos, sin: [d/2]. d even. */
    void (*rope)(int d, float *x, const float *cos, const float *sin);

    /* out[i] = (g / (1 + E)) * u with E = ith_exp2(g * -log2(e)) limited to [2^-126, 2^126]: x is clamped to [-126, 126]
     * before ith_exp2 here. out may be g or u. */
    void (*silu_mul)(int64_t n, const float *g, const float *u, float *out);

    void (*add)(int64_t n, float *x, const float *y); /* x[i] += y[i] */
    void (*scale)(int64_t n, float *x, float a);      /* x[i] *= a */
    void (*add_scaled)(int64_t n, float *x, float a, const float *y); /* x[i] = fma(a, y[i], x[i]) */

    float (*max)(int64_t n, const float *x); /* n >= 1; +0.0f added */

    /* lanes16 of ith_exp2((x[i] - max) * log2(e)): the denominator of softmax. */
    float (*sum_exp)(int64_t n, const float *x, float max);

    /* The largest of many, for sampling. NaN counts as -INFINITY here.
     *   argmax   the lowest i whose x[i] is the largest; 0 if all are -INFINITY. n >= 1
     *   maxima   out[b] = the largest of x[ITH_MAXIMA b ...], ITH_MAXIMA of them or what is left, +0.0f added; of all blocks up to n
     *   select   ids[0 ...] = all i with x[i] >= limit, ascending (NaN never is), limit no NaN; returns how many. Exactly these are written
     * The k-th largest of at least k maxima is a limit that at least k values reach, and seldom many more: the way to the k largest. */
    int64_t (*argmax)(int64_t n, const float *x);
    void (*maxima)(int64_t n, const float *x, float *out);
    int64_t (*select)(int64_t n, const float *x, float limit, int32_t *ids);

    /* out[i] = ith_exp2(((x[i] - max) / t) * log2(e)), 0 where that is NaN: weights relative to the largest. x[i] <= max, t > 0;
     * out may be x. */
    void (*weights)(int64_t n, const float *x, float max, float t, float *out);
} ith_kernels;

/* The table for this CPU under the cap of ITHACA_SIMD (read once). Thread-safe after the first call. */
const ith_kernels *ith_kernels_get(void);

/* NULL, or what is wrong with the value of ITHACA_SIMD (it is then ignored): a constant text, for the engine to fail with.
 * A level above what this CPU has is no error: the cap is then without effect. */
const char *ith_kernels_env_error(void);

/* A variant by name, for tests and benches: NULL if it is not built in or this CPU lacks it. */
const ith_kernels *ith_kernels_named(const char *name);

/* The names of all variants built in, rising, ended by NULL; `ref` is first. */
const char *const *ith_kernels_names(void);

/* Reference helpers that other rooms share. */
float ith_exp2(float x);

#endif
