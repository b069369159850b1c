/* attention.c - softmax(q k^T / sqrt(d)) v of the tokens that this rank attends to over the cache, for its group's heads.
 *
 * The unit of arithmetic is one segment of 1,024 keys (simd/kernels.h); a row's segments are folded in ascending order, whoever
 * computed them, so the ways below give the same bits:
 *   tiles     prefill: a member takes a tile of tokens of one KV head through all segments. Where other ranks hold some of these (R > 1),
 *             they arrive head by head, the next head's while this one's tiles are worked on (ring attention, arXiv 2310.01889,
 *             with the ring's order given up for the ascending one).
 *   segments  decode: members take (head, segment) pairs of those that this rank holds; the partials are folded afterwards
 *             (flash-decoding), with R > 1 each query head's on one rank. All query heads of a KV head share the pass over its keys
 *             and values.
 */
#include "model/blocking.h"
#include "model/traffic.h"

#include <math.h>
#include <string.h>

static int64_t head_dim(const ith_model *m)
{
    return m->hp.head_dim;
}
static int64_t group_of(const ith_model *m)
{
    return m->hp.n_heads / m->hp.n_kv_heads;
}

/* Tokens of the largest tile. */
static int64_t most_tokens(const ith_caches *caches, ith_kv_layout layout, int64_t d, int64_t group)
{
    int64_t query = layout == ITH_KVL_Q8 ? d : d * (int64_t)sizeof(float);
    int64_t segment = (int64_t)ith_kv_block_bytes(layout, (int)d) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);
    int64_t n = ith_tile_rows(caches, segment, query + 2 * (d + 2) * (int64_t)sizeof(float)) / group;
    return n < 1 ? 1 : n;
}

static int64_t tile_tokens(const ith_model *m, ith_kv_layout layout)
{
    return most_tokens(&m->caches, layout, head_dim(m), group_of(m));
}

int64_t ith_attention_tile(const ith_caches *caches, ith_kv_layout layout, int64_t d, int64_t group, int64_t rows,
                           int n_threads)
{
    return ith_clamp(ith_tile_share(rows, n_threads) / group, 1, most_tokens(caches, layout, d, group));
}

/* m, l, o of `rows` rows, one after another in memory. */
typedef struct state {
    float *m, *l, *o;
} state;

static int64_t state_floats(const ith_model *model, int64_t rows)
{
    return ith_round_up(rows * (head_dim(model) + 2), 16);
}

static state state_at(float *memory, int64_t rows)
{
    return (state){memory, memory + rows, memory + 2 * rows};
}

float ith_attention_q_factor(int64_t d)
{
    return (float)(1.4426950408889634 / sqrt((double)d));
}

int64_t ith_attention_scratch(const ith_model *model, ith_kv_layout layout)
{
    return 2 * state_floats(model, tile_tokens(model, layout) * group_of(model));
}

static void clear(const ith_model *model, state s, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        s.m[i] = -INFINITY;
        s.l[i] = 0;
    }
    memset(s.o, 0, (size_t)(rows * head_dim(model)) * sizeof *s.o);
}

/* Position of token t of those attended to. */
static int64_t position(const ith_pass *p, int64_t t)
{
    return p->pos + ith_pass_tokens(p, (ith_range){p->attended.begin + t, p->attended.end}).begin;
}

/* Partial of tokens [t, t + n) of those attended to, which follow each other, over segment `s` of head `head`, which lies at
 * `segment`. */
