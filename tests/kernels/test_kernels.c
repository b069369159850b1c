/* test_kernels.c - every variant of every kernel gives exactly the bits of the reference.
 *
 * Shapes around the edges of each tile, extreme values, poison in what must not be read. Inputs end
 * where memory ends (equal.h); outputs are compared together with the bytes around them.
 */
#include "simd/ref/exp2.h"
#include "simd/tile.h"
#include "tests/kernels/equal.h"

enum {
    MODERATE,
    EXTREME,
    LARGEST
}; /* operands of integer products; LARGEST: all are 127 and 255 */

/* ---- Products -------------------------------------------------------------------------------- */

/* A scale that satisfies the contract of ith_acts: not every float does. */
static float random_scale(prng *p, int extreme)
{
    if (!extreme)
        return ith_act_scale(prng_float(p, 0, 6.0f));
    switch (prng_int(p, 0, 3)) {
    case 0:
        return 0.0f;
    case 1: /* the largest of all */
        return 0x1p104f;
    default: /* subnormal numbers and those near them */
        return ith_f32_from_bits((uint32_t)prng_int(p, 0, 0x01000000) & ~3u);
    }
}

static ith_acts random_acts(prng *p, int64_t tokens, int64_t groups, int extreme)
{
    const size_t n = (size_t)(tokens * groups);
    ith_acts acts = {.quants = arena_take(&arenas[0], n * 32, 1),
                     .scales = arena_take(&arenas[1], n * 4, 4),
                     .shifts = arena_take(&arenas[8], n * 4, 4),
                     .sums = arena_take(&arenas[2], n * 4, 4),
                     .start8 = arena_take(&arenas[3], n * 4, 4),
                     .start128 = arena_take(&arenas[4], n * 4, 4),
                     .half128 = arena_take(&arenas[9], n * 8, 4),
                     .groups = groups};
    for (size_t i = 0; i < n; i++) {
        int32_t sums[2] = {0, 0};
        for (int c = 0; c < 32; c++) {
            int8_t q = (int8_t)(extreme ? (prng_int(p, 0, 3) || extreme == LARGEST ? 127 : -127)
                                        : prng_int(p, -127, 127));
            acts.quants[i * 32 + (size_t)c] = q;
            sums[c / 16] += q;
        }
        ith_acts_derive(&acts, (int64_t)i, random_scale(p, extreme), sums[0], sums[1]);
    }
    return acts;
}

/* One of the numbers d and m of a tile, at p: f16, or of mxfp4 a byte. Returns its bytes. */
static size_t put_random_number(prng *p, ith_layout layout, int extreme, uint8_t *at)
{
    uint16_t f16 =
        extreme ? (uint16_t)((uint64_t)prng_int(p, 0, 1) << 15 | (uint64_t)prng_int(p, 0, 0x3ff))
                : ith_f32_to_f16(prng_float(p, -0.1f, 0.1f));
    if (layout == ITH_MXFP4) {
        *at = (uint8_t)(extreme ? prng_int(p, 0, 3) : prng_int(p, 118, 130));
        return 1;
    }
    memcpy(at, &f16, 2);
    return 2;
}

static uint8_t *random_tiles(prng *p, ith_layout layout, int64_t n_tiles, int64_t groups,
                             int extreme)
{
    const size_t tile = ith_tile_bytes(layout, (size_t)groups),
                 quants = (size_t)ith_tile_d_at(layout, groups, 0),
                 end = quants +
                       (size_t)(groups / ith_tile_block(layout)) * ith_tile_forms[layout].numbers;
    uint8_t *w = arena_take(&arenas[5], (size_t)n_tiles * tile, 64);
    for (int64_t i = 0; i < n_tiles; i++, w += tile) {
        for (size_t j = 0; j < quants; j++)
            w[j] = extreme ? (uint8_t)(prng_int(p, 0, 3) && extreme != LARGEST ? 0 : 255)
                           : (uint8_t)prng_next(p);
        for (size_t j = quants; j < end;)
            j += put_random_number(p, layout, extreme, w + j);
    }
    return w - (size_t)n_tiles * tile;
}

