/* bench_kernels.c - every kernel of the table at the sizes of real models, against the ceilings of the same threads.
 *
 * All operands that a model reads from memory (weights, caches) come from one pool beyond the caches: each run takes the next copy
 * of its matrix there. The pool's bytes are sane as f16 and bf16 too, so that it serves every layout. What a product
 * multiplies does not change its time.
 */
#include "base/mem.h"
#include "base/progress.h"
#include "bench/ranks.h"
#include "bench/vectors.h"
#include "formats/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIN_RUNS = 3,
    RUN_BYTES = 64 << 20,  /* read in one run at least: shorter ones would show a lucky moment, not the memory */
    SEGMENTS_IN_CACHE = 4, /* a thread's: prefill tiles meet segments that others have just read; decode streams all */
    TILE_ROWS = 64,        /* queries of a prefill attention tile: as src/model/attention.c */
    REF_POOL = 16 << 20    /* the reference computes far slower than memory delivers */
};

typedef struct kernel_bench {
    const ith_bench_kernels_params *params;
    ith_team *team;
    const uint8_t *pool;
    size_t pool_bytes, pool_at; /* pool_at: where the last line ended, so that the next one begins with cold memory */
    const ith_kernels *kernels;
    ith_ceilings ceilings;
    const char *shape;
    ith_hparams hp;
    json_t *results;
    int64_t done, total; /* lines */
    bool counting;       /* a first round only counts the lines */
    bool cancelled;
} kernel_bench;

/* One line of the result, as a job of the team: members run fn on their shares. */
typedef struct line line;
struct line {
    void (*fn)(const line *l, const ith_member *me, int64_t run);
    const ith_kernels *kernels;
    const uint8_t *pool;
    double seconds, best_s;
    int64_t runs;
    bool go_on;
    int64_t copies, first; /* of the operand in the pool; the one to begin with */
    int64_t per_run;       /* copies that a run goes through */
    /* products */
    ith_layout layout;
    int64_t rows, cols, tokens;
    ith_acts acts;
    float *x, *out; /* [tokens][cols], [tokens][rows] */
    /* attention */
    ith_kv_layout kv;
    int head_dim, group;
    int64_t n_segments; /* in each copy */
    void *q;
    float *q_scale;
    /* vectors */
    const ith_vector_kernel *vector;
    ith_vector_buffers buffers;
    int64_t calls;
};

static void run_line(void *arg, ith_member *me)
{
    line *l = arg;
    double begin_s = ith_now_s();

    if (me->tid == 0)
        l->best_s = 1e30;
    for (int64_t run = 0;; run++) {
        double start_s, now_s;
        ith_barrier(me);
        start_s = ith_now_s();
        l->fn(l, me, run);
        ith_barrier(me);
        now_s = ith_now_s();
        if (me->tid == 0) {
            if (now_s - start_s < l->best_s)
                l->best_s = now_s - start_s;
            l->runs = run + 1;
            l->go_on = run + 1 < MIN_RUNS || now_s - begin_s < l->seconds;
        }
        ith_barrier(me);
        if (!l->go_on)
            return;
    }
}

/* Is this line wanted? Counts it, and reports progress. */
static bool begins(kernel_bench *b, const char *kernel, const char *part, int64_t tokens)
{
    const ith_bench_kernels_params *p = b->params;
    char label[200];

    snprintf(label, sizeof label, "%s %s.%s %lld", kernel, b->shape, part, (long long)tokens);
    if (b->cancelled || (p->filter != NULL && strstr(label, p->filter) == NULL))
        return false;
    if (b->counting) {
        b->total++;
        return false;
    }
    if (p->progress != NULL && !p->progress(p->progress_user, "kernels", b->done, b->total))
        b->cancelled = true;
    b->done++;
    return !b->cancelled;
}

static json_t *describe(const kernel_bench *b, const char *kernel, const char *part, const line *l, double s)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "kernel", kernel, "simd", b->kernels->name, "shape", b->shape,
                     "part", part, "cols", (json_int_t)l->cols, "seconds", ith_json_number(s));
}

