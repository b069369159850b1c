/* test_attn.c - attention kernels of every variant give exactly the bits of the reference.
 *
 * Row counts and head sizes around those of the register tiles, causal edges in every position,
 * keys that no row sees filled with NaN patterns, and extreme values.
 */
#include "tests/kernels/equal.h"

enum {
    EXTREME_KEYS = 1,
    ZERO_QUERY,
    EQUAL_KEYS,
    ZERO_SCALES,
    SUBNORMAL_SCALES,
    LARGE_SCALES,
    TIES_OF_WEIGHTS,
    EXTREME_VALUES,
    CONTENTS
};

static const int head_dims[] = {16, 20, 32, 64, 80, 96, 112, 128, 256, 288};
enum { HEAD_DIMS = sizeof head_dims / sizeof head_dims[0], MOST_DIM = 288, MOST_LATENT = 576 };

static uint16_t random_scale(prng *p, int content)
{
    switch (content) {
    case ZERO_SCALES:
        return prng_int(p, 0, 2) ? 0 : ith_f32_to_bf16(0.01f);
    case SUBNORMAL_SCALES:
        return (uint16_t)prng_int(p, 0, 0x81);
    case TIES_OF_WEIGHTS: /* the largest is 255: weights can be halfway between two bytes */
        return ith_f32_to_bf16(prng_int(p, 0, 3) ? (float)prng_int(p, 0, 126) + 0.5f : 255.0f);
    case EXTREME_VALUES: /* with equal keys: every weight is 255 */
        return ith_f32_to_bf16(0.01f);
    case LARGE_SCALES:
        return ith_f32_to_bf16(prng_float(p, 1e15f, 1e16f));
    default:
        return ith_f32_to_bf16(prng_float(p, 0.0f, 0.05f));
    }
}

/* Fills in the first n keys of the segment. The rest is 0xff: NaN in every float format, -1 in the
 * quants. */
static void *random_segment(prng *p, ith_kv_layout layout, int d, int64_t n, int content)
{
    const int dp = (d + 15) / 16 * 16;
    const size_t block_bytes = ith_kv_block_bytes(layout, d);
    uint8_t *segment = arena_take(&arenas[0], 16 * block_bytes, 64);
    memset(segment, 0xff, 16 * block_bytes);
    for (int64_t j = 0; j < n; j++) {
        uint8_t *block = segment + (size_t)(j / ITH_KV_BLOCK) * block_bytes;
        const int slot = (int)(j % ITH_KV_BLOCK);
        int8_t k[MOST_DIM] = {0}, v[MOST_DIM] = {0};
        const bool equal = content == EQUAL_KEYS || content == EXTREME_VALUES;
        for (int c = 0; c < d; c++) {
            const float kf = equal ? 0.5f : prng_float(p, -1.0f, 1.0f),
                        vf = prng_float(p, -1.0f, 1.0f);
            const int key_at = c * ITH_KV_BLOCK + slot, value_at = slot * dp + c;
            k[c] = (int8_t)(content == EXTREME_KEYS ? -128 : equal ? 77 : prng_int(p, -128, 127));
            v[c] = (int8_t)(content == EXTREME_KEYS     ? 127 - 255 * (slot & 1)
                            : content == EXTREME_VALUES ? 127 - 255 * (c & 1)
                                                        : prng_int(p, -128, 127));
            if (layout == ITH_KVL_F32) {
                ((float *)(void *)block)[key_at] = kf;
                ((float *)(void *)(block + block_bytes / 2))[value_at] = vf;
            } else if (layout == ITH_KVL_BF16) {
                ((uint16_t *)(void *)block)[key_at] = ith_f32_to_bf16(kf);
                ((uint16_t *)(void *)(block + block_bytes / 2))[value_at] = ith_f32_to_bf16(vf);
            }
        }
        if (layout == ITH_KVL_Q8)
            ref->kv_put_q8(block, d, slot, k, v, random_scale(p, content),
                           random_scale(p, content));
    }
    return segment;
}

