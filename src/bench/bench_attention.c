/* bench_attention.c - queries against segments of the cache: decode streams them from memory, prefill meets them in cache. */
#include "base/mem.h"
#include "bench/lines.h"

#include <string.h>

enum {
    SEGMENTS_IN_CACHE = 4, /* a thread's: prefill tiles meet segments that others have just read; decode streams all */
    TILE_ROWS = 64         /* queries of a prefill attention tile: as src/model/attention.c */
};

static void attention(const ith_line *l, const ith_member *me, int64_t run)
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

static ith_status bench_attention(ith_kernel_bench *b, const char *part, ith_kv_layout kv, int d, int64_t tokens,
                                  ith_error *err)
{
    static const char *const names[] = {
        [ITH_KVL_Q8] = "attn_q8", [ITH_KVL_BF16] = "attn_bf16", [ITH_KVL_F32] = "attn_f32"};
    int group = (int)(b->hp.n_heads / b->hp.n_kv_heads), threads = ith_team_size(b->team);
    ith_line l = {.fn = attention, .kv = kv, .cols = d, .tokens = tokens, .rows = tokens * group, .head_dim = d};
    size_t segment = ith_kv_block_bytes(kv, d) * (ITH_KV_SEGMENT / ITH_KV_BLOCK), dp = (size_t)ith_round_up(d, 16);
    size_t out = (size_t)threads * (size_t)l.rows * (size_t)(d + 2), q = (size_t)l.rows * dp;
    int64_t fit = (int64_t)(ith_line_pool(b) / segment);
    void *memory = NULL;

    if (!ith_line_begins(b, names[kv], part, tokens))
        return ITH_OK;
    l.group = group;
    l.n_segments = tokens > 1 ? SEGMENTS_IN_CACHE * threads : ith_line_copies(b, segment);
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
    ith_line_measure(b, names[kv], part, &l, 4.0 * (double)(l.rows * ITH_KV_SEGMENT * d) * (double)l.n_segments,
                     tokens > 1 ? 0 : (double)segment * (double)l.n_segments,
                     kv == ITH_KVL_Q8 ? b->ceilings.integer_ops : b->ceilings.f32_ops);
    ith_mem_free(memory);
    return ITH_OK;
}

ith_status ith_bench_attentions(ith_kernel_bench *b, ith_error *err)
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