/* Runs a product of `ops` operations a copy, over operands of `bytes` from memory (0: from cache), and keeps its figures. */
static void measure(kernel_bench *b, const char *kernel, const char *part, line *l, double ops, double bytes,
                    double ops_ceiling)
{
    size_t copy = (size_t)bytes;
    json_t *result;
    double compute_s = ops / ops_ceiling, read_s = bytes / b->ceilings.read_bytes, s;

    l->kernels = b->kernels;
    l->pool = b->pool;
    l->seconds = b->params->seconds;
    l->first = copy > 0 ? (int64_t)(b->pool_at / copy) % l->copies : 0;
    ith_team_run(b->team, run_line, l);
    b->pool_at = (size_t)((l->first + l->runs * l->per_run) % l->copies) * copy;
    s = l->best_s / (double)l->per_run;
    result = describe(b, kernel, part, l, s);
    json_object_set_new(result, "rows", json_integer(l->rows));
    json_object_set_new(result, "tokens", json_integer(l->tokens));
    json_object_set_new(result, "gops", ith_json_number(ops / s * 1e-9));
    if (bytes > 0)
        json_object_set_new(result, "gbps", ith_json_number(bytes / s * 1e-9));
    json_object_set_new(result, "of_ceiling", ith_json_number((compute_s > read_s ? compute_s : read_s) / s));
    json_array_append_new(b->results, result);
}

static bool is_reference(const kernel_bench *b)
{
    return strcmp(b->kernels->name, "ref") == 0;
}

static size_t pool_of(const kernel_bench *b)
{
    return is_reference(b) && b->pool_bytes > REF_POOL ? REF_POOL : b->pool_bytes;
}

/* Copies of `bytes` that a run goes through. */
static int64_t run_copies(const kernel_bench *b, size_t bytes)
{
    return is_reference(b) ? 1 : (int64_t)((RUN_BYTES + bytes - 1) / bytes);
}

/* ---- Products ---- */

static void multiply(const line *l, int64_t n_tiles, const uint8_t *tiles, float *out)
{
    const ith_kernels *k = l->kernels;

    if (l->layout == ITH_W8)
        k->gemm_w8(n_tiles, l->tokens, tiles, &l->acts, out, l->rows);
    else if (l->layout == ITH_W4)
        k->gemm_w4(n_tiles, l->tokens, tiles, &l->acts, out, l->rows);
    else if (l->layout == ITH_W4M)
        k->gemm_w4m(n_tiles, l->tokens, tiles, &l->acts, out, l->rows);
    else
        (l->layout == ITH_BF16 ? k->gemm_bf16 : k->gemm_f32)(n_tiles, l->tokens, l->cols, tiles, l->x, l->cols, out,
                                                             l->rows);
}

static void product(const line *l, const ith_member *me, int64_t run)
{
    int64_t n_tiles = l->rows / ITH_TILE_ROWS;
    size_t tile = ith_tile_bytes(l->layout, (size_t)l->acts.groups);
    ith_range mine = ith_my_share(me, n_tiles, 1);

    for (int64_t i = 0; i < l->per_run; i++) {
        int64_t copy = (l->first + run * l->per_run + i) % l->copies;
        multiply(l, ith_range_size(mine), l->pool + (size_t)(copy * n_tiles + mine.begin) * tile,
                 l->out + mine.begin * ITH_TILE_ROWS);
    }
}

/* Input 1, -1, 1..., as floats and quantized by the kernel itself. */
static ith_status prepare_product(const kernel_bench *b, line *l, void **memory, ith_error *err)
{
    int64_t cols = l->acts.groups * ITH_GROUP;
    size_t n = (size_t)(l->tokens * l->acts.groups), outputs = (size_t)(l->tokens * l->rows);

    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, n * (ITH_GROUP * 5 + 20) + outputs * 4, "a product's operands", memory, err));
    l->out = *memory;
    l->x = l->out + outputs;
    l->acts.scales = l->x + n * ITH_GROUP;
    l->acts.sums = l->acts.scales + n;
    l->acts.shifts = l->acts.sums + n;
    l->acts.start8 = (int32_t *)(void *)(l->acts.shifts + n);
    l->acts.start128 = l->acts.start8 + n;
    l->acts.quants = (int8_t *)(void *)(l->acts.start128 + n);
    for (size_t i = 0; i < n * ITH_GROUP; i++)
        l->x[i] = i % 2 ? 1.0f : -1.0f;
    for (int64_t t = 0; t < l->tokens; t++)
        b->kernels->quantize(cols, l->x + t * cols, &l->acts, t, 0);
    return ITH_OK;
}