static void *random_queries(prng *p, ith_kv_layout layout, int rows, int d, int stride, int content)
{
    const size_t n = (size_t)(rows * stride);
    if (layout == ITH_KVL_Q8) {
        int8_t *q = arena_take(&arenas[1], n, 1);
        for (size_t i = 0; i < n; i++) /* zeros in the padding of a row, poison between rows */
            q[i] = (int8_t)((int)(i % (size_t)stride) < d ? prng_int(p, -127, 127) : 0);
        if (content == ZERO_QUERY || content == TIES_OF_WEIGHTS)
            memset(q, 0, n);
        if (content == EXTREME_KEYS)
            for (size_t i = 0; i < n; i++)
                q[i] = q[i] ? 127 : 0;
        return q;
    }
    float *q = arena_take(&arenas[1], n * sizeof *q, sizeof *q);
    for (size_t i = 0; i < n; i++)
        q[i] = content == ZERO_QUERY ? 0.0f : prng_float(p, -0.6f, 0.6f);
    return q;
}

static void run(const ith_kernels *k, ith_kv_layout layout, const ith_attn *a)
{
    k->attn[layout](a);
}

/* What the checks below give to every call. */
static struct {
    int64_t window;
    float cap;
} options;

/* Rows that see no key leave o unspecified: it is cleared in both results. */
static void clear_blind_rows(const ith_attn *a)
{
    for (int t = 0; t < a->n_tokens; t++)
        if (a->first_visible + t <= 0 ||
            (a->window > 0 && a->first_visible + t - a->window >= ITH_KV_SEGMENT))
            memset(a->o + (size_t)(t * a->n_heads * a->head_dim), 0,
                   (size_t)(a->n_heads * a->head_dim) * 4);
}

static void check(ith_kv_layout layout, int d, int n_tokens, int n_heads, int64_t first_visible,
                  int content)
{
    prng p = {(uint64_t)(d * 7919 + n_tokens * 613 + n_heads * 31 + first_visible * 5 + content)};
    const int rows = n_tokens * n_heads, stride = (d + 15) / 16 * 16;
    const int64_t last = first_visible + n_tokens - 1;
    ith_attn a = {.segment = random_segment(&p, layout, d,
                                            last < ITH_KV_SEGMENT ? last : ITH_KV_SEGMENT, content),
                  .head_dim = d,
                  .n_tokens = n_tokens,
                  .n_heads = n_heads,
                  .first_visible = first_visible,
                  .window = options.window,
                  .cap = options.cap,
                  .q = random_queries(&p, layout, rows, d, stride, content),
                  .q_token_stride = n_heads * stride,
                  .q_head_stride = stride,
                  .q_scale_stride = n_heads};
    float *scale = arena_take(&arenas[2], (size_t)rows * 4, 4);
    for (int r = 0; r < rows; r++)
        scale[r] = content == ZERO_SCALES
                       ? 0.0f
                       : prng_float(&p, 0.0f, content == LARGE_SCALES ? 1e-17f : 0.02f);
    a.q_scale = scale;
    const size_t row_bytes = (size_t)rows * 4, o_bytes = row_bytes * (size_t)d;
    float *m = a.m = arena_take(&arenas[3], row_bytes, 4),
          *l = a.l = arena_take(&arenas[4], row_bytes, 4);
    float *o = a.o = arena_take(&arenas[5], o_bytes, 4);
    run(ref, layout, &a);
    clear_blind_rows(&a);
    EACH_VARIANT(k)
    {
        a.m = arena_take(&arenas[6], row_bytes, 4), a.l = arena_take(&arenas[7], row_bytes, 4);
        a.o = arena_take(&arenas[8], o_bytes, 4);
        run(k, layout, &a);
        clear_blind_rows(&a);
#define CASE                                                                                       \
    "layout %d, d %d, %d tokens x %d heads, first_visible %d, content %d, window %d, cap %g",      \
        (int)layout, d, n_tokens, n_heads, (int)first_visible, content, (int)options.window,       \
        (double)options.cap
        SAME(k, m, a.m, row_bytes, CASE);
        SAME(k, l, a.l, row_bytes, CASE);
        SAME(k, o, a.o, o_bytes, CASE);
    }
}

