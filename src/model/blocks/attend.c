/* attend.c - softmax(q k^T * scale) v of the tokens that this rank attends to over the cache, for
 * its group's heads.
 *
 * The unit of arithmetic is one segment of 1,024 keys (simd/kernels.h); a row's segments are folded
 * in ascending order, whoever computed them, so the ways below give the same bits:
 *   tiles     prefill: a member takes a tile of tokens of one KV head through all segments. Where
 *             other ranks hold some of these (R > 1), they arrive head by head, the next head's
 *             while this one's tiles are worked on (ring attention, arXiv 2310.01889, with the
 *             ring's order given up for the ascending one).
 *   segments  decode: members take (head, segment) pairs of those that this rank holds. The
 *             partials are folded afterwards (flash-decoding), with R > 1 each query head's on one
 *             rank. All query heads of a KV head share the pass over its keys and values.
 */
#include "model/blocking.h"
#include "model/blocks/heads.h"
#include "model/blocks/reach.h"

#include <math.h>
#include <string.h>

static int64_t group_of(const ith_heads_shape *shape)
{
    return shape->n_q / shape->n_kv;
}

/* Tokens of the largest tile. Latents exceed the second level anyway, and each tile turns the
 * values of a segment first: the more rows share that, the better. */
static int64_t most_tokens(const ith_caches *caches, const ith_heads_shape *shape)
{
    int64_t query = shape->kv == ITH_KVL_Q8 ? shape->d : shape->d * (int64_t)sizeof(float),
            sums = 2 * (shape->dv + 2) * (int64_t)sizeof(float),
            rows = shape->latent
                       ? (int64_t)ITH_TILE_MOST
                       : ith_tile_rows(caches, ith_heads_segment_bytes(shape), query + sums),
            n = rows / group_of(shape);
    return n < 1 ? 1 : n;
}

static int64_t tile_tokens(const ith_heads *a)
{
    return most_tokens(&a->pass->model->caches, &a->shape);
}

int64_t ith_attend_tile(const ith_caches *caches, const ith_heads_shape *shape, int64_t rows,
                        int n_threads)
{
    return ith_clamp(ith_tile_share(rows, n_threads) / group_of(shape), 1,
                     most_tokens(caches, shape));
}

/* m, l, o of `rows` rows, one after another in memory. */
typedef struct partial {
    float *m, *l, *o;
} partial;

static int64_t partial_floats(int64_t dv, int64_t rows)
{
    return ith_round_up(rows * (dv + 2), 16);
}

static partial partial_at(float *memory, int64_t rows)
{
    return (partial){memory, memory + rows, memory + 2 * rows};
}

/* Two partials of a tile. */
static int64_t partials(const ith_caches *caches, const ith_heads_shape *shape)
{
    return 2 * partial_floats(shape->dv, most_tokens(caches, shape) * group_of(shape));
}

/* Then, of latents, the values of a segment. */
int64_t ith_attend_scratch(const ith_caches *caches, const ith_heads_shape *shape)
{
    int64_t values = (int64_t)ith_latent_values_bytes(shape->kv, (int)shape->dv) *
                     (ITH_KV_SEGMENT / ITH_KV_BLOCK) / (int64_t)sizeof(float);
    return partials(caches, shape) + (shape->latent ? values : 0);
}

static void clear(int64_t d, partial s, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        s.m[i] = -INFINITY;
        s.l[i] = 0;
    }
    memset(s.o, 0, (size_t)(rows * d) * sizeof *s.o);
}

/* A `head` below is one of a KV head's a->head_tasks tasks, with its share of the query heads. */
static int64_t task_heads(const ith_heads *a)
{
    return a->group / a->head_tasks;
}

static int kv_head(const ith_heads *a, int64_t head)
{
    return (int)(head / a->head_tasks);
}

/* The pass's token that is token t of those attended to. */
static int64_t token_of(const ith_heads *a, int64_t t)
{
    ith_range slots = {a->attended.begin + t, a->attended.end};
    return ith_pass_tokens(a->pass, slots).begin;
}

static int64_t position(const ith_heads *a, int64_t t)
{
    return ith_pass_position(a->pass, token_of(a, t));
}

