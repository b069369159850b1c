/* heads_sizes.c - what blocks with heads need of the workspace, and what their ranks send: pure
 * functions of the heads' shape, the mesh and the pass. */
#include "model/blocks/heads.h"
#include "model/blocks/reach.h"

/* ---- Workspace ---- */

/* Heads of this rank's group, and a token's records. */
typedef struct own {
    ith_mesh mesh; /* for the shape's KV heads */
    int64_t kv, q;
    ith_query_record query;
    ith_kv_record record;
    int64_t segments; /* of the longest timeline */
} own;

static own own_of(const ith_work_sizes *s, const ith_heads_shape *shape)
{
    own o = {.mesh = ith_mesh_for_heads(s->mesh, shape->n_kv),
             .segments = ith_kv_segments(s->limits.ctx)};

    o.kv = ith_range_size(ith_mesh_kv_heads(s->mesh, (int)shape->n_kv, s->mesh->u));
    o.q = o.kv * (shape->n_q / shape->n_kv);
    o.query = ith_query_record_layout(shape, o.q);
    o.record = ith_kv_record_layout(shape);
    return o;
}

/* What a token's heads take on the way to the R ranks of the group, when each makes some. */
static int64_t made_bytes(const ith_work_sizes *s, const own *o)
{
    int64_t R = s->mesh->context;
    return R * ((o->q + R - 1) / R) * (o->query.stride + ith_max(4, o->query.scale)) +
           o->kv * o->record.bytes;
}

/* The tokens for which that is: those of a pass by rows. Of latents, whose queries are large, no
 * more than need be. */
static int64_t made_tokens(const ith_work_sizes *s, const ith_heads_shape *shape)
{
    return shape->latent ? ith_min(s->T, s->limits.rows_tokens) : s->T;
}

/* The most parcels in a list. By tokens there is one for each segment of a head that arrives, or
 * for each that is held and each rank that it is sent to; by rows one for each other rank. */
static int64_t most_parcels(const ith_work_sizes *s, const own *o)
{
    int64_t held = (o->segments + o->mesh.turn - 1) / o->mesh.turn;
    return ith_max(o->segments, held * (s->mesh->context - 1));
}

/* Partials of the tokens that a pass by rows, or a short one, has. */
static int64_t most_cells(const ith_work_sizes *s, const ith_heads_shape *shape, const own *o)
{
    int64_t tokens = s->mesh->context > 1 ? s->limits.rows_tokens : ITH_DECODE_TOKENS;
    return ith_attend_cells(shape, &o->mesh, tokens, o->segments);
}

/* Lists of segments, of partials, or of heads. */
static void need_parcels(const ith_work_sizes *s, const ith_heads_shape *shape, const own *o,
                         ith_work_needs *n)
{
    int64_t parcels = 2 * most_parcels(s, o), segments = parcels * ith_heads_segment_bytes(shape),
            cells = 2 * most_cells(s, shape, o) * (int64_t)sizeof(float),
            heads = 2 * made_tokens(s, shape) * made_bytes(s, o);

    n->parcels = ith_max(n->parcels, parcels);
    n->parcel_bytes = ith_max(n->parcel_bytes, ith_max(segments, ith_max(cells, heads)));
}

void ith_heads_needs(const ith_work_sizes *s, const ith_heads_shape *shape, ith_work_needs *n)
{
    own o = own_of(s, shape);

    n->wire_bytes =
        ith_max(n->wire_bytes, (made_tokens(s, shape) * made_bytes(s, &o) + s->T - 1) / s->T);
    n->scratch = ith_max(n->scratch, ith_attend_scratch(&s->model->caches, shape));
    if (s->mesh->context > 1)
        need_parcels(s, shape, &o, n);
}

/* Bytes of the buffers, or elements where those are said. */
typedef struct buffers {
    int64_t queries, queries_out, kv_out, kv_in, back, ring;
    int64_t attn, cells, cells_in; /* floats */
    int64_t parcels;               /* of a list */
} buffers;

