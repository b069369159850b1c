/* test_reference.c - the scalar reference is close to the mathematics it implements, computed in
 * double precision. */
#include "tests/kernels/equal.h"

/* Tolerances. RELATIVE ones are relative to the sum of the magnitudes of the terms. */
static const double EXP2_RELATIVE = 2e-7;
static const double PRODUCT_RELATIVE = 2e-6;
static const double VECTOR_RELATIVE = 1e-6;
static const double ATTN_FLOAT = 2e-5; /* of the largest value */
/* of the largest value: weights are rounded to 1/255 of the largest in their block */
static const double ATTN_Q8 = 1e-3;

#define CLOSE(got, expected, tolerance, ...)                                                       \
    do {                                                                                           \
        const double got_ = (got), expected_ = (expected);                                         \
        if (!(fabs(got_ - expected_) <= (tolerance))) {                                            \
            char case_[200];                                                                       \
            snprintf(case_, sizeof case_, __VA_ARGS__);                                            \
            fail_msg("%s: %.9g, expected %.9g within %.2g", case_, got_, expected_,                \
                     (double)(tolerance));                                                         \
        }                                                                                          \
    } while (0)

static void halves_are_exact(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const int exponent = h >> 10 & 31, mantissa = h & 1023;
        const double magnitude =
            exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        if (exponent == 31)
            continue;
        CLOSE(ith_f16_to_f32((uint16_t)h), h & 0x8000 ? -magnitude : magnitude, 0.0, "f16 %x", h);
        assert_int_equal(ith_f32_to_f16(ith_f16_to_f32((uint16_t)h)), h);
        if ((h & 0x7fff) < 0x7bff) { /* halfway to the next: to even; just past it: up */
            const float half =
                0.5f * (ith_f16_to_f32((uint16_t)h) + ith_f16_to_f32((uint16_t)(h + 1)));
            assert_int_equal(ith_f32_to_f16(half), h + (h & 1));
            assert_int_equal(ith_f32_to_f16(ith_f32_from_bits(ith_f32_bits(half) + 1)), h + 1);
        }
    }
    assert_int_equal(ith_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(ith_f32_to_bf16(ith_f32_from_bits(0x3f808000)), 0x3f80);
    assert_int_equal(ith_f32_to_bf16(ith_f32_from_bits(0x3f818000)), 0x3f82);
    assert_int_equal(ith_f32_to_bf16_up(ith_f32_from_bits(0x3f800001)), 0x3f81);
    assert_int_equal(ith_f32_to_bf16_up(1.0f), 0x3f80);
}

static void exp2_is_near(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 0x42fc0000; u += 977)
        for (int sign = 0; sign < 2; sign++) {
            const float x = ith_f32_from_bits(u | (uint32_t)sign << 31);
            const double exact = exp2((double)x);
            CLOSE(ith_exp2(x), exact, EXP2_RELATIVE * exact, "exp2 of %.9g", (double)x);
        }
    for (int n = -126; n <= 127; n++)
        CLOSE(ith_exp2((float)n), ldexp(1.0, n), 0.0, "exp2 of %d", n);
    assert_true(ith_exp2(-126.01f) == 0.0f);
    assert_true(ith_exp2(-INFINITY) == 0.0f);
}

/* The layouts, by their description alone: what a group has of each plane, and the rest. */
typedef struct described {
    ith_layout layout;
    int bytes, nibbles, pairs, bits; /* planes: 0 or 1 of each */
    int block, run, small, zero;     /* groups; columns; bytes; zero point */
    bool minima;
} described;