static ith_status bench_product(kernel_bench *b, const char *part, int64_t rows, int64_t cols, ith_layout layout,
                                int64_t tokens, ith_error *err)
{
    static const char *const names[] = {[ITH_W8] = "gemm_w8",
                                        [ITH_W4] = "gemm_w4",
                                        [ITH_W4M] = "gemm_w4m",
                                        [ITH_BF16] = "gemm_bf16",
                                        [ITH_F32T] = "gemm_f32"};
    line l = {.fn = product, .layout = layout, .cols = cols, .tokens = tokens};
    int64_t n_tiles = (rows + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS, fit;
    size_t tile;
    void *memory = NULL;

    if (!begins(b, names[layout], part, tokens))
        return ITH_OK;
    l.acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    tile = ith_tile_bytes(layout, (size_t)l.acts.groups);
    fit = (int64_t)(pool_of(b) / tile);
    if (n_tiles > fit)
        n_tiles = fit;
    l.rows = n_tiles * ITH_TILE_ROWS;
    l.copies = fit / n_tiles;
    l.per_run = run_copies(b, tile * (size_t)n_tiles);
    ITH_TRY(prepare_product(b, &l, &memory, err));
    measure(b, names[layout], part, &l, 2.0 * (double)(l.rows * cols * tokens), (double)tile * (double)n_tiles,
            ith_layout_is_quantized(layout) ? b->ceilings.integer_ops : b->ceilings.f32_ops);
    ith_mem_free(memory);
    return ITH_OK;
}

static ith_status bench_products(kernel_bench *b, ith_error *err)
{
    static const ith_layout layouts[] = {ITH_W8, ITH_W4, ITH_W4M, ITH_BF16, ITH_F32T};
    static const int64_t tokens[] = {1, 2, 4, 8, 16, 96};
    const ith_hparams *hp = &b->hp;
    int64_t q = hp->n_heads * hp->head_dim, kv = hp->n_kv_heads * hp->head_dim;
    const struct {
        const char *name;
        int64_t rows, cols;
    } parts[] = {{"q", q, hp->hidden},          {"kv", kv, hp->hidden},        {"o", hp->hidden, q},
                 {"gate", hp->ffn, hp->hidden}, {"down", hp->hidden, hp->ffn}, {"output", hp->n_vocab, hp->hidden}};

    for (size_t k = 0; k < sizeof layouts / sizeof *layouts; k++)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            for (size_t j = 0; j < sizeof tokens / sizeof *tokens; j++)
                ITH_TRY(bench_product(b, parts[i].name, parts[i].rows, parts[i].cols, layouts[k], tokens[j], err));
    return ITH_OK;
}

/* ---- Attention ---- */

static void attention(const line *l, const ith_member *me, int64_t run)
{
    size_t segment = ith_kv_block_bytes(l->kv, l->head_dim) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);
    int rows = (int)l->tokens * l->group;
    ith_range mine = ith_my_share(me, l->n_segments, 1);
    float *out = l->out + (int64_t)me->tid * rows * (l->head_dim + 2);
    ith_attn a = {
        .head_dim = l->head_dim,
        .n_tokens = (int)l->tokens,
        .n_heads = l->group,
        .first_visible = ITH_KV_SEGMENT,
        .q = l->q,
        .q_token_stride = l->group * ith_round_up(l->head_dim, 16),
        .q_head_stride = ith_round_up(l->head_dim, 16),
        .q_scale = l->q_scale,
        .q_scale_stride = l->group,
        .m = out,
        .l = out + rows,
        .o = out + 2 * rows,
    };
    void (*attn)(const ith_attn *) = l->kv == ITH_KVL_Q8     ? l->kernels->attn_q8
                                     : l->kv == ITH_KVL_BF16 ? l->kernels->attn_bf16
                                                             : l->kernels->attn_f32;

    for (int64_t i = mine.begin; i < mine.end; i++) {
        a.segment = l->pool + (size_t)((l->first + run) % l->copies * l->n_segments + i) * segment;
        attn(&a);
    }
}