/* Of `blocks` blocks of the layout. */
static void check_gemm(ith_layout layout, int64_t n_tiles, int64_t n_tokens, int64_t blocks,
                       int extreme)
{
    const int64_t groups = blocks * ith_tile_block(layout);
    prng p = {(uint64_t)(layout * 1000003 + n_tiles * 10007 + n_tokens * 101 + groups)};
    const ith_acts acts = random_acts(&p, n_tokens, groups, extreme);
    const uint8_t *tiles = random_tiles(&p, layout, n_tiles, groups, extreme);
    const int64_t ld = n_tiles * 16 + 3;
    const size_t bytes = n_tokens ? (size_t)((n_tokens - 1) * ld + n_tiles * 16) * 4 : 0;
    float *expected = arena_take(&arenas[6], bytes, 4);
    ref->gemm[layout](n_tiles, n_tokens, tiles, &acts, expected, ld);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[7], bytes, 4);
        k->gemm[layout](n_tiles, n_tokens, tiles, &acts, out, ld);
        SAME(k, expected, out, bytes, "layout %d, %d tiles, %d tokens, %d groups", (int)layout,
             (int)n_tiles, (int)n_tokens, (int)groups);
    }
}

static void gemm_shapes(ith_layout layout)
{
    static const int64_t long_tokens[] = {0, 1, 2, 3, 5, 6, 7, 12, 13, 33};
    const int64_t b = ith_tile_block(layout);
    for (int64_t tiles = 1; tiles <= 5; tiles++)
        for (int64_t tokens = 0; tokens <= 33; tokens++)
            for (int64_t groups = 1; groups <= (b > 1 ? 2 : 7); groups++)
                if (in_sample(tiles, tokens, groups, b > 1 ? 2 : 5))
                    check_gemm(layout, tiles, tokens, groups,
                               (tiles + tokens + groups) % 3 == 0 ? EXTREME : MODERATE);
    for (size_t i = 0; i < sizeof long_tokens / sizeof *long_tokens; i++)
        check_gemm(layout, 3, long_tokens[i], 128 / b, i % 2 ? EXTREME : MODERATE);
    for (int64_t tokens = 1; tokens <= 9; tokens++)
        check_gemm(layout, 3, tokens, b > 1 ? 1 : 4, LARGEST);
    for (int64_t groups = 14; groups <= 50;
         groups += groups % 16 == 2 ? 12 : 1) /* around stretches of 16 */
        for (int64_t tokens = 7; groups % b == 0 && tokens <= 41; tokens += tokens < 10 ? 1 : 7)
            check_gemm(layout, in_sample(groups, tokens, 0, 4) ? 1 + groups / b % 4 : 1, tokens,
                       groups / b, tokens % 2 ? EXTREME : MODERATE);
    for (int64_t tokens = 191; tokens <= 194; tokens++) /* around panels of tokens */
        check_gemm(layout, sample ? 1 + tokens % 3 : 3, tokens, b > 1 ? 3 : 18, MODERATE);
    check_gemm(layout, 2, 400, b > 1 ? 1 : 5, MODERATE);
    check_gemm(layout, 1, 103, 384 / b, MODERATE); /* more tokens than a panel of them takes */
}