static const described layouts[] = {
    {ITH_W8, 1, 0, 0, 0, 1, 32, 0, 128, false},   {ITH_W4, 0, 1, 0, 0, 1, 32, 0, 8, false},
    {ITH_W4M, 0, 1, 0, 0, 1, 32, 0, 0, true},     {ITH_Q5_0, 0, 1, 0, 1, 1, 32, 0, 16, false},
    {ITH_Q5_1, 0, 1, 0, 1, 1, 32, 0, 0, true},    {ITH_Q2_K, 0, 0, 1, 0, 8, 16, 32, 0, true},
    {ITH_Q3_K, 0, 0, 1, 1, 8, 16, 32, 4, false},  {ITH_Q4_K, 0, 1, 0, 0, 8, 32, 32, 0, true},
    {ITH_Q5_K, 0, 1, 0, 1, 8, 32, 32, 0, true},   {ITH_Q6_K, 0, 1, 1, 0, 8, 16, 32, 32, false},
    {ITH_IQ4_NL, 0, 1, 0, 0, 1, 32, 0, 0, false}, {ITH_IQ4_XS, 0, 1, 0, 0, 8, 32, 16, 0, false},
    {ITH_MXFP4, 0, 1, 0, 0, 1, 32, 0, 0, false}};

/* Bytes of the blocks of a tile. */
static size_t block_bytes(const described *l, int64_t groups)
{
    return (size_t)groups *
           (size_t)(512 * l->bytes + 256 * l->nibbles + 128 * l->pairs + 64 * l->bits + l->small);
}

static int quant(const described *l, const uint8_t *group, int r, int c)
{
    int u = 0, shift = 0;
    if (l->bytes)
        return group[c / 4 * 64 + 4 * r + c % 4];
    if (l->nibbles) {
        u = group[c % 16 / 4 * 64 + 4 * r + c % 4] >> (c < 16 ? 0 : 4) & 15;
        group += 256;
        shift = 4;
    }
    if (l->pairs) {
        u |= (group[c / 4 % 2 * 64 + 4 * r + c % 4] >> (c / 8 * 2) & 3) << shift;
        group += 128;
        shift += 2;
    }
    return l->bits ? u | (group[4 * r + c % 4] >> (c / 4) & 1) << shift : u;
}

static double f16_at(const uint8_t *at)
{
    uint16_t f16;
    memcpy(&f16, at, 2);
    return (double)ith_f16_to_f32(f16);
}

/* The weight in column c and row r of a tile. */
static double weight(const described *l, const uint8_t *tile, int64_t groups, int r, int64_t c)
{
    static const int iq4[] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113},
                     fp4[] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const int64_t block = c / (32 * l->block), blocks = groups / l->block;
    const int g = (int)(c / 32 % l->block);
    const size_t quants = block_bytes(l, 1) - (size_t)l->small;
    const uint8_t *at = tile + (size_t)block * block_bytes(l, l->block);
    const uint8_t *small = at + (size_t)l->block * quants + g * l->small + r;
    const uint8_t *d = tile + block_bytes(l, groups) + (block * 16 + r) * 2;
    const int u = quant(l, at + (size_t)g * quants, r, (int)(c % 32)), half = 16 * (c % 32 / 16);
    switch (l->layout) {
    case ITH_Q4_K:
    case ITH_Q5_K:
        return f16_at(d) * small[0] * u - f16_at(d + 32 * blocks) * small[16];
    case ITH_Q2_K:
        return f16_at(d) * (small[half] & 15) * u - f16_at(d + 32 * blocks) * (small[half] >> 4);
    case ITH_Q3_K:
    case ITH_Q6_K:
        return f16_at(d) * (int8_t)small[half] * (u - l->zero);
    case ITH_IQ4_XS:
        return f16_at(d) * (int8_t)small[0] * iq4[u];
    case ITH_IQ4_NL:
        return f16_at(d) * iq4[u];
    case ITH_MXFP4:
        return ldexp(fp4[u], tile[block_bytes(l, groups) + (size_t)(block * 16 + r)] - 128);
    default:
        return l->minima ? f16_at(d) * u + f16_at(d + 32 * blocks) : f16_at(d) * (u - l->zero);
    }
}