/* All row counts and head sizes with edges near the start, then all edges, then all contents. */
static void attn_shapes(ith_kv_layout layout)
{
    static const int64_t edges[] = {-20, -5, -1, 0,  1,   2,   15,   16,   17,   47,
                                    48,  63, 64, 65, 127, 128, 1015, 1023, 1024, 5000};
    static const int shapes[][2] = {{1, 4}, {4, 2}, {1, 1}, {19, 1}, {5, 3}};
    for (int i = 0; i < HEAD_DIMS; i++) {
        for (int rows = 1; rows <= 19; rows++)
            check(layout, head_dims[i], rows, 1, 62 - rows, 0);
        check(layout, head_dims[i], 3, 3, in_sample(i, (int64_t)layout, 0, 3) ? 1020 : 140, 0);
    }
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++)
        for (size_t s = 0; s < (edges[e] < 1000 ? 5 : 2);
             s++) /* small shapes where the reference is slow */
            check(layout, e % 2 ? 32 : 20, shapes[s][0], shapes[s][1], edges[e], 0);
    for (int content = 0; content < CONTENTS; content++)
        for (int n = 1; n <= 5; n++)
            check(layout, content % 2 ? 64 : 128, n, 4, 60 * n, content);
}

static void attn_q8_equals_reference(void **state)
{
    (void)state;
    attn_shapes(ITH_KVL_Q8);
}

static void attn_bf16_equals_reference(void **state)
{
    (void)state;
    attn_shapes(ITH_KVL_BF16);
}

static void attn_f32_equals_reference(void **state)
{
    (void)state;
    attn_shapes(ITH_KVL_F32);
}

/* Windows that begin anywhere in a block, in any row of a tile, in an earlier segment. */
static void windows_equal_reference(void **state)
{
    static const int64_t windows[] = {1, 2, 17, 63, 64, 65, 100, 130, 1023, 1024, 3000},
                         edges[] = {-3, 1, 40, 64, 100, 128, 190, 320, 1020, 1060, 1150, 2047};
    static const int shapes[][2] = {{1, 4}, {19, 1}, {5, 3}, {70, 1}};
    (void)state;
    for (int layout = 0; layout < ITH_KV_LAYOUTS; layout++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
            for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
                const size_t s = (w + e) % 4;
                if (!in_sample((int64_t)w, (int64_t)e, layout, 3))
                    continue;
                options.window = windows[w];
                options.cap = e % 3 == 2 ? 5.0f : 0;
                check((ith_kv_layout)layout, e % 2 ? 32 : 64, shapes[s][0], shapes[s][1], edges[e],
                      0);
            }
    options.window = 0;
    options.cap = 0;
}

static void caps_equal_reference(void **state)
{
    static const float caps[] = {1e-3f, 0.7f, 30, 1e6f};
    (void)state;
    for (int layout = 0; layout < ITH_KV_LAYOUTS; layout++)
        for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
            for (int content = 0; content < CONTENTS; content++) {
                options.cap = caps[i];
                for (int rows = 1; rows <= 5; rows++)
                    check((ith_kv_layout)layout, content % 2 ? 64 : 20, rows, 1 + content % 3,
                          60 * rows, content);
            }
    options.cap = 0;
}

/* Strides of rows that are not packed: the rows of a head are parts of wider ones. */
static void attn_q8_follows_strides(void **state)
{
    (void)state;
    enum { TOKENS = 5, HEADS = 3, D = 32, TOKEN_STRIDE = 500, HEAD_STRIDE = 48, SCALE_STRIDE = 9 };
    prng p = {11};
    int8_t q[TOKENS * TOKEN_STRIDE];
    float scale[TOKENS * SCALE_STRIDE], expected[TOKENS * HEADS * (D + 2)];
    for (size_t i = 0; i < sizeof q; i++)
        q[i] = (int8_t)prng_int(&p, -127, 127);
    for (size_t i = 0; i < sizeof scale / 4; i++)
        scale[i] = prng_float(&p, 0, 0.02f);
    ith_attn a = {.segment = random_segment(&p, ITH_KVL_Q8, D, 200, 0),
                  .head_dim = D,
                  .n_tokens = TOKENS,
                  .n_heads = HEADS,
                  .first_visible = 196,
                  .q = q + 3,
                  .q_token_stride = TOKEN_STRIDE,
                  .q_head_stride = HEAD_STRIDE,
                  .q_scale = scale,
                  .q_scale_stride = SCALE_STRIDE,
                  .m = expected,
                  .l = expected + TOKENS * HEADS,
                  .o = expected + 2 * TOKENS * HEADS};
    ref->attn[ITH_KVL_Q8](&a);
    EACH_VARIANT(k)
    {
        float *out = arena_take(&arenas[8], sizeof expected, 4);
        a.m = out, a.l = out + TOKENS * HEADS, a.o = out + 2 * TOKENS * HEADS;
        k->attn[ITH_KVL_Q8](&a);
        SAME(k, expected, out, sizeof expected, "strides");
    }
}