static void attend(const ith_pass *p, const ith_heads_part *part, int64_t head, int64_t t, int64_t n, int64_t s,
                   const void *segment, state out)
{
    const ith_record *queries = &part->record;
    const uint8_t *record = p->ws->queries + ith_range_size(p->attended) * part->before + t * queries->bytes;
    int64_t q_head = (head - part->heads.begin) * p->group;
    ith_kv_layout layout = ith_kv_get_layout(p->kv);
    int64_t q_element = layout == ITH_KVL_Q8 ? 1 : 4;
    ith_attn a = {
        .segment = segment,
        .head_dim = (int)head_dim(p->model),
        .n_tokens = (int)n,
        .n_heads = (int)p->group,
        .first_visible = position(p, t) + 1 - s * ITH_KV_SEGMENT,
        .q = record + q_head * queries->stride,
        .q_token_stride = queries->bytes / q_element,
        .q_head_stride = queries->stride / q_element,
        .q_scale = (const float *)(const void *)(record + queries->scales) + q_head,
        .q_scale_stride = queries->bytes / (int64_t)sizeof(float),
        .m = out.m,
        .l = out.l,
        .o = out.o,
    };
    if (layout == ITH_KVL_Q8)
        p->model->kernels->attn_q8(&a);
    else if (layout == ITH_KVL_BF16)
        p->model->kernels->attn_bf16(&a);
    else
        p->model->kernels->attn_f32(&a);
}

/* o / l of query head q_head, counted from the first that I attend for, of token t: to where the output matrix's input is gathered.
 * Scales o in place. */
static void finish(const ith_pass *p, int layer, const ith_heads_part *part, int64_t q_head, int64_t t, float *o,
                   float l)
{
    const ith_kernels *kernels = p->model->kernels;
    ith_heads_out out = p->way->heads_out(p, part, p->model->layers[layer].o);
    int64_t d = head_dim(p->model);

    kernels->scale(d, o, 1.0f / l);
    if (out.quantized)
        kernels->quantize(d, o, &out.acts, t, out.first_group + q_head * d / ITH_GROUP);
    else
        memcpy(out.x + t * out.ld + (q_head - out.first) * d, o, (size_t)d * sizeof *o);
}

/* ---- Prefill: a tile of tokens through all segments ---- */

static const void *segment_at(const ith_pass *p, int layer, int64_t head, int64_t s, const uint8_t *ring)
{
    if (ith_kv_holds(p->kv, (int)head, s))
        return ith_kv_segment(p->kv, layer, (int)head, s);
    return ring + (size_t)s * ith_kv_segment_bytes(p->kv);
}

static void attend_tile(const ith_pass *p, int layer, const ith_heads_part *part, int64_t head, int64_t t, int64_t n,
                        const uint8_t *ring, float *scratch)
{
    int64_t rows = n * p->group, d = head_dim(p->model);
    state sum = state_at(scratch, rows), one = state_at(scratch + state_floats(p->model, rows), rows);

    clear(p->model, sum, rows);
    for (int64_t s = 0; s < ith_kv_segments(position(p, t) + n); s++) {
        attend(p, part, head, t, n, s, segment_at(p, layer, head, s, ring), one);
        p->model->kernels->attn_merge(rows, (int)d, sum.m, sum.l, sum.o, one.m, one.l, one.o);
    }
    for (int64_t row = 0; row < rows; row++)
        finish(p, layer, part, head * p->group + row % p->group, t + row / p->group, sum.o + row * d, sum.l[row]);
}

typedef struct tiles { /* of the tokens attended to, for each head */
    int64_t tokens;    /* of a tile */
    int64_t early;     /* tokens that follow each other, before the late ones: no tile has both */
    int64_t n_early, n;
} tiles;

/* As large as the caches allow, yet so many for the `heads` that threads work on side by side that none waits long for the last. */
static tiles tiles_of(const ith_pass *p, int64_t heads, const ith_member *me)
{
    int64_t n = ith_range_size(p->attended),
            size = ith_attention_tile(&p->model->caches, ith_kv_get_layout(p->kv), head_dim(p->model), p->group,
                                      n * heads * p->group, me->n_threads),
            early = n == 0 ? 0 : ith_range_size(ith_pass_tokens(p, p->attended)), n_early = (early + size - 1) / size;
    return (tiles){size, early, n_early, n_early + (n - early + size - 1) / size};
}

