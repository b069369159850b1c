/* bench_attention.c - attention kernels: queries against segments of the KV cache.
 *
 * Decode streams the segments from memory; prefill finds them in the CPU's caches.
 */
#include "tools/lines.h"

#include "base/mem.h"
#include "model/blocks/block.h"

#include <string.h>

enum {
    /* Per thread, in prefill: tiles read segments that other tiles have just read. */
    SEGMENTS_IN_CACHE = 4,

    /* Tokens of a rank's chunk, whose queries are cut into tiles as the engine cuts them. */
    CHUNK = 512
};

size_t ith_line_segment_bytes(const ith_line *l)
{
    return ith_cache_block_bytes(l->value_dim > 0, l->kv, l->head_dim) *
           (ITH_KV_SEGMENT / ITH_KV_BLOCK);
}

/* Of the copy of a latent segment's values. */
static size_t values_bytes(const ith_line *l)
{
    return ith_latent_values_bytes(l->kv, l->value_dim) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);
}

/* Channels of a row of the output. */
static int out_dim(const ith_line *l)
{
    return l->value_dim > 0 ? l->value_dim : l->head_dim;
}

static void attention(const ith_line *l, const ith_member *me, int64_t run)
{
    size_t segment = ith_line_segment_bytes(l);
    int rows = (int)l->tokens * l->group;
    ith_range mine = ith_my_share(me, l->n_segments, 1);
    float *out = l->out + (int64_t)me->tid * rows * (out_dim(l) + 2);
    void *values = l->values + (size_t)me->tid * values_bytes(l);
    ith_attn a = {
        .values = l->value_dim > 0 ? values : NULL,
        .head_dim = l->head_dim,
        .value_dim = l->value_dim,
        .n_tokens = (int)l->tokens,
        .n_heads = l->group,
        .first_visible = ITH_KV_SEGMENT,
        .q = l->q,
        .q_token_stride = l->group * ith_round_up(l->head_dim, 16),
        .q_head_stride = ith_round_up(l->head_dim, 16),
        .q_scale = l->q_scale,
        .q_scale_stride = (l->value_dim > 0 ? 2 : 1) * l->group,
        .m = out,
        .l = out + rows,
        .o = out + 2 * rows,
    };

    for (int64_t i = mine.begin; i < mine.end; i++) {
        a.segment = l->pool + (size_t)((l->first + run) % l->copies * l->n_segments + i) * segment;
        if (l->value_dim > 0)
            l->kernels->latent_values[l->kv](ITH_KV_SEGMENT / ITH_KV_BLOCK, l->head_dim,
                                             l->value_dim, a.segment, values);
        l->kernels->attn[l->kv](&a);
    }
}

static void prepare_queries(ith_line *l, size_t values, size_t out, size_t q)
{
    l->values = l->memory;
    l->out = (float *)l->memory + values / sizeof(float);
    l->q_scale = l->out + out;
    l->q = l->q_scale + 2 * l->rows;
    for (int64_t i = 0; i < 2 * l->rows; i++)
        l->q_scale[i] = 0.01f;
    if (l->kv == ITH_KVL_Q8)
        memset(l->q, 3, q);
    else
        for (size_t i = 0; i < q; i++)
            ((float *)l->q)[i] = 0.1f;
}