/* ---- Latents: keys of d channels, of which the first v are the value ---- */

/* The first n keys of a latent segment, the rest 0xff as above. */
static void *random_latents(prng *p, ith_kv_layout layout, int d, int64_t n, int content)
{
    const size_t block_bytes = ith_latent_block_bytes(layout, d);
    uint8_t *segment = arena_take(&arenas[0], 16 * block_bytes, 64);
    memset(segment, 0xff, 16 * block_bytes);
    for (int64_t j = 0; j < n; j++) {
        uint8_t *block = segment + (size_t)(j / ITH_KV_BLOCK) * block_bytes;
        const int slot = (int)(j % ITH_KV_BLOCK);
        int8_t k[MOST_LATENT] = {0};
        for (int c = 0; c < d; c++) {
            const float x = prng_float(p, -1.0f, 1.0f);
            k[c] = (int8_t)(content == EXTREME_KEYS ? -127 + 254 * (slot & 1)
                            : content == EQUAL_KEYS ? 77
                                                    : prng_int(p, -127, 127));
            if (layout == ITH_KVL_F32)
                ((float *)(void *)block)[c * ITH_KV_BLOCK + slot] = x;
            else if (layout == ITH_KVL_BF16)
                ((uint16_t *)(void *)block)[c * ITH_KV_BLOCK + slot] = ith_f32_to_bf16(x);
        }
        if (layout == ITH_KVL_Q8)
            ref->latent_put_q8(block, d, slot, k, random_scale(p, content),
                               random_scale(p, content));
    }
    return segment;
}