/* The values of a segment of latents whose first `seen` keys tokens see, in scratch. */
static const void *turn_values(const ith_heads *a, int64_t seen, const void *segment,
                               float *scratch)
{
    const ith_model *m = a->pass->model;
    void *values = scratch + partials(&m->caches, &a->shape);
    int64_t keys = ith_clamp(seen, 0, ITH_KV_SEGMENT);

    m->kernels->latent_values[a->pass->kv]((int)((keys + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK),
                                           (int)a->shape.d, (int)a->shape.dv, segment, values);
    return values;
}

/* Partial of tokens [t, t + n) of those attended to, which follow each other in one timeline, over
 * segment `s` of head `head`, which lies at `segment`. */
static void attend(const ith_heads *a, const ith_head_slice *slice, int64_t head, int64_t t,
                   int64_t n, int64_t s, const void *segment, partial out, float *scratch)
{
    const ith_query_record *queries = &slice->record;
    const uint8_t *record =
        a->work->queries + ith_range_size(a->attended) * slice->before + t * queries->bytes;
    int64_t q_head = (head - slice->heads.begin * a->head_tasks) * task_heads(a);
    int64_t q_element = a->pass->kv == ITH_KVL_Q8 ? 1 : 4,
            scales = queries->scale / (int64_t)sizeof(float); /* of a head */
    ith_attn unit = {
        .segment = segment,
        .head_dim = (int)a->d,
        .value_dim = (int)a->shape.dv,
        .n_tokens = (int)n,
        .n_heads = (int)task_heads(a),
        .first_visible = position(a, t) + 1 - s * ITH_KV_SEGMENT,
        .window = a->w->window,
        .cap = a->cap,
        .q = record + q_head * queries->stride,
        .q_token_stride = queries->bytes / q_element,
        .q_head_stride = queries->stride / q_element,
        .q_scale = (const float *)(const void *)(record + queries->scales) + q_head * scales,
        .q_scale_stride = queries->bytes / (int64_t)sizeof(float),
        .m = out.m,
        .l = out.l,
        .o = out.o,
    };

    if (a->shape.latent)
        unit.values = turn_values(a, unit.first_visible + n - 1, segment, scratch);
    a->pass->model->kernels->attn[a->pass->kv](&unit);
}

/* The largest score of a row that attention over the int8 cache is specified for. */
#define SCORE_MOST 0x1p21f

/* o / l of query head q_head, counted from the first that I attend for, of token t, whose largest
 * score is m: to where the output matrix's input is gathered. Scales o in place. */
static void finish(const ith_heads *a, const ith_head_slice *slice, int64_t q_head, int64_t t,
                   float *o, float l, float m)
{
    const ith_kernels *kernels = a->pass->model->kernels;
    ith_heads_out out = a->ops->out(a, slice);
    int64_t dv = a->shape.dv;

    if (a->pass->kv == ITH_KVL_Q8 && !(fabsf(m) < SCORE_MOST))
        ith_pass_note_broken_here(a->pass);
    kernels->scale(dv, o, 1.0f / l);
    if (out.quantized && out.head_rows > 0)
        kernels->quantize(dv, o, &out.acts, q_head * out.head_rows + t, 0);
    else if (out.quantized)
        kernels->quantize(dv, o, &out.acts, t, out.first_group + q_head * dv / ITH_GROUP);
    else
        memcpy(out.x + t * out.ld + (q_head - out.first) * dv, o, (size_t)dv * sizeof *o);
}

/* The sink of the rank group's query head q_head joins a row's sums, as a last segment of one key
 * without a value. */
static void add_sink(const ith_heads *a, int64_t q_head, float *m, float *l, float *o)
{
    static const float no_value[ITH_MAX_HEAD_DIM];
    const float log2_e = 0x1.715476p+0f, one = 1;
    float sink;

    if (a->w->sinks == NULL)
        return;
    sink = a->w->sinks[a->heads.begin * a->group + q_head] * log2_e;
    a->pass->model->kernels->attn_merge(1, (int)a->shape.dv, m, l, o, &sink, &one, no_value);
}

/* The first segment with a key that token t, of those attended to, sees; later tokens see none
 * before it. */
static int64_t first_segment(const ith_heads *a, int64_t t)
{
    return ith_kv_first_seen(a->w->window, position(a, t));
}

/* ---- Prefill: a tile of tokens through all segments that they see ---- */

static const void *segment_at(const ith_kv *kv, int layer, int64_t head, int64_t s,
                              const uint8_t *ring)
{
    if (ith_kv_holds(kv, (int)head, s))
        return ith_kv_segment(kv, layer, (int)head, s);
    return ring + (size_t)s * ith_kv_segment_bytes(kv);
}

static void attend_tile(const ith_heads *a, const ith_head_slice *slice, int64_t head, int64_t t,
                        int64_t n, const uint8_t *ring, float *scratch)
{
    int64_t group = task_heads(a), rows = n * group, d = a->shape.dv;
    partial sum = partial_at(scratch, rows),
            one = partial_at(scratch + partial_floats(d, rows), rows);
    int layer;
    const ith_kv *kv = ith_heads_kv(a, token_of(a, t), &layer);

    clear(d, sum, rows);
    for (int64_t s = first_segment(a, t); s < ith_kv_segments(position(a, t) + n); s++) {
        attend(a, slice, head, t, n, s, segment_at(kv, layer, kv_head(a, head), s, ring), one,
               scratch);
        a->pass->model->kernels->attn_merge(rows, (int)d, sum.m, sum.l, sum.o, one.m, one.l, one.o);
    }
    for (int64_t row = 0; row < rows; row++) {
        int64_t q_head = head * group + row % group;
        float m = sum.m[row];
        add_sink(a, q_head, &sum.m[row], &sum.l[row], sum.o + row * d);
        finish(a, slice, q_head, t + row / group, sum.o + row * d, sum.l[row], m);
    }
}

/* Tokens attended to that follow each other in one timeline are a run: a span's; or where the pass
 * is dealt out, the early ones, then the late ones. No tile has tokens of two runs. */
static int n_runs(const ith_pass *p)
{
    return p->n_spans > 1 ? p->n_spans : 2;
}

/* The run that begins with token `begin` of those attended to. */
static ith_range run_at(const ith_heads *a, int i, int64_t begin)
{
    int64_t n = ith_range_size(a->attended);
    if (a->pass->n_spans > 1)
        return (ith_range){begin, begin + a->pass->spans[i].n};
    if (i > 0 || n == 0)
        return (ith_range){begin, n};
    return (ith_range){0, ith_range_size(ith_pass_tokens(a->pass, a->attended))};
}

/* Of the tokens attended to, for each head. */
typedef struct tiles {
    int64_t tokens; /* of a tile */
    int64_t n;
} tiles;

static int64_t tiles_in(ith_range run, int64_t tokens)
{
    return (ith_range_size(run) + tokens - 1) / tokens;
}

/* As large as the caches allow, yet so many for the `heads` that threads work on side by side that
 * none waits long for the last. */
static tiles tiles_of(const ith_heads *a, int64_t heads, const ith_member *me)
{
    tiles all = {.tokens = ith_attend_tile(&a->pass->model->caches, &a->shape,
                                           ith_range_size(a->attended) * heads * a->group,
                                           me->n_threads)};
    ith_range run = {0, 0};

    for (int i = 0; i < n_runs(a->pass); i++) {
        run = run_at(a, i, run.end);
        all.n += tiles_in(run, all.tokens);
    }
    return all;
}

/* Tile i of a head, last tokens first: they see the most keys. */
static void work_tile(const ith_heads *a, const ith_head_slice *slice, int64_t head, tiles all,
                      int64_t i, const uint8_t *ring, ith_member *me)
{
    int64_t at = all.n - 1 - i, t, left;
    ith_range run = run_at(a, 0, 0);

    for (int r = 0; at >= tiles_in(run, all.tokens); run = run_at(a, ++r, run.end))
        at -= tiles_in(run, all.tokens);
    t = run.begin + at * all.tokens;
    left = run.end - t;
    attend_tile(a, slice, head, t, left < all.tokens ? left : all.tokens, ring,
                a->pass->ws->scratch[me->tid]);
    ith_pass_progress(a->pass, me);
}

/* Tiles are taken from a shared counter. */
static void by_tiles(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    int64_t heads = ith_range_size(slice->heads), i;
    tiles all = tiles_of(a, heads, me);

    while ((i = ith_counter_next(me)) < all.n * heads)
        work_tile(a, slice, slice->heads.begin + i % heads, all, i / heads, NULL, me);
}

/* ---- The same where a group of ranks holds the segments; the pass has one span ---- */

/* Bytes of segment s that the pass's tokens can see. */
static int64_t bytes_seen(const ith_heads *a, int64_t s)
{
    int64_t keys = a->pass->spans[0].pos + a->pass->n - s * ITH_KV_SEGMENT,
            blocks = (keys + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK,
            block = ith_heads_block_bytes(&a->shape);
    return (blocks < ITH_KV_SEGMENT / ITH_KV_BLOCK ? blocks : ITH_KV_SEGMENT / ITH_KV_BLOCK) *
           block;
}

/* Flight of a head's segments, and where those that others hold arrive: two heads are under way or
 * in use at a time. */
static int flight_of(int64_t head)
{
    return (int)(head % 2);
}

/* tid 0: what I hold of a head sets out to the others of the group, what they hold to my ring. */
static void pass_segments(const ith_heads *a, int64_t head)
{
    ith_pass *p = a->pass;
    const ith_mesh *mesh = &a->mesh;
    uint8_t *ring = a->work->ring[flight_of(head)];
    ith_parcel *sends = a->work->parcels, *recvs = sends + a->work->n_parcels;
    int64_t depth = p->spans[0].pos, window = a->w->window, n_sends = 0, n_recvs = 0;
    int layer;
    const ith_kv *kv = ith_heads_kv(a, 0, &layer);

    for (int64_t s = ith_kv_first_seen(window, depth); s < ith_kv_segments(depth + p->n); s++) {
        int holder = ith_mesh_holder(mesh, head, s);
        if (holder != mesh->c && ith_reach_sees(mesh, depth, p->n, mesh->c, window, s))
            recvs[n_recvs++] =
                (ith_parcel){ith_mesh_rank(mesh, mesh->u, holder),
                             ring + (size_t)s * ith_kv_segment_bytes(kv), bytes_seen(a, s)};
        for (int c = 0; holder == mesh->c && c < mesh->context; c++)
            if (c != mesh->c && ith_reach_sees(mesh, depth, p->n, c, window, s))
                sends[n_sends++] =
                    (ith_parcel){ith_mesh_rank(mesh, mesh->u, c),
                                 ith_kv_segment(kv, layer, (int)head, s), bytes_seen(a, s)};
    }
    p->comm->ops->messages_start(p->comm, flight_of(head), sends, n_sends, recvs, n_recvs);
}

/* Head by head, the next one's segments under way meanwhile. A member that drew a tile of a later
 * head keeps it for then. */
static void by_heads(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    int64_t heads = ith_range_size(a->heads), i = -1;
    tiles all = tiles_of(a, 1, me);

    if (me->tid == 0)
        pass_segments(a, 0);
    for (int64_t head = 0; head < heads; head++) {
        if (me->tid == 0) {
            if (head + 1 < heads)
                pass_segments(a, head + 1);
            a->pass->comm->ops->finish(a->pass->comm, flight_of(head));
        }
        ith_barrier(me);
        if (i < 0)
            i = ith_counter_next(me);
        for (; i < all.n * (head + 1); i = ith_counter_next(me))
            work_tile(a, slice, head, all, i - all.n * head, a->work->ring[flight_of(head)], me);
        ith_barrier(me);
    }
}

/* ---- Decode: segments side by side, then folded in order ----
 *
 * A cell is the partial of one row over one segment: m, l, o[d]. work->cells holds [query heads of
 * the group][tokens][segments held of the head], so that those of a range of query heads, which one
 * rank folds, are one message. */

static int64_t cell_floats(int64_t d)
{
    return d + 2;
}

/* Cells of a row: segments that a rank holds at most, of n. */
static int64_t row_cells(const ith_mesh *mesh, int64_t n_segments)
{
    return (n_segments + mesh->turn - 1) / mesh->turn;
}

/* The number of a segment among those that its holder has of the head. */
static int64_t number_of(const ith_heads *a, int64_t s)
{
    return s / a->mesh.turn;
}

int64_t ith_attend_cells(const ith_heads_shape *shape, const ith_mesh *mesh, int64_t n_tokens,
                         int64_t n_segments)
{
    return shape->n_q / mesh->ulysses * n_tokens * row_cells(mesh, n_segments) *
           cell_floats(shape->dv);
}

static int64_t segments_of(const ith_span *s)
{
    return ith_kv_segments(s->pos + s->n);
}

/* Of the longest timeline. */
static int64_t most_segments(const ith_pass *p)
{
    int64_t most = 0;
    for (int i = 0; i < p->n_spans; i++)
        most = segments_of(&p->spans[i]) > most ? segments_of(&p->spans[i]) : most;
    return most;
}

/* Query heads of the group that context index c folds. */
static ith_range folded_by(const ith_heads *a, int c)
{
    const ith_mesh *mesh = &a->mesh;
    ith_range own = ith_mesh_own_heads(mesh, a->n_q, ith_mesh_rank(mesh, mesh->u, c));
    int64_t first = a->heads.begin * a->group;
    return (ith_range){own.begin - first, own.end - first};
}

/* Tokens [t, t + n), at most a tile. K: cells of a row. */
static void attend_segment(const ith_heads *a, const ith_head_slice *slice, int64_t head, int64_t t,
                           int64_t n, int64_t s, const void *segment, int64_t K, float *scratch)
{
    int64_t group = task_heads(a), rows = n * group, d = a->shape.dv;
    partial one = partial_at(scratch, rows);

    attend(a, slice, head, t, n, s, segment, one, scratch);
    for (int64_t row = 0; row < rows; row++) {
        int64_t q_head = head * group + row % group, token = t + row / group,
                number = (q_head * a->pass->n + token) * K + number_of(a, s);
        float *cell = a->work->cells + number * cell_floats(d);
        cell[0] = one.m[row];
        cell[1] = one.l[row];
        memcpy(cell + 2, one.o + row * d, (size_t)d * sizeof *cell);
    }
}

/* A head's segment s, all tokens of a span, of which the first is the pass's token t. */
static void attend_span(const ith_heads *a, const ith_head_slice *slice, const ith_span *span,
                        int64_t t, int64_t head, int64_t s, int64_t K, float *scratch)
{
    int64_t tile = tile_tokens(a), end = t + span->n;
    int layer;
    const ith_kv *kv = ith_state_kv(span->state, a->from, &layer);
    const void *segment;

    if (!ith_kv_holds(kv, kv_head(a, head), s))
        return;
    segment = ith_kv_segment(kv, layer, kv_head(a, head), s);
    for (; t < end; t += tile)
        attend_segment(a, slice, head, t, end - t < tile ? end - t : tile, s, segment, K, scratch);
}

/* Segments that a span sees, whose first token is the pass's token t, and that lie on a memory
 * node: every n_nodes-th from *first on. */
static int64_t on_node(const ith_heads *a, const ith_span *s, int64_t t, int node,
                       const ith_member *me, int64_t *first)
{
    int64_t begin = first_segment(a, t),
            n = ith_dealt(begin, segments_of(s) - begin, me->n_nodes, node, first);
    *first += begin;
    return n;
}

/* Segments that I hold and that lie on a memory node, all tokens. */
static void attend_node(const ith_heads *a, const ith_head_slice *slice, int64_t K, int node,
                        ith_member *me)
{
    const ith_pass *p = a->pass;
    int64_t heads = ith_range_size(a->heads) * a->head_tasks, i = ith_counter_next_of(me, node),
            before = 0, t = 0;

    for (int k = 0; k < p->n_spans; k++) {
        const ith_span *s = &p->spans[k];
        int64_t first, n = on_node(a, s, t, node, me, &first);
        for (; i < before + heads * n; i = ith_counter_next_of(me, node))
            attend_span(a, slice, s, t, (i - before) / n, first + (i - before) % n * me->n_nodes, K,
                        p->ws->scratch[me->tid]);
        before += heads * n;
        t += s->n;
    }
}

/* Those of my own node first. */
static void attend_held(const ith_heads *a, const ith_head_slice *slice, int64_t K, ith_member *me)
{
    for (int i = 0; i < me->n_nodes; i++)
        attend_node(a, slice, K, (me->node + i) % me->n_nodes, me);
}

/* tid 0: cells of the query heads that others fold go there; what arrives lies [context index][my
 * query heads][tokens][...]. */
static void exchange_cells(const ith_heads *a, int64_t row_floats)
{
    const ith_mesh *mesh = &a->mesh;
    ith_parcel *sends = a->work->parcels, *recvs = sends + a->work->n_parcels;
    int64_t mine = ith_range_size(folded_by(a, mesh->c)) * row_floats;
    int n = 0;

    for (int c = 0; c < mesh->context; c++) {
        int r = ith_mesh_rank(mesh, mesh->u, c);
        ith_range theirs = folded_by(a, c);
        if (c == mesh->c)
            continue;
        sends[n] = (ith_parcel){r, a->work->cells + theirs.begin * row_floats,
                                ith_range_size(theirs) * row_floats * (int64_t)sizeof(float)};
        recvs[n++] = (ith_parcel){r, a->work->cells_in + c * mine, mine * (int64_t)sizeof(float)};
    }
    ith_comm_messages(a->pass->comm, sends, n, recvs, n);
}

/* Row (q_head, t), q_head counted from the first that I fold. */
static void fold_row(const ith_heads *a, const ith_head_slice *slice, int64_t q_head, int64_t t,
                     int64_t K, float *scratch)
{
    const ith_pass *p = a->pass;
    int64_t d = a->shape.dv, cell = cell_floats(d), in_span;
    ith_range mine = folded_by(a, a->mesh.c);
    int64_t in_group = mine.begin + q_head, n_mine = ith_range_size(mine),
            n_segments = segments_of(ith_pass_span(p, t, &in_span));
    float m = -INFINITY, l = 0, *o = scratch, largest;

    memset(o, 0, (size_t)d * sizeof *o);
    for (int64_t s = first_segment(a, t); s < n_segments; s++) {
        int c = ith_mesh_holder(&a->mesh, in_group / a->group, s);
        const float *rows = c == a->mesh.c ? a->work->cells + mine.begin * p->n * K * cell
                                           : a->work->cells_in + c * n_mine * p->n * K * cell;
        const float *at = rows + ((q_head * p->n + t) * K + number_of(a, s)) * cell;
        p->model->kernels->attn_merge(1, (int)d, &m, &l, o, at, at + 1, at + 2);
    }
    largest = m;
    add_sink(a, in_group, &m, &l, o);
    finish(a, slice, q_head, t, o, l, largest);
}

/* A head of a span that sees one segment: no partials to keep. */
static void attend_only_segment(const ith_heads *a, const ith_head_slice *slice, int64_t head,
                                int number, float *scratch)
{
    int64_t tile = tile_tokens(a), t = 0, end;

    for (int i = 0; i < number; i++)
        t += a->pass->spans[i].n;
    for (end = t + a->pass->spans[number].n; t < end; t += tile)
        attend_tile(a, slice, head, t, end - t < tile ? end - t : tile, NULL, scratch);
}

/* With latents all query heads share one KV head: so many tasks that no thread is idle, as
 * far as a task has enough rows to be worth turning the values for it. */
static int64_t head_tasks_of(const ith_heads *a, const ith_member *me)
{
    enum { LEAST_ROWS = 4 };
    int64_t segments = 0, tasks = 1;

    for (int i = 0; i < a->pass->n_spans; i++)
        segments += segments_of(&a->pass->spans[i]);
    if (a->shape.latent)
        while (tasks * segments < me->n_threads * a->mesh.context && a->group % (2 * tasks) == 0 &&
               a->group / (2 * tasks) >= LEAST_ROWS)
            tasks *= 2;
    return tasks;
}

static void by_segments(const ith_heads *whole, const ith_head_slice *slice, ith_member *me)
{
    ith_heads in_tasks = *whole, *const a = &in_tasks;
    const ith_pass *p = a->pass;
    int64_t tasks = a->head_tasks = head_tasks_of(a, me), heads = ith_range_size(a->heads) * tasks,
            n_segments = most_segments(p), K = row_cells(&a->mesh, n_segments);
    float *scratch = p->ws->scratch[me->tid];
    ith_range all = ith_my_share(me, heads * p->n_spans, 1),
              rows = ith_my_share(me, ith_range_size(folded_by(a, a->mesh.c)) * p->n, 1);

    if (n_segments == 1 && a->mesh.context == 1) {
        for (int64_t i = all.begin; i < all.end; i++)
            attend_only_segment(a, slice, i % heads, (int)(i / heads), scratch);
        return;
    }
    attend_held(a, slice, K, me);
    ith_barrier(me);
    if (a->mesh.context > 1) {
        if (me->tid == 0)
            exchange_cells(a, p->n * K * cell_floats(a->shape.dv));
        ith_barrier(me);
    }
    for (int64_t i = rows.begin; i < rows.end; i++)
        fold_row(a, slice, i / p->n, i % p->n, K, scratch);
}

/* Up to four tokens' partials cost nothing to keep. More are taken by segments where their tiles
 * would leave threads idle. */
static bool few(const ith_heads *a, const ith_member *me)
{
    enum { SURELY_FEW = 4 };
    int64_t heads = ith_range_size(a->heads), n = a->pass->n;
    return n <= SURELY_FEW ||
           (n <= ITH_DECODE_TOKENS &&
            tiles_of(a, heads, me).n * heads < (int64_t)ITH_TILES_PER_THREAD * me->n_threads);
}

void ith_attend(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    const ith_pass *p = a->pass;
    bool all_here = p->comm->size == 1 || p->way->all_tokens;

    if (all_here && (few(a, me) || a->mesh.context > 1))
        by_segments(a, slice, me);
    else if (a->mesh.context == 1)
        by_tiles(a, slice, me);
    else
        by_heads(a, slice, me);
    ith_barrier(me);
}