static void gemm_is_near(void **state)
{
    (void)state;
    enum { GROUPS = 16, K = 32 * GROUPS, TOKENS = 3, TILES = 2 };
    prng p = {21};
    int8_t quants[TOKENS * K];
    float x[K], scales[TOKENS * GROUPS], shifts[TOKENS * GROUPS], sums[TOKENS * GROUPS],
        out[TOKENS * 16 * TILES];
    int32_t start8[TOKENS * GROUPS], start128[TOKENS * GROUPS], half128[TOKENS * 2 * GROUPS];
    const ith_acts acts = {.quants = quants,
                           .scales = scales,
                           .shifts = shifts,
                           .sums = sums,
                           .start8 = start8,
                           .start128 = start128,
                           .half128 = half128,
                           .groups = GROUPS};
    for (int t = 0; t < TOKENS; t++) {
        for (int c = 0; c < K; c++)
            x[c] = prng_float(&p, -2.0f, 2.0f);
        ref->quantize(K, x, &acts, t, 0);
        for (int c = 0; c < K; c++) /* half a step of the group's scale */
            CLOSE(quants[t * K + c] * (double)scales[t * GROUPS + c / 32], x[c],
                  0.5001 * (double)scales[t * GROUPS + c / 32], "quantize, column %d", c);
    }
    for (size_t n = 0; n < sizeof layouts / sizeof *layouts; n++) {
        const described *l = &layouts[n];
        const ith_layout layout = l->layout;
        const size_t tile_bytes = ith_tile_bytes(layout, GROUPS),
                     first_scale = block_bytes(l, GROUPS);
        uint8_t *tiles = arena_take(&arenas[0], TILES * tile_bytes, 64);
        for (size_t i = 0; i < TILES * tile_bytes; i++)
            tiles[i] = (uint8_t)prng_next(&p);
        for (size_t i = 0; i < TILES; i++)
            for (size_t j = first_scale; j < tile_bytes; j += 2) {
                const uint16_t f16 = ith_f32_to_f16(prng_float(&p, -0.1f, 0.1f));
                memcpy(tiles + i * tile_bytes + j, &f16, 2);
            }
        for (size_t j = first_scale; layout == ITH_MXFP4 && j < TILES * tile_bytes; j++)
            if (j % tile_bytes >= first_scale)
                tiles[j] = (uint8_t)prng_int(&p, 120, 130);
        ref->gemm[layout](TILES, TOKENS, tiles, &acts, out, 16 * TILES);
        for (int t = 0; t < TOKENS; t++)
            for (int row = 0; row < 16 * TILES; row++) {
                double sum = 0, magnitude = 0;
                for (int c = 0; c < K; c++) {
                    const double a = quants[t * K + c] * (double)scales[t * GROUPS + c / 32];
                    const double w =
                        weight(l, tiles + (size_t)(row / 16) * tile_bytes, GROUPS, row % 16, c);
                    sum += a * w;
                    magnitude += fabs(a * w);
                }
                CLOSE(out[t * 16 * TILES + row], sum, PRODUCT_RELATIVE * magnitude,
                      "layout %d, token %d, row %d", (int)layout, t, row);
            }
    }
}

static void check_layernorm(int n, const float *x, const float *w, float *out)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < n; i++)
        mean += (double)x[i] / n;
    for (int i = 0; i < n; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
    for (int bias = 0; bias < 2; bias++) {
        ref->layernorm(n, x, w, bias ? x : NULL, 1e-5f, out);
        for (int i = 0; i < n; i++)
            CLOSE(out[i], ((double)x[i] - mean) / sqrt(variance + 1e-5) * w[i] + (bias ? x[i] : 0),
                  VECTOR_RELATIVE * 30, "layernorm %d", i);
    }
    CLOSE(ref->sum_squares(n, x), (variance + mean * mean) * n, VECTOR_RELATIVE * 30000,
          "sum_squares");
}