ith_status ith_line_attention(const ith_kernel_bench *b, ith_kv_layout kv, const ith_key_tile *tile,
                              ith_line *l, ith_error *err)
{
    int threads = ith_team_size(b->team), d = (int)tile->head_dim;
    int64_t tokens = tile->tokens, fit;
    size_t rows = (size_t)(tokens * tile->group), q = rows * (size_t)ith_round_up(d, 16), out,
           values;

    *l = (ith_line){.fn = attention,
                    .kv = kv,
                    .cols = d,
                    .tokens = tokens,
                    .rows = tokens * tile->group,
                    .head_dim = d,
                    .value_dim = (int)tile->value_dim,
                    .group = (int)tile->group};
    out = (size_t)threads * rows * (size_t)(out_dim(l) + 2);
    values = l->value_dim > 0 ? (size_t)threads * values_bytes(l) : 0;
    fit = (int64_t)(ith_line_pool(b) / ith_line_segment_bytes(l));
    if (fit == 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "a buffer of %zu bytes is too small for a segment of the cache with heads "
                        "of %d",
                        ith_line_pool(b), d);
    l->n_segments =
        tokens > 1 ? SEGMENTS_IN_CACHE * threads : ith_line_copies(b, ith_line_segment_bytes(l));
    if (l->n_segments > fit)
        l->n_segments = fit;
    l->copies = tokens > 1 ? 1 : fit / l->n_segments;
    l->per_run = 1;
    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, values + (out + 2 * rows + q) * sizeof(float), "queries",
                          &l->memory, err));
    prepare_queries(l, values, out, q);
    return ITH_OK;
}

double ith_line_attention_ops(const ith_line *l)
{
    return 2.0 * (double)(l->rows * ITH_KV_SEGMENT * (l->head_dim + out_dim(l))) *
           (double)l->n_segments;
}

static ith_status bench_attention(ith_kernel_bench *b, const char *operand, ith_kv_layout kv,
                                  const ith_key_tile *tile, ith_error *err)
{
    ith_line l;
    int64_t tokens = tile->tokens;
    ith_status status;
    char name[32];

    snprintf(name, sizeof name, "attn_%s", ith_kv_layout_name(kv));
    if (!ith_line_begins(b, name, operand, tokens))
        return ITH_OK;
    status = ith_line_attention(b, kv, tile, &l, err);
    if (status == ITH_OK)
        ith_line_measure(b, name, operand, &l, ith_line_attention_ops(&l),
                         tokens > 1 ? 0 : (double)ith_line_segment_bytes(&l) * (double)l.n_segments,
                         kv == ITH_KVL_Q8 ? b->ceilings.integer_ops : b->ceilings.f32_ops);
    ith_line_close(&l);
    return status;
}

/* A prefill tile of the model. */
static ith_key_tile tile_of(const ith_kernel_bench *b, ith_kv_layout kv)
{
    return ith_blocks_key_tile(&b->hp, &b->caches, kv, CHUNK, ith_team_size(b->team));
}

/* The same with heads of size d, keys and values alike. */
static ith_key_tile tile_with(const ith_kernel_bench *b, ith_kv_layout kv, int d)
{
    ith_hparams hp = b->hp;
    ith_key_tile tile = tile_of(b, kv);
    if (tile.value_dim > 0)
        return (ith_key_tile){.head_dim = d, .group = 1, .tokens = tile.tokens};
    hp.head_dim = d;
    return ith_blocks_key_tile(&hp, &b->caches, kv, CHUNK, ith_team_size(b->team));
}

ith_status ith_bench_attentions(ith_kernel_bench *b, ith_error *err)
{
    static const struct {
        const char *operand;
        int d;
    } others[] = {{"prefill.32", 32}, {"prefill.64", 64},   {"prefill.80", 80},
                  {"prefill.96", 96}, {"prefill.128", 128}, {"prefill.256", 256}};
    int d = (int)b->hp.head_dim;

    for (ith_kv_layout kv = 0; kv < ITH_KV_LAYOUTS; kv++) {
        ith_key_tile tile = tile_of(b, kv), one = tile;
        one.tokens = 1;
        ITH_TRY(bench_attention(b, "decode", kv, &one, err));
        ITH_TRY(bench_attention(b, "prefill", kv, &tile, err));
    }
    /* The head sizes of other models, for comparison. */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].d != d) {
            const ith_key_tile tile = tile_with(b, ITH_KVL_Q8, others[i].d);
            ITH_TRY(bench_attention(b, others[i].operand, ITH_KVL_Q8, &tile, err));
        }
    return ITH_OK;
}
