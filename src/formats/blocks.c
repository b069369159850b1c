/* blocks.c - the blocks of GGML's quantized types.
 *
 * In a file, d and m are f16:
 *
 *   Q8_0     d, 32 x int8
 *   Q4_0     d, 16 bytes: low nibbles are elements 0..15, high ones 16..31
 *   Q4_1     d, m, nibbles as Q4_0
 *   Q5_0     d, 32 fifth bits, nibbles as Q4_0
 *   Q5_1     d, m, 32 fifth bits, nibbles as Q4_0
 *   Q2_K     16 x (s, t: nibbles), 64 bytes of pairs, d, m
 *   Q3_K     32 bytes of third bits, 64 bytes of pairs, 16 x s (6 bits, + 32), d
 *   Q4_K     d, m, 8 x (s, t: 6 bits each), 128 bytes of nibbles
 *   Q5_K     d, m, 8 x (s, t), 32 bytes of fifth bits, nibbles
 *   Q6_K     128 bytes of nibbles, 64 bytes of pairs (the upper bits), 16 x int8 s, d
 *   IQ4_NL   d, nibbles as Q4_0
 *   IQ4_XS   d, 8 x two upper bits of s, 8 x four lower bits (s + 32), 8 x nibbles as Q4_0
 *   MXFP4    e (a byte), nibbles as Q4_0
 *   IQ3_S    d, the lower bytes of 64 numbers in the codebook, their ninth bits, 256 signs, 8 x
 *            nibbles: s is twice that, plus 1
 */
#include "formats/blocks.h"

#include "formats/iq3_s.h"
#include "simd/tile.h"

static uint16_t load16(const uint8_t *p)
{
    uint16_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* ---- Blocks of 32 ---- */

static void read_nibbles(const uint8_t *qs, uint8_t u[32])
{
    for (int i = 0; i < 16; i++) {
        u[i] = qs[i] & 15;
        u[i + 16] = qs[i] >> 4;
    }
}

static void add_fifth_bits(uint32_t bits, uint8_t u[32])
{
    for (int i = 0; i < 32; i++)
        u[i] |= (uint8_t)((bits >> i & 1) << 4);
}

static void read_q8_0(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    for (int i = 0; i < 32; i++)
        out->u[i] = b[2 + i] ^ 0x80;
}

static void read_q4_0(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    read_nibbles(b + 2, out->u);
}

static void read_q4_1(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    out->m = load16(b + 2);
    read_nibbles(b + 4, out->u);
}

static void read_q5_0(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    read_nibbles(b + 6, out->u);
    add_fifth_bits(load32(b + 2), out->u);
}

static void read_q5_1(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    out->m = load16(b + 2);
    read_nibbles(b + 8, out->u);
    add_fifth_bits(load32(b + 4), out->u);
}

static void read_mxfp4(const uint8_t *b, ith_block_numbers *out)
{
    out->d = b[0];
    read_nibbles(b + 1, out->u);
}

/* ---- Blocks of 256 ---- */

/* Low nibbles of 32 bytes are elements 0..31 of 64, high ones 32..63. */
static void read_nibbles_by_64(const uint8_t *qs, uint8_t u[256])
{
    for (int c = 0; c < 4; c++, qs += 32, u += 64)
        for (int i = 0; i < 32; i++) {
            u[i] = qs[i] & 15;
            u[i + 32] = qs[i] >> 4;
        }
}

/* Element 128n + 32j + i is bits 2j and 2j + 1 of byte 32n + i. */
static void read_pairs(const uint8_t *qs, uint8_t u[256])
{
    for (int n = 0; n < 2; n++, qs += 32, u += 128)
        for (int i = 0; i < 32; i++) {
            u[i] = qs[i] & 3;
            u[i + 32] = qs[i] >> 2 & 3;
            u[i + 64] = qs[i] >> 4 & 3;
            u[i + 96] = qs[i] >> 6;
        }
}

/* Bit j of byte i is bit `to` of element 32j + i. */
static void add_bits(const uint8_t bytes[32], int to, uint8_t u[256])
{
    for (int j = 0; j < 8; j++, u += 32)
        for (int i = 0; i < 32; i++)
            u[i] |= (uint8_t)((bytes[i] >> j & 1) << to);
}

/* The six bits each of eight s and t in twelve bytes. */
static void read_sixes(const uint8_t *b, ith_block_numbers *out)
{
    for (int i = 0; i < 4; i++) {
        out->s[i] = b[i] & 63;
        out->t[i] = b[i + 4] & 63;
        out->s[i + 4] = (int16_t)((b[i + 8] & 15) | b[i] >> 6 << 4);
        out->t[i + 4] = (uint8_t)(b[i + 8] >> 4 | b[i + 4] >> 6 << 4);
    }
}

static void read_q4_k(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    out->m = load16(b + 2);
    read_sixes(b + 4, out);
    read_nibbles_by_64(b + 16, out->u);
}

static void read_q5_k(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b);
    out->m = load16(b + 2);
    read_sixes(b + 4, out);
    read_nibbles_by_64(b + 48, out->u);
    add_bits(b + 16, 4, out->u);
}