/* Tile i of a head, last tokens first: they see the most keys. */
static void work_tile(const ith_pass *p, int layer, const ith_heads_part *part, int64_t head, tiles all, int64_t i,
                      const uint8_t *ring, ith_member *me)
{
    int64_t at = all.n - 1 - i, late = at - all.n_early, t = late < 0 ? at * all.tokens : all.early + late * all.tokens,
            left = (late < 0 ? all.early : ith_range_size(p->attended)) - t;
    attend_tile(p, layer, part, head, t, left < all.tokens ? left : all.tokens, ring, p->ws->scratch[me->tid]);
    ith_pass_progress(p, me);
}

/* Tiles are taken from a shared counter. */
static void by_tiles(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    int64_t heads = ith_range_size(part->heads), i;
    tiles all = tiles_of(p, heads, me);

    while ((i = ith_counter_next(me)) < all.n * heads)
        work_tile(p, layer, part, part->heads.begin + i % heads, all, i / heads, NULL, me);
}

/* ---- The same where a group of ranks holds the segments ---- */

/* Bytes of segment s that the pass's tokens can see. */
static int64_t bytes_seen(const ith_pass *p, int64_t s)
{
    int64_t keys = p->pos + p->n - s * ITH_KV_SEGMENT, blocks = (keys + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK;
    int64_t block = (int64_t)ith_kv_block_bytes(ith_kv_get_layout(p->kv), (int)head_dim(p->model));
    return (blocks < ITH_KV_SEGMENT / ITH_KV_BLOCK ? blocks : ITH_KV_SEGMENT / ITH_KV_BLOCK) * block;
}

/* Flight of a head's segments, and where those that others hold arrive: two heads are under way or in use at a time. */
static int flight_of(int64_t head)
{
    return (int)(head % 2);
}

/* tid 0: what I hold of a head sets out to the others of the group, what they hold to my ring. */
static void pass_segments(ith_pass *p, int layer, int64_t head)
{
    uint8_t *ring = p->ws->ring[flight_of(head)];
    ith_parcel *sends = p->ws->parcels, *recvs = sends + p->ws->n_parcels;
    int64_t n_sends = 0, n_recvs = 0, mine = ith_segments_needed(&p->mesh, p->pos, p->n, p->mesh.c);

    for (int64_t s = 0; s < ith_kv_segments(p->pos + p->n); s++) {
        int holder = ith_mesh_holder(&p->mesh, head, s);
        if (holder != p->mesh.c && s < mine)
            recvs[n_recvs++] = (ith_parcel){ith_mesh_rank(&p->mesh, p->mesh.u, holder),
                                            ring + (size_t)s * ith_kv_segment_bytes(p->kv), bytes_seen(p, s)};
        for (int c = 0; holder == p->mesh.c && c < p->mesh.context; c++)
            if (c != p->mesh.c && s < ith_segments_needed(&p->mesh, p->pos, p->n, c))
                sends[n_sends++] = (ith_parcel){ith_mesh_rank(&p->mesh, p->mesh.u, c),
                                                ith_kv_segment(p->kv, layer, (int)head, s), bytes_seen(p, s)};
    }
    p->comm->ops->messages_start(p->comm, flight_of(head), sends, n_sends, recvs, n_recvs);
}

/* Head by head, the next one's segments under way meanwhile. A member that drew a tile of a later head keeps it for then. */
static void by_heads(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    int64_t heads = ith_range_size(p->heads), i = -1;
    tiles all = tiles_of(p, 1, me);

    if (me->tid == 0)
        pass_segments(p, layer, 0);
    for (int64_t head = 0; head < heads; head++) {
        if (me->tid == 0) {
            if (head + 1 < heads)
                pass_segments(p, layer, head + 1);
            p->comm->ops->finish(p->comm, flight_of(head));
        }
        ith_barrier(me);
        if (i < 0)
            i = ith_counter_next(me);
        for (; i < all.n * (head + 1); i = ith_counter_next(me))
            work_tile(p, layer, part, head, all, i - all.n * head, p->ws->ring[flight_of(head)], me);
        ith_barrier(me);
    }
}

/* ---- Decode: segments side by side, then folded in order ----
 *
 * A cell is the partial of one row over one segment: m, l, o[d]. ws->cells holds [query heads of the group][tokens][segments held
 * of the head], so that those of a range of query heads, which one rank folds, are one message. */

static int64_t cell_floats(const ith_model *m)
{
    return head_dim(m) + 2;
}

/* Cells of a row: segments that a rank holds at most, of n. */
static int64_t row_cells(const ith_mesh *mesh, int64_t n_segments)
{
    return (n_segments + mesh->turn - 1) / mesh->turn;
}

/* The place of a segment among those that its holder has of the head. */
static int64_t place_of(const ith_pass *p, int64_t s)
{
    return s / p->mesh.turn;
}

int64_t ith_attention_cells(const ith_model *model, const ith_mesh *mesh, int64_t n_tokens, int64_t n_segments)
{
    return model->hp.n_heads / mesh->ulysses * n_tokens * row_cells(mesh, n_segments) * cell_floats(model);
}

/* Query heads of the group that context index c folds. */
static ith_range folded_by(const ith_pass *p, int c)
{
    ith_range own = ith_mesh_own_heads(&p->mesh, p->model->hp.n_heads, ith_mesh_rank(&p->mesh, p->mesh.u, c));
    int64_t first = p->heads.begin * p->group;
    return (ith_range){own.begin - first, own.end - first};
}

/* Tokens [t, t + n), at most a tile. */
static void attend_segment(ith_pass *p, const ith_heads_part *part, int64_t head, int64_t t, int64_t n, int64_t s,
                           const void *segment, int64_t K, float *scratch)
{
    int64_t rows = n * p->group, d = head_dim(p->model);
    state one = state_at(scratch, rows);

    attend(p, part, head, t, n, s, segment, one);
    for (int64_t row = 0; row < rows; row++) {
        int64_t q_head = head * p->group + row % p->group, token = t + row / p->group;
        float *cell = p->ws->cells + ((q_head * p->n + token) * K + place_of(p, s)) * cell_floats(p->model);
        cell[0] = one.m[row];
        cell[1] = one.l[row];
        memcpy(cell + 2, one.o + row * d, (size_t)d * sizeof *cell);
    }
}

/* Segments that I hold and that lie on a memory node, all tokens. */
static void attend_node(ith_pass *p, int layer, const ith_heads_part *part, int64_t n_segments, int node,
                        ith_member *me)
{
    int64_t heads = ith_range_size(p->heads), tile = tile_tokens(p->model, ith_kv_get_layout(p->kv)),
            K = row_cells(&p->mesh, n_segments), i, first, n = ith_dealt(0, n_segments, me->n_nodes, node, &first);

    while ((i = ith_counter_next_of(me, node)) < heads * n) {
        int64_t head = i / n, s = first + i % n * me->n_nodes;
        if (!ith_kv_holds(p->kv, (int)head, s))
            continue;
        const void *segment = ith_kv_segment(p->kv, layer, (int)head, s);
        for (int64_t t = 0; t < p->n; t += tile)
            attend_segment(p, part, head, t, p->n - t < tile ? p->n - t : tile, s, segment, K, p->ws->scratch[me->tid]);
    }
}

/* Those of my own node first. */
static void attend_held(ith_pass *p, int layer, const ith_heads_part *part, int64_t n_segments, ith_member *me)
{
    for (int i = 0; i < me->n_nodes; i++)
        attend_node(p, layer, part, n_segments, (me->node + i) % me->n_nodes, me);
}

/* tid 0: cells of the query heads that others fold go there; what arrives lies [context index][my query heads][tokens][...]. */
static void exchange_cells(ith_pass *p, int64_t row_floats)
{
    ith_parcel *sends = p->ws->parcels, *recvs = sends + p->ws->n_parcels;
    int64_t mine = ith_range_size(folded_by(p, p->mesh.c)) * row_floats;
    int n = 0;

    for (int c = 0; c < p->mesh.context; c++) {
        int r = ith_mesh_rank(&p->mesh, p->mesh.u, c);
        ith_range theirs = folded_by(p, c);
        if (c == p->mesh.c)
            continue;
        sends[n] = (ith_parcel){r, p->ws->cells + theirs.begin * row_floats,
                                ith_range_size(theirs) * row_floats * (int64_t)sizeof(float)};
        recvs[n++] = (ith_parcel){r, p->ws->cells_in + c * mine, mine * (int64_t)sizeof(float)};
    }
    ith_comm_messages(p->comm, sends, n, recvs, n);
}

/* Row (q_head, t), q_head counted from the first that I fold. */
static void fold_row(const ith_pass *p, int layer, const ith_heads_part *part, int64_t q_head, int64_t t,
                     int64_t n_segments, float *scratch)
{
    int64_t d = head_dim(p->model), cell = cell_floats(p->model), K = row_cells(&p->mesh, n_segments);
    ith_range mine = folded_by(p, p->mesh.c);
    int64_t in_group = mine.begin + q_head, n_mine = ith_range_size(mine);
    float m = -INFINITY, l = 0, *o = scratch;

    memset(o, 0, (size_t)d * sizeof *o);
    for (int64_t s = 0; s < n_segments; s++) {
        int c = ith_mesh_holder(&p->mesh, in_group / p->group, s);
        const float *rows = c == p->mesh.c ? p->ws->cells + mine.begin * p->n * K * cell
                                           : p->ws->cells_in + c * n_mine * p->n * K * cell;
        const float *at = rows + ((q_head * p->n + t) * K + place_of(p, s)) * cell;
        p->model->kernels->attn_merge(1, (int)d, &m, &l, o, at, at + 1, at + 2);
    }
    finish(p, layer, part, q_head, t, o, l);
}

/* No partials to keep. */
static void attend_only_segment(const ith_pass *p, int layer, const ith_heads_part *part, int64_t head, float *scratch)
{
    int64_t tile = tile_tokens(p->model, ith_kv_get_layout(p->kv));
    for (int64_t t = 0; t < p->n; t += tile)
        attend_tile(p, layer, part, head, t, p->n - t < tile ? p->n - t : tile, NULL, scratch);
}

static void by_segments(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    int64_t heads = ith_range_size(p->heads), n_segments = ith_kv_segments(p->pos + p->n), i;
    float *scratch = p->ws->scratch[me->tid];
    ith_range all = ith_my_share(me, heads, 1),
              rows = ith_my_share(me, ith_range_size(folded_by(p, p->mesh.c)) * p->n, 1);

    if (n_segments == 1 && p->mesh.context == 1) {
        for (i = all.begin; i < all.end; i++)
            attend_only_segment(p, layer, part, i, scratch);
        return;
    }
    attend_held(p, layer, part, n_segments, me);
    ith_barrier(me);
    if (p->mesh.context > 1) {
        if (me->tid == 0)
            exchange_cells(p, p->n * row_cells(&p->mesh, n_segments) * cell_floats(p->model));
        ith_barrier(me);
    }
    for (i = rows.begin; i < rows.end; i++)
        fold_row(p, layer, part, i / p->n, i % p->n, n_segments, scratch);
}

/* Up to four tokens' partials cost nothing to keep. More are taken by segments where their tiles would leave threads idle. */
static bool few(const ith_pass *p, const ith_member *me)
{
    enum { SURELY_FEW = 4 };
    int64_t heads = ith_range_size(p->heads);
    return p->n <= SURELY_FEW || (p->n <= ITH_DECODE_TOKENS &&
                                  tiles_of(p, heads, me).n * heads < (int64_t)ITH_TILES_PER_THREAD * me->n_threads);
}

void ith_attention(ith_pass *p, int layer, const ith_heads_part *part, ith_member *me)
{
    bool all_here = p->comm->size == 1 || p->way->all_tokens;

    if (all_here && (few(p, me) || p->mesh.context > 1))
        by_segments(p, layer, part, me);
    else if (p->mesh.context == 1)
        by_tiles(p, layer, part, me);
    else
        by_heads(p, layer, part, me);
    ith_barrier(me);
}