static void vectors_are_near(void **state)
{
    (void)state;
    enum { N = 531 };
    prng p = {22};
    float x[N], y[N], out[N];
    double squares = 0, largest = -INFINITY, sum = 0;
    for (int i = 0; i < N; i++) {
        x[i] = prng_float(&p, -9.0f, 9.0f);
        y[i] = prng_float(&p, -2.0f, 2.0f);
        squares += (double)x[i] * x[i];
        largest = x[i] > largest ? x[i] : largest;
    }
    ref->rmsnorm(N, x, y, 1e-5f, out);
    for (int i = 0; i < N; i++) {
        const double exact = x[i] / sqrt(squares / N + 1e-5) * y[i];
        CLOSE(out[i], exact, VECTOR_RELATIVE * fabs(exact), "rmsnorm %d", i);
    }
    ref->silu_mul(N, x, y, out);
    for (int i = 0; i < N; i++) {
        const double exact = x[i] / (1 + exp(-(double)x[i])) * y[i];
        CLOSE(out[i], exact, VECTOR_RELATIVE * fabs(exact) * (1 + fabs((double)x[i])),
              "silu_mul %d", i);
        sum += exp(x[i] - largest);
    }
    ref->swiglu(N, x, y, &(ith_swiglu){1.5f, 1.25f, 0.75f}, out);
    for (int i = 0; i < N; i++) {
        const double g = fmin((double)x[i], 1.25), u = fmax(fmin((double)y[i], 1.25), -1.25),
                     exact = g / (1 + exp(-1.5 * g)) * (u + 0.75);
        CLOSE(out[i], exact, VECTOR_RELATIVE * (fabs(exact) * (1 + fabs(g)) + 1e-6), "swiglu %d",
              i);
    }
    ref->gelu(N, x, out);
    for (int i = 0; i < N; i++) {
        const double v = x[i],
                     exact = v / 2 * (1 + tanh(0.7978845608028654 * (v + 0.044715 * v * v * v)));
        CLOSE(out[i], exact, VECTOR_RELATIVE * (fabs(exact) * 60 + 1e-3), "gelu %d", i);
    }
    ref->gelu_erf(N, x, out);
    for (int i = 0; i < N; i++) {
        const double v = x[i], exact = v / 2 * erfc(-v / sqrt(2.0));
        CLOSE(out[i], exact, 2e-6 * fabs(exact) + 1e-7, "gelu_erf %d", i);
    }
    ref->relu2(N, x, out);
    for (int i = 0; i < N; i++)
        assert_true(out[i] == (x[i] > 0 ? x[i] * x[i] : 0));
    memcpy(out, x, sizeof out);
    out[N / 2] = NAN;
    ref->relu2(N, out, out);
    for (int i = 0; i < N; i++) /* NaN stays, so that it is found where results are checked */
        assert_true((isnan(out[i]) != 0) == (i == N / 2));
    memcpy(out, x, sizeof out);
    ref->softcap(N, out, 4.0f);
    for (int i = 0; i < N; i++)
        CLOSE(out[i], 4 * tanh((double)x[i] / 4), VECTOR_RELATIVE * 8, "softcap %d", i);
    check_layernorm(N, x, y, out);
    assert_true((double)ref->max(N, x) == largest);
    CLOSE(ref->sum_exp(N, x, (float)largest), sum, VECTOR_RELATIVE * 9 * sum, "sum_exp");
    memcpy(out, x, sizeof out);
    ref->add(N, out, y);
    ref->scale(N, out, -0.25f);
    for (int i = 0; i < N; i++)
        CLOSE(out[i], -0.25 * ((double)x[i] + y[i]), VECTOR_RELATIVE * 11, "add and scale %d", i);
    memcpy(out, x, sizeof out);
    ref->add_scaled(N, out, 0.75f, y);
    for (int i = 0; i < N; i++)
        CLOSE(out[i], (double)x[i] + 0.75 * y[i], VECTOR_RELATIVE * 11, "add_scaled %d", i);
}

static void rope_is_near(void **state)
{
    (void)state;
    enum { D = 22 };
    prng p = {23};
    float x[D], rotated[D], c[D / 2], s[D / 2];
    for (int i = 0; i < D; i++)
        rotated[i] = x[i] = prng_float(&p, -3.0f, 3.0f);
    for (int i = 0; i < D / 2; i++) {
        c[i] = cosf(0.7f * (float)i);
        s[i] = sinf(0.7f * (float)i);
    }
    ref->rope(D, rotated, c, s);
    for (int i = 0; i < D / 2; i++) {
        const double a = x[i], b = x[i + D / 2];
        CLOSE(rotated[i], a * c[i] - b * s[i], VECTOR_RELATIVE * 6, "rope %d", i);
        CLOSE(rotated[i + D / 2], b * c[i] + a * s[i], VECTOR_RELATIVE * 6, "rope %d", i + D / 2);
    }
}