#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    static void gemm_##name##_equals_reference(void **state)                                       \
    {                                                                                              \
        (void)state;                                                                               \
        gemm_shapes(ITH_##constant);                                                               \
    }
#include "simd/layouts.inc"

/* Products as the contract of float layouts defines them, from plain rows w[16 * tile + r][k]. */
static void chain(int64_t n_tiles, int64_t n_tokens, int64_t n_cols, const float *w, const float *x,
                  int64_t ld_x, float *out, int64_t ld_out)
{
    for (int64_t t = 0; t < n_tokens; t++)
        for (int64_t row = 0; row < 16 * n_tiles; row++) {
            float acc = 0.0f;
            for (int64_t k = 0; k < n_cols; k++)
                acc = fmaf(x[t * ld_x + k], w[row * n_cols + k], acc);
            out[t * ld_out + row] = acc;
        }
}

static void check_gemm_float(ith_layout layout, int64_t n_tiles, int64_t n_tokens, int64_t n_cols,
                             int kind)
{
    prng p = {(uint64_t)(layout * 1000003 + n_tiles * 10007 + n_tokens * 101 + n_cols)};
    const size_t groups = (size_t)(n_cols + 31) / 32, tile = ith_tile_bytes(layout, groups);
    const int64_t ld_x = n_cols + 5, ld = n_tiles * 16 + 3, rows = 16 * n_tiles;
    const size_t bytes = n_tokens ? (size_t)((n_tokens - 1) * ld + rows) * 4 : 0;
    float *w = floats(0, &p, rows * n_cols, kind),
          *x = floats(1, &p, n_tokens ? n_tokens * ld_x - 5 : 0, kind);
    uint8_t *tiles = arena_take(&arenas[2], (size_t)n_tiles * tile, 64);
    float *expected = arena_take(&arenas[3], bytes, 4);

    for (int64_t t = 0; t + 1 < n_tokens; t++) /* nothing between the rows is read */
        for (int64_t i = 0; i < 5; i++)
            x[t * ld_x + n_cols + i] = NAN;
    memset(tiles, 0xff, (size_t)n_tiles * tile); /* NaN in the columns past the end */
    for (int64_t row = 0; row < rows; row++)
        for (int64_t k = 0; k < n_cols; k++) {
            const int64_t at = k * 16 + row % 16;
            const uint16_t half = ith_f32_to_bf16(w[row * n_cols + k]);
            if (layout == ITH_BF16) {
                w[row * n_cols + k] = ith_bf16_to_f32(half);
                memcpy(tiles + (size_t)(row / 16) * tile + at * 2, &half, 2);
            } else
                memcpy(tiles + (size_t)(row / 16) * tile + at * 4, w + row * n_cols + k, 4);
        }
    chain(n_tiles, n_tokens, n_cols, w, x, ld_x, expected, ld);
    const ith_acts acts = {.x = x, .ld_x = ld_x, .n_cols = n_cols};
    for (const ith_kernels *const *v = variants, *k = entered(ref); k; k = next_of(k, *v++)) {
        float *out = arena_take(&arenas[4], bytes, 4);
        k->gemm[layout](n_tiles, n_tokens, tiles, &acts, out, ld);
        SAME(k, expected, out, bytes, "layout %d, %d tiles, %d tokens, %d columns, kind %d",
             (int)layout, (int)n_tiles, (int)n_tokens, (int)n_cols, kind);
    }
}

static void gemm_float_shapes(ith_layout layout)
{
    static const int64_t cols[] = {1, 2, 31, 32, 33, 70};
    for (int64_t tiles = 1; tiles <= 9; tiles++)
        for (int64_t tokens = 0; tokens <= 18; tokens++)
            for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
                check_gemm_float(layout, tiles, tokens, cols[i], PLAIN);
    for (int kind = 0; kind < KINDS; kind++)
        for (int64_t tokens = 1; tokens <= 9; tokens += 2)
            check_gemm_float(layout, 5, tokens, 100, kind);
    check_gemm_float(layout, 3, 7, 2000, WIDE);
}

static void gemm_bf16_equals_reference(void **state)
{
    (void)state;
    gemm_float_shapes(ITH_BF16);
}

static void gemm_f32_equals_reference(void **state)
{
    (void)state;
    gemm_float_shapes(ITH_F32T);
}

/* ---- Quantization ---------------------------------------------------------------------------- */

static ith_acts empty_acts(int first_arena, int half_arena, int64_t tokens, int64_t groups)
{
    const size_t n = (size_t)(tokens * groups);
    return (ith_acts){.quants = arena_take(&arenas[first_arena], n * 32, 1),
                      .scales = arena_take(&arenas[first_arena + 1], n * 4, 4),
                      .shifts = arena_take(&arenas[first_arena + 5], n * 4, 4),
                      .sums = arena_take(&arenas[first_arena + 2], n * 4, 4),
                      .start8 = arena_take(&arenas[first_arena + 3], n * 4, 4),
                      .start128 = arena_take(&arenas[first_arena + 4], n * 4, 4),
                      .half128 = arena_take(&arenas[half_arena], n * 8, 4),
                      .groups = groups};
}

/* Quantizes into the groups from `first` on, in rows of `groups` groups. */
static void check_quantize(prng *p, int64_t n, int64_t first, int64_t groups, int kind)
{
    const float *x = floats(12, p, n, kind);
    for (int64_t token = 0; token < 2; token++) {
        const size_t bytes = (size_t)(2 * groups) * 4;
        const ith_acts expected = empty_acts(0, 13, 2, groups);
        ref->quantize(n, x, &expected, token, first);
        EACH_VARIANT(k)
        {
            const ith_acts got = empty_acts(6, 14, 2, groups);
            k->quantize(n, x, &got, token, first);
            SAME(k, expected.quants, got.quants, bytes * 8, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
            SAME(k, expected.scales, got.scales, bytes, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
            SAME(k, expected.sums, got.sums, bytes, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
            SAME(k, expected.shifts, got.shifts, bytes, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
            SAME(k, expected.start8, got.start8, bytes, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
            SAME(k, expected.start128, got.start128, bytes, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
            SAME(k, expected.half128, got.half128, 2 * bytes, "n %d of %d groups, kind %d", (int)n,
                 (int)groups, kind);
        }
    }
}

static void quantize_equals_reference(void **state)
{
    (void)state;
    prng p = {1};
    for (int kind = 0; kind <= NEAR_LIMIT; kind++)
        for (int64_t n = 0; n <= 100; n++) {
            check_quantize(&p, n, 0, (n + 31) / 32, kind);
            check_quantize(&p, n, n % 3, (n + 31) / 32 + 3, kind);
        }
    for (int kind = 0; kind <= NEAR_LIMIT; kind++) /* several groups at a time, and some left */
        for (int64_t n = 128; n <= 300; n += 43)
            check_quantize(&p, n, n % 3, (n + 31) / 32 + 3, kind);
    check_quantize(&p, 4096, 0, 128, PLAIN);
}

/* Wherever a number is not finite, or too large for a scale, the scales say so. */
static void check_broken(const ith_kernels *k, int n, int at, float broken)
{
    prng p = {3};
    float *x = floats(12, &p, n, PLAIN);
    const ith_acts acts = empty_acts(0, 6, 1, (n + 31) / 32);
    int8_t *head = arena_take(&arenas[7], (size_t)(n + 15) / 16 * 16, 1);
    const int finite = fabsf(broken) <= FLT_MAX;

    x[at] = broken;
    k->quantize(n, x, &acts, 0, 0);
    for (int g = 0; g < (n + 31) / 32; g++)
        assert_int_equal(acts.scales[g] == ITH_ACT_SCALE_MOST, g == at / 32);
    assert_int_equal(isfinite(k->quantize_head(n, x, NULL, head)) != 0, finite);
    assert_int_equal(isfinite(ith_bf16_to_f32(k->quantize_head_bf16(n, x, NULL, head))) != 0,
                     finite);
}

static void broken_numbers_show_in_scales(void **state)
{
    (void)state;
    const float broken[] = {NAN, -NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX};
    for (int n = 1; n <= 161; n += n < 64 ? 7 : 97)
        for (int at = 0; at < n; at++)
            for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
                check_broken(ref, n, at, broken[i]);
                EACH_VARIANT(k)
                check_broken(k, n, at, broken[i]);
            }
}

static const int head_dims[] = {16, 20, 32, 64, 80, 96, 128, 256};
enum { HEAD_DIMS = sizeof head_dims / sizeof head_dims[0] };

static void check_head(prng *p, int d, int kind, bool biased)
{
    const int dp = (d + 15) / 16 * 16;
    const float *x = floats(0, p, d, kind),
                *bias = biased ? floats(1, p, d, kind == HUGE_VALUES ? PLAIN : kind) : NULL;
    int8_t *expected = arena_take(&arenas[2], (size_t)dp, 1),
           *expected_b = arena_take(&arenas[3], (size_t)dp, 1);
    const float scale = ref->quantize_head(d, x, bias, expected);
    const uint16_t scale_b = ref->quantize_head_bf16(d, x, bias, expected_b);
    EACH_VARIANT(k)
    {
        int8_t *out = arena_take(&arenas[4], (size_t)dp, 1),
               *out_b = arena_take(&arenas[5], (size_t)dp, 1);
        const float got = k->quantize_head(d, x, bias, out);
        const uint16_t got_b = k->quantize_head_bf16(d, x, bias, out_b);
        SAME(k, expected, out, (size_t)dp, "d %d, kind %d, bias %d", d, kind, biased);
        SAME(k, expected_b, out_b, (size_t)dp, "d %d, kind %d, bias %d", d, kind, biased);
        if (memcmp(&scale, &got, 4) != 0 || scale_b != got_b)
            fail_msg("%s: head scales of d %d, kind %d, bias %d", k->name, d, kind, biased);
    }
}

static void quantize_head_equals_reference(void **state)
{
    (void)state;
    prng p = {2};
    for (int kind = 0; kind < KINDS; kind++)
        for (int biased = 0; biased < 2; biased++) {
            for (int d = 1; d <= 70; d++)
                check_head(&p, d, kind, biased);
            for (int i = 0; i < HEAD_DIMS; i++)
                check_head(&p, head_dims[i], kind, biased);
        }
}

static void kv_put_equals_reference(void **state)
{
    (void)state;
    prng p = {3};
    for (int i = 0; i < HEAD_DIMS; i++) {
        const int d = head_dims[i], dp = (d + 15) / 16 * 16;
        const size_t bytes = ith_kv_block_bytes(ITH_KVL_Q8, d);
        int8_t *key = arena_take(&arenas[0], (size_t)dp, 1),
               *value = arena_take(&arenas[1], (size_t)dp, 1);
        uint8_t *expected = arena_take(&arenas[2], bytes, 64);
        for (int slot = 0; slot < ITH_KV_BLOCK; slot++) {
            for (int c = 0; c < dp; c++) {
                key[c] = (int8_t)prng_int(&p, -128, 127);
                value[c] = (int8_t)prng_int(&p, -128, 127);
            }
            uint16_t ks = (uint16_t)prng_next(&p), vs = (uint16_t)prng_next(&p);
            memset(expected, ARENA_FILL, bytes);
            ref->kv_put_q8(expected, d, slot, key, value, ks, vs);
            EACH_VARIANT(k)
            {
                uint8_t *block = arena_take(&arenas[3], bytes, 64);
                k->kv_put_q8(block, d, slot, key, value, ks, vs);
                SAME(k, expected, block, bytes, "d %d, slot %d", d, slot);
            }
        }
    }
}

/* ---- Vectors --------------------------------------------------------------------------------- */

static void check_vectors(prng *p, int64_t n, int kind)
{
    const size_t bytes = (size_t)n * 4;
    const int second = kind == HUGE_VALUES ? PLAIN : kind;
    const float *x = floats(0, p, n, kind), *y = floats(1, p, n, second);
    float *expected = copy(2, x, n);
    ref->add(n, expected, y);
    EACH_VARIANT(k)
    {
        float *out = copy(3, x, n);
        k->add(n, out, y);
        SAME(k, expected, out, bytes, "add, n %d, kind %d", (int)n, kind);
    }
    memcpy(expected, x, bytes);
    ref->scale(n, expected, 0.3f);
    EACH_VARIANT(k)
    {
        float *out = copy(3, x, n);
        k->scale(n, out, 0.3f);
        SAME(k, expected, out, bytes, "scale, n %d, kind %d", (int)n, kind);
    }
    memcpy(expected, x, bytes);
    ref->add_scaled(n, expected, 0.3f, y);
    EACH_VARIANT(k)
    {
        float *out = copy(3, x, n);
        k->add_scaled(n, out, 0.3f, y);
        SAME(k, expected, out, bytes, "add_scaled, n %d, kind %d", (int)n, kind);
    }
    ref->rmsnorm(n, x, y, 1e-6f, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4), *in_place = copy(4, x, n);
        k->rmsnorm(n, x, y, 1e-6f, out);
        k->rmsnorm(n, in_place, y, 1e-6f, in_place);
        SAME(k, expected, out, bytes, "rmsnorm, n %d, kind %d", (int)n, kind);
        SAME(k, expected, in_place, bytes, "rmsnorm, n %d, kind %d", (int)n, kind);
    }
    ref->silu_mul(n, x, y, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4), *over_g = copy(4, x, n),
              *over_u = copy(5, y, n);
        k->silu_mul(n, x, y, out);
        k->silu_mul(n, over_g, y, over_g);
        k->silu_mul(n, x, over_u, over_u);
        SAME(k, expected, out, bytes, "silu_mul, n %d, kind %d", (int)n, kind);
        SAME(k, expected, over_g, bytes, "silu_mul, n %d, kind %d", (int)n, kind);
        SAME(k, expected, over_u, bytes, "silu_mul, n %d, kind %d", (int)n, kind);
    }
    const ith_swiglu form = {1.702f, 2.5f, 1.0f};
    ref->swiglu(n, x, y, &form, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4), *over_g = copy(4, x, n),
              *over_u = copy(5, y, n);
        k->swiglu(n, x, y, &form, out);
        k->swiglu(n, over_g, y, &form, over_g);
        k->swiglu(n, x, over_u, &form, over_u);
        SAME(k, expected, out, bytes, "swiglu, n %d, kind %d", (int)n, kind);
        SAME(k, expected, over_g, bytes, "swiglu, n %d, kind %d", (int)n, kind);
        SAME(k, expected, over_u, bytes, "swiglu, n %d, kind %d", (int)n, kind);
    }
    ref->gelu(n, x, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4), *in_place = copy(4, x, n);
        k->gelu(n, x, out);
        k->gelu(n, in_place, in_place);
        SAME(k, expected, out, bytes, "gelu, n %d, kind %d", (int)n, kind);
        SAME(k, expected, in_place, bytes, "gelu, n %d, kind %d", (int)n, kind);
    }
    ref->gelu_erf(n, x, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4), *in_place = copy(4, x, n);
        k->gelu_erf(n, x, out);
        k->gelu_erf(n, in_place, in_place);
        SAME(k, expected, out, bytes, "gelu_erf, n %d, kind %d", (int)n, kind);
        SAME(k, expected, in_place, bytes, "gelu_erf, n %d, kind %d", (int)n, kind);
    }
    ref->relu2(n, x, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4), *in_place = copy(4, x, n);
        k->relu2(n, x, out);
        k->relu2(n, in_place, in_place);
        SAME(k, expected, out, bytes, "relu2, n %d, kind %d", (int)n, kind);
        SAME(k, expected, in_place, bytes, "relu2, n %d, kind %d", (int)n, kind);
    }
    memcpy(expected, x, bytes);
    ref->softcap(n, expected, 3.7f);
    EACH_VARIANT(k)
    {
        float *out = copy(3, x, n);
        k->softcap(n, out, 3.7f);
        SAME(k, expected, out, bytes, "softcap, n %d, kind %d", (int)n, kind);
    }
    memcpy(expected, x, bytes);
    ref->mul(n, expected, y);
    EACH_VARIANT(k)
    {
        float *out = copy(3, x, n);
        k->mul(n, out, y);
        SAME(k, expected, out, bytes, "mul, n %d, kind %d", (int)n, kind);
    }
    ref->layernorm(n, x, y, NULL, 1e-6f, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[3], bytes, 4);
        const float squares = ref->sum_squares(n, x), got = k->sum_squares(n, x);
        k->layernorm(n, x, y, NULL, 1e-6f, out);
        SAME(k, expected, out, bytes, "layernorm, n %d, kind %d", (int)n, kind);
        if (memcmp(&squares, &got, 4) != 0)
            fail_msg("%s: sum_squares, n %d, kind %d", k->name, (int)n, kind);
    }
    const float max = ref->max(n, x), sum = ref->sum_exp(n, x, max);
    EACH_VARIANT(k)
    {
        const float got_max = k->max(n, x), got_sum = k->sum_exp(n, x, max);
        if (memcmp(&max, &got_max, 4) != 0 || memcmp(&sum, &got_sum, 4) != 0)
            fail_msg("%s: max or sum_exp, n %d, kind %d", k->name, (int)n, kind);
    }
}