static ith_status bench_attention(kernel_bench *b, const char *part, ith_kv_layout kv, int d, int64_t tokens,
                                  ith_error *err)
{
    static const char *const names[] = {
        [ITH_KVL_Q8] = "attn_q8", [ITH_KVL_BF16] = "attn_bf16", [ITH_KVL_F32] = "attn_f32"};
    int group = (int)(b->hp.n_heads / b->hp.n_kv_heads), threads = ith_team_size(b->team);
    line l = {.fn = attention, .kv = kv, .cols = d, .tokens = tokens, .rows = tokens * group, .head_dim = d};
    size_t segment = ith_kv_block_bytes(kv, d) * (ITH_KV_SEGMENT / ITH_KV_BLOCK), dp = (size_t)ith_round_up(d, 16);
    size_t out = (size_t)threads * (size_t)l.rows * (size_t)(d + 2), q = (size_t)l.rows * dp;
    int64_t fit = (int64_t)(pool_of(b) / segment);
    void *memory = NULL;

    if (!begins(b, names[kv], part, tokens))
        return ITH_OK;
    l.group = group;
    l.n_segments = tokens > 1 ? SEGMENTS_IN_CACHE * threads : run_copies(b, segment);
    if (l.n_segments > fit)
        l.n_segments = fit;
    l.copies = tokens > 1 ? 1 : fit / l.n_segments;
    l.per_run = 1;
    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, (out + (size_t)l.rows + q) * sizeof(float), "queries", &memory, err));
    l.out = memory;
    l.q_scale = l.out + out;
    l.q = l.q_scale + l.rows;
    for (int64_t i = 0; i < l.rows; i++)
        l.q_scale[i] = 0.01f;
    if (kv == ITH_KVL_Q8)
        memset(l.q, 3, q);
    else
        for (size_t i = 0; i < q; i++)
            ((float *)l.q)[i] = 0.1f;
    measure(b, names[kv], part, &l, 4.0 * (double)(l.rows * ITH_KV_SEGMENT * d) * (double)l.n_segments,
            tokens > 1 ? 0 : (double)segment * (double)l.n_segments,
            kv == ITH_KVL_Q8 ? b->ceilings.integer_ops : b->ceilings.f32_ops);
    ith_mem_free(memory);
    return ITH_OK;
}

static ith_status bench_attentions(kernel_bench *b, ith_error *err)
{
    static const struct {
        const char *part;
        int d;
    } others[] = {{"prefill.32", 32}, {"prefill.64", 64},   {"prefill.80", 80},
                  {"prefill.96", 96}, {"prefill.128", 128}, {"prefill.256", 256}};
    int64_t tile = TILE_ROWS * b->hp.n_kv_heads / b->hp.n_heads;
    int d = (int)b->hp.head_dim;

    if (tile < 1)
        tile = 1;
    for (ith_kv_layout kv = ITH_KVL_Q8; kv <= ITH_KVL_F32; kv++) {
        ITH_TRY(bench_attention(b, "decode", kv, d, 1, err));
        ITH_TRY(bench_attention(b, "prefill", kv, d, tile, err));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) /* other models' heads, for comparison */
        if (others[i].d != d)
            ITH_TRY(bench_attention(b, others[i].part, ITH_KVL_Q8, others[i].d, tile, err));
    return ITH_OK;
}

/* ---- Vectors: one thread ---- */

static void vector(const line *l, const ith_member *me, int64_t run)
{
    (void)run;
    if (me->tid == 0)
        for (int64_t i = 0; i < l->calls; i++)
            l->vector->run(l->kernels, &l->buffers, l->cols);
}

