/* kernels.c - speed of every kernel variant on one core.
 *
 * usage: kernels [variant...]     all variants of this CPU without arguments
 *
 * Products count two operations per multiplication and addition; the best of several runs is shown. "stream" lines
 * read more memory than the caches hold.
 */
#include "simd/kernels.h"
#include "simd/half.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *take(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return p;
}

static void *take_random(size_t bytes)
{
    uint8_t *p = take(bytes);
    uint64_t x = 88172645463325252ull;
    for (size_t i = 0; i < bytes; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = (uint8_t)x;
    }
    return p;
}

static float *take_floats(size_t n)
{
    float *p = take(n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)((i * 2654435761u >> 7) % 2001) * 0.001f - 1.0f;
    return p;
}

/* Runs `statement` for at least 0.2 s and five times; `seconds` gets the shortest run. */
#define BEST(seconds, statement)                                                                                       \
    do {                                                                                                               \
        double until_ = now_s() + 0.2;                                                                                 \
        seconds = 1e9;                                                                                                 \
        for (int run_ = 0; run_ < 5 || now_s() < until_; run_++) {                                                     \
            double start_ = now_s();                                                                                   \
            statement;                                                                                                 \
            double took_ = now_s() - start_;                                                                           \
            seconds = took_ < seconds ? took_ : seconds;                                                               \
        }                                                                                                              \
    } while (0)

static ith_acts take_acts(const ith_kernels *k, int64_t tokens, int64_t groups)
{
    size_t n = (size_t)(tokens * groups);
    ith_acts acts = {take(n * 32), take(n * 4), take(n * 4), take(n * 4), take(n * 4), groups};
    float *x = take_floats((size_t)groups * 32);
    for (int64_t t = 0; t < tokens; t++)
        k->quantize(groups * 32, x, &acts, t);
    free(x);
    return acts;
}

static void free_acts(ith_acts *acts)
{
    free(acts->quants);
    free(acts->scales);
    free(acts->sums);
    free(acts->zero8);
    free(acts->zero128);
}

/* Weights whose scales are 1, so that no product meets a NaN. */
static void *take_tiles(ith_layout layout, int64_t n_tiles, int64_t groups)
{
    static const uint16_t quant_bytes[] = {512, 256, 256};
    size_t bytes = ith_tile_bytes(layout, (size_t)groups), quants = quant_bytes[layout] * (size_t)groups;
    uint8_t *p = take_random(bytes * (size_t)n_tiles);
    for (int64_t i = 0; i < n_tiles; i++) {
        uint16_t *f16 = (uint16_t *)(void *)(p + (size_t)i * bytes + quants);
        for (size_t j = 0; j < (bytes - quants) / 2; j++)
            f16[j] = 0x3c00;
    }
    return p;
}

static void bench_gemm(const ith_kernels *k)
{
    static const char *const names[] = {"gemm_w8", "gemm_w4", "gemm_w4m"};
    static const int tokens[] = {1, 2, 4, 6, 12, 16, 96};
    const int64_t groups = 128, n_tiles = 32;
    for (ith_layout layout = ITH_W8; layout <= ITH_W4M; layout++) {
        void (*gemm)(int64_t, int64_t, const void *, const ith_acts *, float *, int64_t) = layout == ITH_W8 ? k->gemm_w8
                                                                                           : layout == ITH_W4
                                                                                               ? k->gemm_w4
                                                                                               : k->gemm_w4m;
        void *tiles = take_tiles(layout, n_tiles, groups);
        for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
            ith_acts acts = take_acts(k, tokens[i], groups);
            float *out = take((size_t)(tokens[i] * n_tiles) * 64);
            double s, ops = 2.0 * tokens[i] * 16.0 * (double)n_tiles * 32.0 * (double)groups;
            BEST(s, gemm(n_tiles, tokens[i], tiles, &acts, out, n_tiles * 16));
            printf("%-8s %-18s tokens %3d  K 4096  %8.1f GOP/s\n", k->name, names[layout], tokens[i], ops / s * 1e-9);
            free(out);
            free_acts(&acts);
        }
        free(tiles);
    }
}

static void bench_gemm_stream(const ith_kernels *k)
{
    const int64_t groups = 128, n_tiles = 6144; /* 418 MiB */
    void *tiles = take_tiles(ITH_W8, n_tiles, groups);
    static const int tokens[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        ith_acts acts = take_acts(k, tokens[i], groups);
        float *out = take((size_t)(tokens[i] * n_tiles) * 64);
        double s, bytes = (double)ith_tile_bytes(ITH_W8, (size_t)groups) * (double)n_tiles;
        BEST(s, k->gemm_w8(n_tiles, tokens[i], tiles, &acts, out, n_tiles * 16));
        printf("%-8s %-18s tokens %3d  K 4096  %8.1f GB/s\n", k->name, "gemm_w8 stream", tokens[i], bytes / s * 1e-9);
        free(out);
        free_acts(&acts);
    }
    free(tiles);
}