static void check_latents(ith_kv_layout layout, int d, int v, int n_tokens, int n_heads,
                          int64_t first_visible, int content)
{
    prng p = {(uint64_t)(d * 7919 + v * 17 + n_tokens * 613 + n_heads * 31 + first_visible)};
    const int rows = n_tokens * n_heads, stride = (d + 15) / 16 * 16;
    const int64_t last = first_visible + n_tokens - 1, n = last < 0                ? 0
                                                           : last < ITH_KV_SEGMENT ? last
                                                                                   : ITH_KV_SEGMENT;
    const int n_blocks = (int)((n + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK);
    const size_t value_bytes = (size_t)n_blocks * ith_latent_values_bytes(layout, v);
    ith_attn a = {.segment = random_latents(&p, layout, d, n, content),
                  .head_dim = d,
                  .value_dim = v,
                  .n_tokens = n_tokens,
                  .n_heads = n_heads,
                  .first_visible = first_visible,
                  .q = random_queries(&p, layout, rows, d, stride, content),
                  .q_token_stride = n_heads * stride,
                  .q_head_stride = stride,
                  .q_scale_stride = 2 * n_heads};
    float *scale = arena_take(&arenas[2], (size_t)rows * 8, 4);
    for (int r = 0; r < 2 * rows; r++)
        scale[r] = content == ZERO_SCALES
                       ? 0.0f
                       : prng_float(&p, 0.0f, content == LARGE_SCALES ? 1e-17f : 0.02f);
    a.q_scale = scale;
    const size_t row_bytes = (size_t)rows * 4, o_bytes = row_bytes * (size_t)v;
    void *values = arena_take(&arenas[9], value_bytes, 64);
    float *m = a.m = arena_take(&arenas[3], row_bytes, 4),
          *l = a.l = arena_take(&arenas[4], row_bytes, 4);
    float *o = a.o = arena_take(&arenas[5], o_bytes, 4);
    a.values = values;
    ref->latent_values[layout](n_blocks, d, v, a.segment, values);
    run(ref, layout, &a);
    for (int t = 0; t < n_tokens && first_visible + t <= 0; t++)
        memset(o + (size_t)(t * n_heads * v), 0, (size_t)(n_heads * v) * 4);
    EACH_VARIANT(k)
    {
        void *copied = arena_take(&arenas[10], value_bytes, 64);
        a.m = arena_take(&arenas[6], row_bytes, 4), a.l = arena_take(&arenas[7], row_bytes, 4);
        a.o = arena_take(&arenas[8], o_bytes, 4);
        a.values = copied;
        k->latent_values[layout](n_blocks, d, v, a.segment, copied);
        run(k, layout, &a);
        for (int t = 0; t < n_tokens && first_visible + t <= 0; t++)
            memset(a.o + (size_t)(t * n_heads * v), 0, (size_t)(n_heads * v) * 4);
#define LATENT                                                                                     \
    "latents, layout %d, d %d, v %d, %d tokens x %d heads, first_visible %d, content %d",          \
        (int)layout, d, v, n_tokens, n_heads, (int)first_visible, content
        SAME(k, values, copied, value_bytes, LATENT);
        SAME(k, m, a.m, row_bytes, LATENT);
        SAME(k, l, a.l, row_bytes, LATENT);
        SAME(k, o, a.o, o_bytes, LATENT);
    }
}

/* Row counts; sizes with a tail that is padded, and those of DeepSeek; causal edges; contents. */
static void latents_equal_reference(void **state)
{
    static const int sizes[][2] = {{48, 32}, {40, 32}, {96, 64}, {192, 160}, {576, 512}};
    static const int64_t edges[] = {-3, 0, 1, 47, 64, 65, 127, 300, 1024, 3000};
    (void)state;
    for (int layout = 0; layout < ITH_KV_LAYOUTS; layout++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int rows = 1; rows <= 19; rows += i < 2 ? 1 : 6)
                check_latents((ith_kv_layout)layout, sizes[i][0], sizes[i][1], rows, 1, 70 - rows,
                              0);
        for (size_t e = 0; e < sizeof edges / sizeof *edges; e++)
            check_latents((ith_kv_layout)layout, 48, 32, 5, 4, edges[e], 0);
        for (int content = 0; content < CONTENTS; content++)
            check_latents((ith_kv_layout)layout, content % 2 ? 576 : 48, content % 2 ? 512 : 32, 2,
                          4, 100, content);
    }
}

/* Attention to latents is attention to keys that hold them and values that hold their first
 * channels. In floats to the bit; in q8 the scores are rounded otherwise. */