static ith_status bench_vector(kernel_bench *b, const ith_vector_kernel *v, ith_error *err)
{
    line l = {.fn = vector, .cols = v->elements(&b->hp), .vector = v};
    json_t *result;
    double s;

    if (!begins(b, v->kernel, v->part, 1))
        return ITH_OK;
    l.calls = 1 + (1 << 16) / l.cols;
    ITH_TRY(ith_vector_buffers_open(l.cols, &l.buffers, err));
    l.kernels = b->kernels;
    l.seconds = b->params->seconds;
    ith_team_run(b->team, run_line, &l);
    s = l.best_s / (double)l.calls;
    result = describe(b, v->kernel, v->part, &l, s);
    json_object_set_new(result, "ns_per_element", ith_json_number(s * 1e9 / (double)l.cols));
    json_array_append_new(b->results, result);
    ith_vector_buffers_close(&l.buffers);
    return ITH_OK;
}

/* ---- The whole ---- */

static ith_status bench_shape(kernel_bench *b, ith_error *err)
{
    ITH_TRY(bench_products(b, err));
    ITH_TRY(bench_attentions(b, err));
    for (size_t i = 0; i < ith_n_vector_kernels; i++)
        ITH_TRY(bench_vector(b, &ith_vector_kernels[i], err));
    return b->cancelled ? ith_fail(err, ITH_E_CANCELLED, "stopped after %lld kernels", (long long)b->done) : ITH_OK;
}

static ith_status bench_shapes(kernel_bench *b, ith_error *err)
{
    const char *list = b->params->shapes != NULL ? b->params->shapes : "qwen3-0.6b";
    char name[64], known[400];

    for (size_t i = 0; ith_bench_word(list, i, name, sizeof name); i++) {
        if (!ith_shape_find(name, &b->hp)) {
            ith_shape_names(known, sizeof known);
            return ith_fail(err, ITH_E_ARGUMENT, "\"%s\" is no shape; known: %s", name, known);
        }
        b->shape = name;
        ITH_TRY(bench_shape(b, err));
    }
    return ITH_OK;
}

/* All shapes at every level wanted. With `counting` nothing is measured, but the names are checked. */
static ith_status bench_levels(kernel_bench *b, json_t *ceilings, bool counting, ith_error *err)
{
    const char *list = b->params->simd != NULL ? b->params->simd : ith_kernels_get()->name;
    char name[32];

    b->counting = counting;
    for (size_t i = 0; ith_bench_word(list, i, name, sizeof name); i++) {
        b->kernels = ith_kernels_named(name);
        if (b->kernels == NULL)
            return ith_fail(err, ITH_E_ARGUMENT, "SIMD level \"%s\": not in this build, or this CPU lacks it", name);
        if (!counting) {
            b->ceilings = ith_ceilings_measure(b->team, ith_team_size(b->team), ith_peaks_named(name), b->pool,
                                               b->pool_bytes, b->params->seconds);
            json_object_set_new(ceilings, b->kernels->name, ith_ceilings_json(&b->ceilings));
        }
        ITH_TRY(bench_shapes(b, err));
    }
    return ITH_OK;
}

ith_status ith_bench_kernels(const ith_bench_kernels_params *params, char **json, ith_error *err)
{
    kernel_bench b = {.params = params, .results = json_array()};
    json_t *ceilings = json_object(), *root = NULL;
    void *pool = NULL;
    ith_status status;

    *json = NULL;
    ITH_CHECK(ith_team_open(params->threads > 0 ? params->threads : 1, &b.team, err));
    ITH_CHECK(bench_levels(&b, ceilings, true, err));
    if (b.total == 0)
        ITH_CHECK(ith_fail(err, ITH_E_ARGUMENT, "no kernel's line \"KERNEL SHAPE.PART TOKENS\" contains \"%s\"",
                           params->filter));
    ITH_CHECK(ith_bench_buffer(params->buffer, 1, &pool, &b.pool_bytes, err));
    b.pool = pool;
    ITH_CHECK(bench_levels(&b, ceilings, false, err));
    root = json_pack("{s:i, s:O, s:O}", "threads", ith_team_size(b.team), "ceilings", ceilings, "results", b.results);
    ITH_CHECK(ith_bench_text(root, json, err));
done:
    json_decref(root);
    json_decref(ceilings);
    json_decref(b.results);
    ith_mem_free(pool);
    ith_team_close(b.team);
    return status;
}