static void read_q6_k(const uint8_t *b, ith_block_numbers *out)
{
    uint8_t *u = out->u;

    out->d = load16(b + 208);
    read_pairs(b + 128, u);
    for (int n = 0; n < 2; n++, u += 128)
        for (int i = 0; i < 64; i++) {
            u[i] = (uint8_t)(u[i] << 4 | (b[64 * n + i] & 15));
            u[i + 64] = (uint8_t)(u[i + 64] << 4 | b[64 * n + i] >> 4);
        }
    for (int i = 0; i < 16; i++)
        out->s[i] = (int8_t)b[192 + i];
}

static void read_q3_k(const uint8_t *b, ith_block_numbers *out)
{
    const uint8_t *lower = b + 96, *upper = b + 104;

    out->d = load16(b + 108);
    read_pairs(b + 32, out->u);
    add_bits(b, 2, out->u);
    for (int i = 0; i < 16; i++)
        out->s[i] = (int16_t)(((lower[i % 8] >> (i < 8 ? 0 : 4) & 15) |
                               (upper[i % 4] >> (i / 4 * 2) & 3) << 4) -
                              32);
}

static void read_q2_k(const uint8_t *b, ith_block_numbers *out)
{
    out->d = load16(b + 80);
    out->m = load16(b + 82);
    read_pairs(b + 16, out->u);
    for (int i = 0; i < 16; i++) {
        out->s[i] = b[i] & 15;
        out->t[i] = b[i] >> 4;
    }
}

static void read_iq4_xs(const uint8_t *b, ith_block_numbers *out)
{
    const uint16_t upper = load16(b + 2);

    out->d = load16(b);
    for (int i = 0; i < 8; i++) {
        int lower = b[4 + i / 2] >> (i % 2 * 4) & 15;
        out->s[i] = (int16_t)((lower | (upper >> (2 * i) & 3) << 4) - 32);
        read_nibbles(b + 8 + 16 * i, out->u + 32 * i);
    }
}

/* Magnitudes are odd, 1 to 15. u is 16 above the signed number. */
static void read_iq3_s(const uint8_t *b, ith_block_numbers *out)
{
    const uint8_t *qs = b + 2, *ninth = b + 66, *signs = b + 74, *scales = b + 106;

    out->d = load16(b);
    out->m = ith_f32_to_f16(16 * ith_f16_to_f32(out->d));
    for (int i = 0; i < 8; i++) {
        const int s = scales[i / 2] >> (i % 2 * 4) & 15;
        out->s[i] = (int16_t)(2 * s + 1);
        out->t[i] = (uint8_t)(2 * s + 1);
    }
    for (int i = 0; i < 256; i++) {
        const int k = qs[i / 4] | (ninth[i / 32] >> (i / 4 % 8) & 1) << 8;
        const int magnitude = 2 * (ith_iq3_s_codebook[k] >> (i % 4 * 3) & 7) + 1;
        out->u[i] = (uint8_t)(16 + (signs[i / 8] >> (i % 8) & 1 ? -magnitude : magnitude));
    }
}

/* ---- All ---- */

typedef struct block_type {
    void (*read)(const uint8_t *block, ith_block_numbers *out);
    ith_layout values; /* the layout with the same u, runs and minima */
} block_type;

static const block_type types[ITH_DTYPES] = {
    [ITH_DT_Q8_0] = {read_q8_0, ITH_W8},       [ITH_DT_Q4_0] = {read_q4_0, ITH_W4},
    [ITH_DT_Q4_1] = {read_q4_1, ITH_W4M},      [ITH_DT_Q5_0] = {read_q5_0, ITH_Q5_0},
    [ITH_DT_Q5_1] = {read_q5_1, ITH_Q5_1},     [ITH_DT_Q2_K] = {read_q2_k, ITH_Q2_K},
    [ITH_DT_Q3_K] = {read_q3_k, ITH_Q3_K},     [ITH_DT_Q4_K] = {read_q4_k, ITH_Q4_K},
    [ITH_DT_Q5_K] = {read_q5_k, ITH_Q5_K},     [ITH_DT_Q6_K] = {read_q6_k, ITH_Q6_K},
    [ITH_DT_IQ4_NL] = {read_q4_0, ITH_IQ4_NL}, [ITH_DT_IQ4_XS] = {read_iq4_xs, ITH_IQ4_XS},
    [ITH_DT_MXFP4] = {read_mxfp4, ITH_MXFP4},  [ITH_DT_IQ3_S] = {read_iq3_s, ITH_Q5_K},
};

void ith_block_read(ith_dtype dtype, const uint8_t *block, ith_block_numbers *out)
{
    out->s[0] = 1;
    types[dtype].read(block, out);
}

void ith_block_widen(ith_dtype dtype, const uint8_t *block, float *out)
{
    const ith_layout layout = types[dtype].values;
    const int n = ith_dtype_get(dtype)->block, in_run = ITH_GROUP / ith_tile_forms[layout].runs;
    const bool has_min = ith_tile_has_minima(layout);
    ith_block_numbers b;
    float d, m = 0;

    ith_block_read(dtype, block, &b);
    d = dtype == ITH_DT_MXFP4 ? ith_e8m0_half((uint8_t)b.d) : ith_f16_to_f32(b.d);
    if (has_min)
        m = n == 32 ? ith_f16_to_f32(b.m) : -ith_f16_to_f32(b.m);
    for (int i = 0; i < n; i++) {
        int run = i / in_run;
        float x = d * b.s[run] * (float)ith_tile_value(layout, b.u[i]);
        out[i] = has_min ? x + (n == 32 ? m : m * b.t[run]) : x;
    }
}