static void latents_are_keys_and_values(void **state)
{
    enum { D = 64, V = 32, N = 200, ROWS = 3 };
    float one[ROWS * (D + 2)], other[ROWS * (D + 2)];
    (void)state;
    for (int kv = 0; kv < ITH_KV_LAYOUTS; kv++) {
        ith_kv_layout layout = (ith_kv_layout)kv;
        prng p = {77};
        const size_t bytes = ith_latent_block_bytes(layout, D),
                     wide = ith_kv_block_bytes(layout, D),
                     scales = layout == ITH_KVL_Q8 ? 2 * ITH_KV_BLOCK * sizeof(uint16_t) : 0;
        uint8_t *latents = random_latents(&p, layout, D, N, 0),
                *values = arena_take(&arenas[1], 16 * ith_latent_values_bytes(layout, V), 64),
                *plain = arena_take(&arenas[2], 16 * wide, 64);
        float q_scales[ROWS * 2];
        ref->latent_values[layout](16, D, V, latents, values);
        for (size_t b = 0; b < 16; b++) {
            uint8_t *to = plain + b * wide, *from = latents + b * bytes;
            size_t element = layout == ITH_KVL_Q8 ? 1 : layout == ITH_KVL_BF16 ? 2 : 4;
            memset(to, 0, wide);
            memcpy(to, from, bytes - scales); /* keys; then the values, V of each D channels */
            for (size_t i = 0; i < (layout == ITH_KVL_Q8 ? 16 : ITH_KV_BLOCK); i++) {
                size_t each = layout == ITH_KVL_Q8 ? 4 : element;
                memcpy(to + ITH_KV_BLOCK * D * element + i * D * each,
                       values + b * ith_latent_values_bytes(layout, V) + i * V * each, V * each);
            }
            if (scales > 0) { /* one scale for all channels */
                memcpy(from + bytes - scales / 2, from + bytes - scales, scales / 2);
                memcpy(to + wide - scales, from + bytes - scales, scales);
            }
        }
        void *q = random_queries(&p, layout, ROWS, D, D, 0);
        for (int r = 0; r < ROWS * 2; r++)
            q_scales[r] = 0.01f;
        ith_attn a = {.segment = latents,
                      .values = values,
                      .head_dim = D,
                      .value_dim = V,
                      .n_tokens = 1,
                      .n_heads = ROWS,
                      .first_visible = N,
                      .q = q,
                      .q_token_stride = ROWS * D,
                      .q_head_stride = D,
                      .q_scale = q_scales,
                      .q_scale_stride = ROWS * 2,
                      .m = one,
                      .l = one + ROWS,
                      .o = one + 2 * ROWS};
        run(ref, layout, &a);
        a.segment = plain, a.values = NULL;
        a.m = other, a.l = other + ROWS, a.o = other + 2 * ROWS;
        run(ref, layout, &a);
        for (int r = 0; r < ROWS; r++) {
            assert_true(one[r] == other[r]);
            for (int c = 0; c < V; c++) {
                float x = one[2 * ROWS + r * V + c], y = other[2 * ROWS + r * D + c];
                assert_true(layout == ITH_KVL_Q8 ? fabsf(x - y) <= 0.02f * other[ROWS + r]
                                                 : x == y);
            }
        }
    }
}

static void attn_merge_equals_reference(void **state)
{
    (void)state;
    prng p = {12};
    for (int i = 0; i < HEAD_DIMS; i++)
        for (int64_t rows = 0; rows <= 9; rows++) {
            const int d = head_dims[i];
            const size_t row_bytes = (size_t)rows * 4, o_bytes = row_bytes * (size_t)d;
            float *m = floats(0, &p, rows, PLAIN), *l = floats(1, &p, rows, PLAIN),
                  *o = floats(2, &p, rows * d, PLAIN);
            float *pm = floats(3, &p, rows, PLAIN), *pl = floats(4, &p, rows, PLAIN);
            const float *po = floats(5, &p, rows * d, PLAIN);
            for (int64_t r = 0; r < rows; r++) {
                if (r % 3 == 1)
                    m[r] = -INFINITY, l[r] = 0.0f;
                if (r % 4 == 2)
                    pm[r] = -INFINITY, pl[r] = 0.0f;
                if (r % 5 == 4)
                    pm[r] = 200.0f;
            }
            EACH_VARIANT(k)
            {
                float *km = copy(6, m, rows), *kl = copy(7, l, rows), *ko = copy(8, o, rows * d);
                float *em = copy(9, m, rows), *el = copy(10, l, rows), *eo = copy(11, o, rows * d);
                ref->attn_merge(rows, d, em, el, eo, pm, pl, po);
                k->attn_merge(rows, d, km, kl, ko, pm, pl, po);
                SAME(k, em, km, row_bytes, "%d rows of %d", (int)rows, d);
                SAME(k, el, kl, row_bytes, "%d rows of %d", (int)rows, d);
                SAME(k, eo, ko, o_bytes, "%d rows of %d", (int)rows, d);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attn_q8_equals_reference),    cmocka_unit_test(attn_bf16_equals_reference),
        cmocka_unit_test(attn_f32_equals_reference),   cmocka_unit_test(attn_q8_follows_strides),
        cmocka_unit_test(attn_merge_equals_reference), cmocka_unit_test(windows_equal_reference),
        cmocka_unit_test(caps_equal_reference),        cmocka_unit_test(latents_equal_reference),
        cmocka_unit_test(latents_are_keys_and_values),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