/* ---- Attention over three segments, merged, against softmax(q k) v in double ----------------- */

enum { SEGMENTS = 3, KEYS = 2 * ITH_KV_SEGMENT + 100, D = 40, DP = 48 };

typedef struct model {
    /* Exactly what the quantized arrays stand for; q includes log2(e)/sqrt(d). */
    double key[KEYS][D], value[KEYS][D], q[D];
    uint8_t *segment[SEGMENTS];
    int8_t q8[DP];
    float q_float[D], q_scale;
} model;

static void put_key(model *x, prng *p, ith_kv_layout layout, int j)
{
    const size_t block_bytes = ith_kv_block_bytes(layout, D);
    uint8_t *block =
        x->segment[j / ITH_KV_SEGMENT] + (size_t)(j % ITH_KV_SEGMENT / ITH_KV_BLOCK) * block_bytes;
    const int slot = j % ITH_KV_BLOCK;
    float k[D], v[D];
    int8_t k8[DP], v8[DP];
    for (int c = 0; c < D; c++) {
        k[c] = prng_float(p, -1.0f, 1.0f);
        v[c] = prng_float(p, -1.0f, 1.0f);
    }
    const uint16_t ks = ref->quantize_head_bf16(D, k, NULL, k8),
                   vs = ref->quantize_head_bf16(D, v, NULL, v8);
    if (layout == ITH_KVL_Q8)
        ref->kv_put_q8(block, D, slot, k8, v8, ks, vs);
    for (int c = 0; c < D; c++) {
        const int key_at = c * ITH_KV_BLOCK + slot, value_at = slot * DP + c;
        if (layout == ITH_KVL_Q8) {
            CLOSE(k8[c] * (double)ith_bf16_to_f32(ks), k[c], 0.501 * (double)ith_bf16_to_f32(ks),
                  "key %d", j);
            k[c] = (float)k8[c] * ith_bf16_to_f32(ks);
            v[c] = (float)v8[c] * ith_bf16_to_f32(vs);
        } else if (layout == ITH_KVL_BF16) {
            ((uint16_t *)(void *)block)[key_at] = ith_f32_to_bf16(k[c]);
            ((uint16_t *)(void *)(block + block_bytes / 2))[value_at] = ith_f32_to_bf16(v[c]);
            k[c] = ith_bf16_to_f32(ith_f32_to_bf16(k[c]));
            v[c] = ith_bf16_to_f32(ith_f32_to_bf16(v[c]));
        } else {
            ((float *)(void *)block)[key_at] = k[c];
            ((float *)(void *)(block + block_bytes / 2))[value_at] = v[c];
        }
        x->key[j][c] = (double)k[c];
        x->value[j][c] = (double)v[c];
    }
}

static void fill_model(model *x, ith_kv_layout layout)
{
    prng p = {31};
    for (int i = 0; i < SEGMENTS; i++)
        x->segment[i] = arena_take(&arenas[i], 16 * ith_kv_block_bytes(layout, D), 64);
    for (int j = 0; j < KEYS; j++)
        put_key(x, &p, layout, j);
    for (int c = 0; c < D; c++)
        x->q_float[c] = prng_float(&p, -0.6f, 0.6f);
    x->q_scale = ref->quantize_head(D, x->q_float, NULL, x->q8);
    for (int c = 0; c < D; c++)
        x->q[c] = layout == ITH_KVL_Q8 ? x->q8[c] * (double)x->q_scale : (double)x->q_float[c];
}

/* Of the last `window` keys, if it is not 0; scores have a soft cap, if it is not 0. */
static void exact_attention(const model *x, int window, double cap, double *m, double *l,
                            double o[D])
{
    const int from = window > 0 ? KEYS - window : 0;
    static double s[KEYS];
    *m = -INFINITY, *l = 0;
    for (int j = from; j < KEYS; j++) {
        s[j] = 0;
        for (int c = 0; c < D; c++)
            s[j] += x->q[c] * x->key[j][c];
        if (cap > 0)
            s[j] = cap * tanh(s[j] / cap);
        *m = s[j] > *m ? s[j] : *m;
    }
    memset(o, 0, D * sizeof *o);
    for (int j = from; j < KEYS; j++) {
        *l += exp2(s[j] - *m);
        for (int c = 0; c < D; c++)
            o[c] += exp2(s[j] - *m) * x->value[j][c];
    }
}