/* What several ranks need to exchange. */
static void add_exchange(const ith_work_sizes *s, const ith_heads_shape *shape, const own *o,
                         buffers *b)
{
    int64_t R = s->mesh->context, U = s->mesh->ulysses, held = (o->kv + R - 1) / R,
            out = U == 1 && shape->latent ? 0 : s->T * U * o->query.bytes;

    b->queries_out = ith_max(out, made_tokens(s, shape) * made_bytes(s, o));
    b->kv_out = s->T * shape->n_kv * o->record.bytes;
    b->kv_in = (s->C * held + s->T * o->kv) * o->record.bytes;
    if (shape->latent) /* U is 1: nothing goes back */
        return;
    b->attn = s->A * o->q * shape->dv;
    b->back = s->A * ith_acts_wire_bytes(o->q * shape->dv / ITH_GROUP);
}

/* What the ranks of a group need to share its heads' segments. */
static void add_group(const ith_work_sizes *s, const ith_heads_shape *shape, const own *o,
                      buffers *b)
{
    int64_t R = s->mesh->context;

    b->parcels = most_parcels(s, o);
    b->cells_in = most_cells(s, shape, o) / o->q * (R * ((o->q + R - 1) / R));
    b->ring = o->segments * ith_heads_segment_bytes(shape);
}

/* Raises *most to what heads of the shape need. */
static void raise_buffers(const ith_work_sizes *s, const ith_heads_shape *shape, buffers *most)
{
    own o = own_of(s, shape);
    buffers b = {.queries = s->A * o.query.bytes, .cells = most_cells(s, shape, &o)};

    if (s->mesh->ranks > 1)
        add_exchange(s, shape, &o, &b);
    if (s->mesh->context > 1)
        add_group(s, shape, &o, &b);
    *most = (buffers){.queries = ith_max(most->queries, b.queries),
                      .queries_out = ith_max(most->queries_out, b.queries_out),
                      .kv_out = ith_max(most->kv_out, b.kv_out),
                      .kv_in = ith_max(most->kv_in, b.kv_in),
                      .back = ith_max(most->back, b.back),
                      .ring = ith_max(most->ring, b.ring),
                      .attn = ith_max(most->attn, b.attn),
                      .cells = ith_max(most->cells, b.cells),
                      .cells_in = ith_max(most->cells_in, b.cells_in),
                      .parcels = ith_max(most->parcels, b.parcels)};
}

void ith_heads_request(ith_requests *r, const ith_work_sizes *s, const ith_heads_shape *shapes,
                       int n, ith_heads_work *w)
{
    buffers b = {0};

    for (int i = 0; i < n; i++)
        raise_buffers(s, &shapes[i], &b);
    ith_request(r, b.queries, 1, &w->queries);
    if (s->mesh->ranks > 1) {
        ith_request(r, b.queries_out, 1, &w->queries_out);
        ith_request(r, b.kv_out, 1, &w->kv_out);
        ith_request(r, b.kv_in, 1, &w->kv_in);
    }
    if (s->mesh->ranks > 1 && !shapes[0].latent) {
        ith_request(r, b.attn, sizeof(float), &w->attn);
        ith_request(r, b.back, 1, &w->back);
    }
    if (s->mesh->context > 1) {
        w->n_parcels = b.parcels;
        ith_request(r, 2 * b.parcels, sizeof *w->parcels, &w->parcels);
        ith_request(r, b.cells_in, sizeof(float), &w->cells_in);
        ith_request(r, b.ring, 1, &w->ring[0]);
        ith_request(r, b.ring, 1, &w->ring[1]);
    }
    ith_request(r, b.cells, sizeof(float), &w->cells);
}

/* ---- Traffic ---- */

int64_t ith_heads_result_bytes(const ith_heads_traffic *t, int64_t heads)
{
    int64_t d = t->d_out, groups = (heads * d + ITH_GROUP - 1) / ITH_GROUP;
    return t->groups ? ith_acts_wire_bytes(groups) : heads * d * (int64_t)sizeof(float);
}

