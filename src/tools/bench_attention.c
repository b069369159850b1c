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
    return ith_kv_block_bytes(l->kv, l->head_dim) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);
}

static void attention(const ith_line *l, const ith_member *me, int64_t run)
{
    size_t segment = ith_line_segment_bytes(l);
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

    for (int64_t i = mine.begin; i < mine.end; i++) {
        a.segment = l->pool + (size_t)((l->first + run) % l->copies * l->n_segments + i) * segment;
        l->kernels->attn[l->kv](&a);
    }
}

static void prepare_queries(ith_line *l, size_t out, size_t q)
{
    l->out = l->memory;
    l->q_scale = l->out + out;
    l->q = l->q_scale + l->rows;
    for (int64_t i = 0; i < l->rows; i++)
        l->q_scale[i] = 0.01f;
    if (l->kv == ITH_KVL_Q8)
        memset(l->q, 3, q);
    else
        for (size_t i = 0; i < q; i++)
            ((float *)l->q)[i] = 0.1f;
}

ith_status ith_line_attention(const ith_kernel_bench *b, ith_kv_layout kv, int d, int group,
                              int64_t tokens, ith_line *l, ith_error *err)
{
    int threads = ith_team_size(b->team);
    size_t rows = (size_t)tokens * (size_t)group;
    size_t out = (size_t)threads * rows * (size_t)(d + 2);
    size_t q = rows * (size_t)ith_round_up(d, 16);
    int64_t fit;

    *l = (ith_line){.fn = attention,
                    .kv = kv,
                    .cols = d,
                    .tokens = tokens,
                    .rows = tokens * group,
                    .head_dim = d};
    l->group = group;
    fit = (int64_t)(ith_line_pool(b) / ith_line_segment_bytes(l));
    l->n_segments =
        tokens > 1 ? SEGMENTS_IN_CACHE * threads : ith_line_copies(b, ith_line_segment_bytes(l));
    if (l->n_segments > fit)
        l->n_segments = fit;
    l->copies = tokens > 1 ? 1 : fit / l->n_segments;
    l->per_run = 1;
    ITH_TRY(
        ith_mem_alloc(ITH_MEM_OTHER, (out + rows + q) * sizeof(float), "queries", &l->memory, err));
    prepare_queries(l, out, q);
    return ITH_OK;
}

double ith_line_attention_ops(const ith_line *l)
{
    return 4.0 * (double)(l->rows * ITH_KV_SEGMENT * l->head_dim) * (double)l->n_segments;
}

static ith_status bench_attention(ith_kernel_bench *b, const char *part, ith_kv_layout kv, int d,
                                  int64_t tokens, ith_error *err)
{
    ith_line l;
    ith_status status;
    char name[32];

    snprintf(name, sizeof name, "attn_%s", ith_kv_layout_name(kv));
    if (!ith_line_begins(b, name, part, tokens))
        return ITH_OK;
    status = ith_line_attention(b, kv, d, (int)(b->hp.n_heads / b->hp.n_kv_heads), tokens, &l, err);
    if (status == ITH_OK)
        ith_line_measure(b, name, part, &l, ith_line_attention_ops(&l),
                         tokens > 1 ? 0 : (double)ith_line_segment_bytes(&l) * (double)l.n_segments,
                         kv == ITH_KVL_Q8 ? b->ceilings.integer_ops : b->ceilings.f32_ops);
    ith_line_close(&l);
    return status;
}

/* Tokens of a prefill tile with heads of size d. */
static int64_t tile_tokens(const ith_kernel_bench *b, ith_kv_layout kv, int d)
{
    ith_hparams hp = b->hp;
    hp.head_dim = d;
    return ith_blocks_key_tile(&hp, &b->caches, kv, CHUNK, ith_team_size(b->team)).tokens;
}

ith_status ith_bench_attentions(ith_kernel_bench *b, ith_error *err)
{
    static const struct {
        const char *part;
        int d;
    } others[] = {{"prefill.32", 32}, {"prefill.64", 64},   {"prefill.80", 80},
                  {"prefill.96", 96}, {"prefill.128", 128}, {"prefill.256", 256}};
    int d = (int)b->hp.head_dim;

    for (ith_kv_layout kv = 0; kv < ITH_KV_LAYOUTS; kv++) {
        ITH_TRY(bench_attention(b, "decode", kv, d, 1, err));
        ITH_TRY(bench_attention(b, "prefill", kv, d, tile_tokens(b, kv, d), err));
    }
    /* The head sizes of other models, for comparison. */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].d != d)
            ITH_TRY(bench_attention(b, others[i].part, ITH_KVL_Q8, others[i].d,
                                    tile_tokens(b, ITH_KVL_Q8, others[i].d), err));
    return ITH_OK;
}