static void vectors_equal_reference(void **state)
{
    (void)state;
    prng p = {4};
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t n = 1; n <= 70; n++)
            check_vectors(&p, n, kind);
        check_vectors(&p, 1000, kind);
        check_vectors(&p, 4096, kind);
    }
}

static void silu_reaches_its_limits(void **state)
{
    (void)state;
    static const float g[] = {-1e30f, -1000.0f, -88.0f, -87.0f,  -87.4f,
                              86.9f,  87.4f,    88.0f,  1000.0f, 1e30f};
    enum { N = sizeof g / sizeof g[0] };
    prng p = {5};
    const float *u = floats(0, &p, N, PLAIN);
    float expected[N];
    ref->silu_mul(N, g, u, expected);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[1], sizeof expected, 4);
        k->silu_mul(N, g, u, out);
        SAME(k, expected, out, sizeof expected, "limits of silu");
    }
}

static void rope_equals_reference(void **state)
{
    (void)state;
    prng p = {6};
    for (int kind = 0; kind < KINDS; kind++)
        for (int d = 2; d <= 256; d += d < 140 ? 2 : 16) {
            const float *x = floats(0, &p, d, kind), *c = floats(1, &p, d / 2, PLAIN),
                        *s = floats(2, &p, d / 2, PLAIN);
            float *expected = copy(3, x, d);
            ref->rope(d, expected, c, s);
            EACH_VARIANT(k)
            {
                float *out = copy(4, x, d);
                k->rope(d, out, c, s);
                SAME(k, expected, out, (size_t)d * 4, "rope, d %d, kind %d", d, kind);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ITH_QUANTS(constant, name, quants, small, numbers, block, runs)                            \
    cmocka_unit_test(gemm_##name##_equals_reference),
#include "simd/layouts.inc"
        cmocka_unit_test(gemm_bf16_equals_reference),
        cmocka_unit_test(gemm_f32_equals_reference),
        cmocka_unit_test(quantize_equals_reference),
        cmocka_unit_test(quantize_head_equals_reference),
        cmocka_unit_test(broken_numbers_show_in_scales),
        cmocka_unit_test(kv_put_equals_reference),
        cmocka_unit_test(vectors_equal_reference),
        cmocka_unit_test(silu_reaches_its_limits),
        cmocka_unit_test(rope_equals_reference),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