static void attention_is_near(ith_kv_layout layout, int window, float cap, double tolerance)
{
    static model x;
    float m = -INFINITY, l = 0, o[D] = {0}, pm, pl, po[D];
    double exact_m, exact_l, exact_o[D];
    fill_model(&x, layout);
    for (int i = 0; i < SEGMENTS; i++) {
        const ith_attn a = {.segment = x.segment[i],
                            .head_dim = D,
                            .n_tokens = 1,
                            .n_heads = 1,
                            .first_visible = KEYS - i * ITH_KV_SEGMENT,
                            .window = window,
                            .cap = cap,
                            .q =
                                layout == ITH_KVL_Q8 ? (const void *)x.q8 : (const void *)x.q_float,
                            .q_scale = &x.q_scale,
                            .m = &pm,
                            .l = &pl,
                            .o = po};
        ref->attn[layout](&a);
        ref->attn_merge(1, D, &m, &l, o, &pm, &pl, po);
    }
    exact_attention(&x, window, (double)cap, &exact_m, &exact_l, exact_o);
    assert_true((double)m >= exact_m - 1e-5 * fabs(exact_m) &&
                (double)m < exact_m + (layout == ITH_KVL_Q8 ? 1.0 : 1e-5 * fabs(exact_m)));
    CLOSE((double)l * exp2((double)m - exact_m), exact_l, 2e-5 * exact_l, "layout %d: l",
          (int)layout);
    for (int c = 0; c < D; c++)
        CLOSE(o[c] / l, exact_o[c] / exact_l, tolerance, "layout %d: channel %d", (int)layout, c);
}

static void attn_q8_is_near(void **state)
{
    (void)state;
    attention_is_near(ITH_KVL_Q8, 0, 0, ATTN_Q8);
    attention_is_near(ITH_KVL_Q8, 1500, 0, ATTN_Q8);
    attention_is_near(ITH_KVL_Q8, 137, 2.5f, ATTN_Q8);
}

static void attn_floats_are_near(void **state)
{
    (void)state;
    for (int layout = ITH_KVL_BF16; layout <= ITH_KVL_F32; layout++) {
        attention_is_near((ith_kv_layout)layout, 0, 0, ATTN_FLOAT);
        attention_is_near((ith_kv_layout)layout, 1500, 0, ATTN_FLOAT);
        attention_is_near((ith_kv_layout)layout, 137, 2.5f, ATTN_FLOAT);
    }
}

static void names_and_dispatch(void **state)
{
    (void)state;
    assert_string_equal(ith_kernels_names()[0], "ref");
    assert_null(ith_kernels_named("no such variant"));
    for (const char *const *name = ith_kernels_names(); *name; name++)
        if (ith_kernels_named(*name))
            assert_string_equal(ith_kernels_named(*name)->name, *name);
    setenv("ITHACA_SIMD", "fast", 1);
    assert_non_null(ith_kernels_env_error());
    setenv("ITHACA_SIMD", "ref", 1);
    assert_null(ith_kernels_env_error());
    /* this is the first call in the process, which reads the cap */
    assert_string_equal(ith_kernels_get()->name, "ref");
    unsetenv("ITHACA_SIMD");
    assert_null(ith_kernels_env_error());
    assert_string_equal(ith_kernels_get()->name, "ref");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_are_exact),     cmocka_unit_test(exp2_is_near),
        cmocka_unit_test(gemm_is_near),         cmocka_unit_test(vectors_are_near),
        cmocka_unit_test(rope_is_near),         cmocka_unit_test(attn_q8_is_near),
        cmocka_unit_test(attn_floats_are_near), cmocka_unit_test(names_and_dispatch),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