/* The mesh for the heads in question. */
static ith_mesh mesh_of(const ith_heads_traffic *t)
{
    return ith_mesh_for_heads(t->wire->mesh, t->shape.n_kv);
}

/* The context indices beside this rank's that attend to any of the pass's n tokens. */
static int64_t others_that_attend(const ith_mesh *mesh, int64_t n)
{
    int64_t others = 0;

    for (int c = 0; c < mesh->context; c++)
        others += c != mesh->c && ith_range_size(ith_mesh_attended(mesh, n, c)) > 0;
    return others;
}

/* Blocks of a segment that has so many keys or, if they are more, is full. */
static int64_t segment_blocks(int64_t keys)
{
    return (ith_min(keys, ITH_KV_SEGMENT) + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK;
}

/* What this rank holds of the cache goes to those of its group whose tokens see it. Without a
 * window all of them see the segments that end before the pass, which may be very many: these are
 * counted together, their heads as one row that is dealt to the group. */
static int64_t segments_sent(const ith_heads_traffic *t, int64_t depth, int64_t n)
{
    const ith_mesh own_mesh = mesh_of(t), *mesh = &own_mesh;
    int64_t first, block = ith_heads_block_bytes(&t->shape), sent = 0,
                   whole = t->window == 0 ? depth / ITH_KV_SEGMENT : 0;
    ith_range heads = {0, mesh->heads};

    if (whole > 0)
        sent = others_that_attend(mesh, n) *
               ith_mesh_held_heads(mesh, 0, (ith_range){0, whole * mesh->heads}, mesh->c, &first) *
               (ITH_KV_SEGMENT / ITH_KV_BLOCK) * block;
    for (int c = 0; c < mesh->context; c++) {
        ith_reach reach = ith_reach_of(mesh, depth, n, c, t->window);
        int64_t s = ith_max(whole, ith_kv_first_seen(t->window, depth));
        for (; c != mesh->c && s < ith_kv_segments(depth + n); s++)
            if (ith_reach_has(&reach, s))
                sent += ith_mesh_held_heads(mesh, s, heads, mesh->c, &first) *
                        segment_blocks(depth + n - s * ITH_KV_SEGMENT) * block;
    }
    return sent;
}

int64_t ith_heads_sends_by_tokens(const ith_heads_traffic *t, int64_t depth, int64_t n)
{
    const ith_mesh own_mesh = mesh_of(t), *mesh = &own_mesh;
    ith_range mine = ith_mesh_slots(mesh, n, mesh->rank), heads = {0, mesh->heads};
    int64_t U = mesh->ulysses, n_mine = ith_range_size(mine),
            others = ith_range_size(ith_mesh_attended(mesh, n, mesh->c)) - n_mine,
            stays = ith_reach_held(mesh, depth, n, mine, heads, mesh->c),
            query = ith_query_record_layout(&t->shape, t->shape.n_q / U).bytes,
            record = t->no_kv ? 0 : ith_kv_record_layout(&t->shape).bytes;

    return n_mine * (U - 1) * query + (n_mine * t->shape.n_kv - stays) * record +
           others * ith_heads_result_bytes(t, t->shape.n_q / U) + segments_sent(t, depth, n);
}

int64_t ith_heads_exchange_most(const ith_heads_traffic *t, int64_t n)
{
    const ith_mesh own_mesh = mesh_of(t), *mesh = &own_mesh;
    int64_t heads = t->shape.n_q / mesh->ulysses,
            query = ith_query_record_layout(&t->shape, heads).bytes,
            result = heads * t->d_out * (int64_t)sizeof(float), /* floats at worst */
        record = ith_kv_record_layout(&t->shape).bytes;

    return ith_max(ith_reach_most_tokens(mesh, n) * ith_max(query, result),
                   ith_reach_most_records(mesh, n) * record);
}