static void *take_segment(ith_kv_layout layout, int d)
{
    const size_t block = ith_kv_block_bytes(layout, d);
    uint8_t *p = layout == ITH_KVL_Q8 ? take_random(16 * block) : take(16 * block);
    if (layout == ITH_KVL_F32)
        for (size_t i = 0; i < 4 * block; i++)
            ((float *)(void *)p)[i] = (float)(i % 17) * 0.1f - 0.8f;
    else if (layout == ITH_KVL_BF16)
        for (size_t i = 0; i < 8 * block; i++)
            ((uint16_t *)(void *)p)[i] = ith_f32_to_bf16((float)(i % 17) * 0.1f - 0.8f);
    else
        for (int b = 0; b < 16; b++)
            for (int j = 0; j < 128; j++)
                ((uint16_t *)(void *)(p + (size_t)(b + 1) * block - 256))[j] = ith_f32_to_bf16(0.01f);
    return p;
}

static void bench_attn(const ith_kernels *k, ith_kv_layout layout, int n_tokens, int n_heads, int d)
{
    static const char *const names[] = {"attn_q8", "attn_bf16", "attn_f32"};
    void (*attn)(const ith_attn *) = layout == ITH_KVL_Q8     ? k->attn_q8
                                     : layout == ITH_KVL_BF16 ? k->attn_bf16
                                                              : k->attn_f32;
    const int rows = n_tokens * n_heads;
    float *out = take((size_t)rows * (size_t)(d + 2) * 4), *scale = take((size_t)rows * 4);
    void *q = layout == ITH_KVL_Q8 ? take_random((size_t)(rows * d)) : (void *)take_floats((size_t)(rows * d));
    void *segment = take_segment(layout, d);
    for (int i = 0; i < rows; i++)
        scale[i] = 0.01f; /* scores spread over some ten powers of two, as in models */
    ith_attn a = {.segment = segment,
                  .head_dim = d,
                  .n_tokens = n_tokens,
                  .n_heads = n_heads,
                  .first_visible = ITH_KV_SEGMENT,
                  .q = q,
                  .q_token_stride = n_heads * d,
                  .q_head_stride = d,
                  .q_scale = scale,
                  .q_scale_stride = n_heads,
                  .m = out,
                  .l = out + rows,
                  .o = out + 2 * rows};
    double s;
    BEST(s, attn(&a));
    printf("%-8s %-18s rows %3d  d %3d      %8.1f GOP/s  %6.1f GB/s\n", k->name, names[layout], rows, d,
           4.0 * rows * 1024 * d / s * 1e-9, 16.0 * (double)ith_kv_block_bytes(layout, d) / s * 1e-9);
    free(out);
    free(scale);
    free(q);
    free(segment);
}

static void bench_vectors(const ith_kernels *k)
{
    enum { N = 4096 };
    float *x = take_floats(N), *y = take_floats(N), *z = take_floats(N);
    ith_acts acts = take_acts(k, 1, N / 32);
    int8_t head[256];
    void *block = take(ith_kv_block_bytes(ITH_KVL_Q8, 128));
    double s;
    volatile float sink = 0;
#define LINE(kernel, n, statement)                                                                                     \
    BEST(s, statement);                                                                                                \
    printf("%-8s %-18s n %5d  %12.3f ns per element\n", k->name, kernel, n, s * 1e9 / n)
    LINE("quantize", N, k->quantize(N, x, &acts, 0));
    LINE("quantize_head", 128, sink = k->quantize_head(128, x, y, head));
    LINE("quantize_head_bf16", 128, sink = (float)k->quantize_head_bf16(128, x, NULL, head));
    LINE("kv_put_q8", 128, k->kv_put_q8(block, 128, 5, head, head, 1, 1));
    LINE("rmsnorm", N, k->rmsnorm(N, x, y, 1e-6f, z));
    LINE("rope", 128, k->rope(128, z, x, y));
    LINE("silu_mul", N, k->silu_mul(N, x, y, z));
    LINE("add", N, k->add(N, z, y));
    LINE("max", N, sink = k->max(N, x));
    LINE("sum_exp", N, sink = k->sum_exp(N, x, 1.0f));
    (void)sink;
    free(x);
    free(y);
    free(z);
    free(block);
    free_acts(&acts);
}

static void bench(const ith_kernels *k)
{
    bench_gemm(k);
    if (strcmp(k->name, "ref")) /* the reference is far from memory's speed */
        bench_gemm_stream(k);
    static const int rows[][2] = {{1, 1}, {1, 4}, {1, 8}, {16, 4}, {64, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_attn(k, ITH_KVL_Q8, rows[i][0], rows[i][1], 128);
    bench_attn(k, ITH_KVL_Q8, 16, 4, 64);
    bench_attn(k, ITH_KVL_BF16, 16, 4, 128);
    bench_attn(k, ITH_KVL_F32, 16, 4, 128);
    bench_vectors(k);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        for (const char *const *name = ith_kernels_names(); *name; name++)
            if (ith_kernels_named(*name))
                bench(ith_kernels_named(*name));
    for (int i = 1; i < argc; i++) {
        const ith_kernels *k = ith_kernels_named(argv[i]);
        if (!k) {
            fprintf(stderr, "no variant %s on this CPU\n", argv[i]);
            return 1;
        }
        bench(k);
    }
    return 0;
}
