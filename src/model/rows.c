/* rows.c - decode and short prefills: every rank holds all tokens of the pass and computes its heads and its rows of every
 * matrix; results are all-gathered, as int8 groups where the next matrix reads those. Matrices are never cut along the
 * summed dimension, so no partial sums travel and no sum depends on the number of ranks.
 */
#include "model/pass.h"

#include <string.h>

static ith_range my_rows(const ith_pass *p, int64_t n_rows)
{
    return ith_mesh_rows(&p->mesh, n_rows, p->comm->rank);
}

static ith_range my_q_heads(const ith_pass *p)
{
    return ith_mesh_own_heads(&p->mesh, p->model->hp.n_heads, p->comm->rank);
}

static ith_range my_kv_heads(const ith_pass *p)
{
    return ith_mesh_own_heads(&p->mesh, p->model->hp.n_kv_heads, p->comm->rank);
}

/* ---- Within a group of R > 1 ranks: each makes some of its heads; queries go to all, a piece to the rank that holds its segment.
 * Few tokens, few bytes: all on tid 0 ---- */

static uint8_t *record_of(const ith_pass *p, int64_t token)
{
    return p->ws->queries + token * p->record.bytes;
}

static uint8_t *record_at(const ith_pass *p, const ith_heads_part *part, int64_t token, int u)
{
    (void)part, (void)u; /* the only one, mine */
    return record_of(p, token);
}

static uint8_t *piece_of(const ith_pass *p, int64_t token, int64_t kv_head)
{
    ith_range mine = my_kv_heads(p);
    return p->ws->pieces_out + (token * ith_range_size(mine) + kv_head - mine.begin) * p->piece.bytes;
}

static uint8_t *piece_at(const ith_pass *p, const ith_heads_part *part, int64_t token, int64_t kv_head)
{
    (void)part;
    return piece_of(p, token, kv_head);
}

/* Those that arrive lie by token and group head, with gaps for what others hold. */
static uint8_t *arrival(const ith_pass *p, int64_t token, int64_t head)
{
    return p->ws->pieces_in + (token * ith_range_size(p->heads) + head) * p->piece.bytes;
}

static const uint8_t *arrived(const ith_pass *p, const ith_heads_part *part, int64_t token, int64_t head)
{
    (void)part;
    return arrival(p, token, head);
}

/* Query and KV heads that rank r made, counted from the group's first. */
static ith_range made(const ith_pass *p, int64_t n_heads, int64_t first, int r)
{
    ith_range own = ith_mesh_own_heads(&p->mesh, n_heads, r);
    return (ith_range){own.begin - first, own.end - first};
}

static bool goes_to(const ith_pass *p, int64_t token, int64_t head, int c)
{
    return ith_mesh_holder(&p->mesh, head, (p->pos + token) / ITH_KV_SEGMENT) == c;
}

/* Between the wire and its places, what rank `maker` made for context index c; the record's heads as they lie there, then pieces.
 * Returns the end of the message. */
static uint8_t *copy_made(ith_pass *p, int maker, int c, bool out, uint8_t *wire)
{
    ith_range q = made(p, p->model->hp.n_heads, p->heads.begin * p->group, maker),
              kv = made(p, p->model->hp.n_kv_heads, p->heads.begin, maker);
    size_t heads = (size_t)(ith_range_size(q) * p->record.stride),
           scales = p->record.scales < p->record.bytes ? (size_t)ith_range_size(q) * sizeof(float) : 0;

    for (int64_t t = 0; t < p->n; t++) {
        uint8_t *record = record_of(p, t), *q_at = record + q.begin * p->record.stride,
                *s_at = record + p->record.scales + q.begin * (int64_t)sizeof(float);
        memcpy(out ? wire : q_at, out ? q_at : wire, heads);
        memcpy(out ? wire + heads : s_at, out ? s_at : wire + heads, scales);
        wire += heads + scales;
        for (int64_t head = kv.begin; head < kv.end; head++) {
            if (!goes_to(p, t, head, c))
                continue;
            if (out)
                memcpy(wire, piece_of(p, t, p->heads.begin + head), (size_t)p->piece.bytes);
            else
                memcpy(arrival(p, t, head), wire, (size_t)p->piece.bytes);
            wire += p->piece.bytes;
        }
    }
    return wire;
}

/* Bytes of that message. */
static int64_t made_bytes(const ith_pass *p, int maker, int c)
{
    ith_range q = made(p, p->model->hp.n_heads, p->heads.begin * p->group, maker),
              kv = made(p, p->model->hp.n_kv_heads, p->heads.begin, maker);
    int64_t per_head = p->record.stride + (p->record.scales < p->record.bytes ? (int64_t)sizeof(float) : 0), pieces = 0;

    for (int64_t t = 0; t < p->n; t++)
        for (int64_t head = kv.begin; head < kv.end; head++)
            pieces += goes_to(p, t, head, c);
    return p->n * ith_range_size(q) * per_head + pieces * p->piece.bytes;
}

static void send_heads(ith_pass *p, const ith_heads_part *part)
{
    (void)part;
    uint8_t *out = p->ws->records_out, *in = (uint8_t *)p->ws->wire, *at;
    ith_parcel *sends = p->ws->parcels, *recvs = sends + p->ws->n_parcels;
    int me = p->comm->rank, n = 0;

    at = in;
    for (int c = 0; c < p->mesh.context; c++) {
        int r = ith_mesh_rank(&p->mesh, p->mesh.u, c);
        if (r == me)
            continue;
        sends[n] = (ith_parcel){r, out, made_bytes(p, me, c)};
        recvs[n] = (ith_parcel){r, at, made_bytes(p, r, p->mesh.c)};
        out = copy_made(p, me, c, true, out);
        at += recvs[n++].bytes;
    }
    ith_comm_messages(p->comm, sends, n, recvs, n);
    for (int i = 0; i < n; i++)
        copy_made(p, recvs[i].rank, p->mesh.c, false, recvs[i].buf);
    copy_made(p, me, p->mesh.c, true, out); /* my own pieces for myself */
    copy_made(p, me, p->mesh.c, false, out);
}

static void nothing_to_receive(ith_pass *p, const ith_heads_part *part)
{
    (void)p, (void)part; /* all came when it was sent */
}

/* ---- All-gathers: in ws->wire rank r's part of all tokens is one block, [n][its bytes], blocks in the order of ranks ---- */

typedef ith_range (*owner_fn)(const ith_pass *p, int64_t n_rows, int r);

static ith_range rows_of(const ith_pass *p, int64_t n_rows, int r)
{
    return ith_mesh_rows(&p->mesh, n_rows, r);
}

static ith_range head_rows_of(const ith_pass *p, int64_t n_rows, int r)
{
    ith_range heads = ith_mesh_own_heads(&p->mesh, p->model->hp.n_heads, r);
    int64_t width = n_rows / p->model->hp.n_heads;
    return (ith_range){heads.begin * width, heads.end * width};
}

static void all_gather(ith_pass *p, const ith_comm_plan *plan)
{
    p->comm->ops->allgatherv(p->comm, (uint8_t *)p->ws->wire + plan->displs[p->comm->rank], p->ws->wire, plan->counts,
                             plan->displs);
}

/* Of n tokens; this rank's columns of a token lie at buf + at. */
static void gather_floats(ith_pass *p, ith_member *me, float *buf, int64_t ld, int64_t n, int64_t at, int64_t n_rows,
                          owner_fn owner)
{
    ith_range mine = owner(p, n_rows, p->comm->rank), share = ith_my_share(me, n, 1);
    int64_t width = ith_range_size(mine);

    for (int64_t t = share.begin; t < share.end; t++)
        memcpy(p->ws->wire + n * mine.begin + t * width, buf + t * ld + at, (size_t)width * sizeof *buf);
    ith_barrier(me);
    if (me->tid == 0) {
        ith_comm_plan plan = ith_workspace_plan(p->ws, p->comm->size, 0, 0);
        for (int r = 0; r < p->comm->size; r++) {
            ith_range rows = owner(p, n_rows, r);
            plan.counts[r] = n * ith_range_size(rows) * (int64_t)sizeof *buf;
            plan.displs[r] = n * rows.begin * (int64_t)sizeof *buf;
        }
        all_gather(p, &plan);
    }
    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++)
        for (int r = 0; r < p->comm->size; r++) {
            ith_range rows = owner(p, n_rows, r);
            memcpy(buf + t * ld + rows.begin, p->ws->wire + n * rows.begin + t * ith_range_size(rows),
                   (size_t)ith_range_size(rows) * sizeof *buf);
        }
}

/* An empty range may lie behind the last column, inside the last group. */
static ith_range groups_of(ith_range cols)
{
    if (cols.begin == cols.end)
        return (ith_range){cols.begin / ITH_GROUP, cols.begin / ITH_GROUP};
    return (ith_range){cols.begin / ITH_GROUP, (cols.end + ITH_GROUP - 1) / ITH_GROUP};
}

/* Every rank's groups of `cols` columns of n tokens: its own are in `acts`, the others' come. Ends with a barrier. */
static void gather_acts(ith_pass *p, ith_member *me, const ith_acts *acts, int64_t n, int64_t cols, owner_fn owner)
{
    int size = p->comm->size, rank = p->comm->rank;
    ith_comm_plan plan = ith_workspace_plan(p->ws, size, 0, 0);
    ith_range mine = groups_of(owner(p, cols, rank)), share = ith_my_share(me, n * size, 1);
    int64_t group = ith_acts_wire_bytes(1);
    uint8_t *wire = (uint8_t *)p->ws->wire;

    if (me->tid == 0) {
        for (int r = 0; r < size; r++) {
            ith_range g = groups_of(owner(p, cols, r));
            plan.counts[r] = n * ith_range_size(g) * group;
            plan.displs[r] = n * g.begin * group;
        }
        for (int64_t t = 0; t < n; t++)
            ith_acts_to_wire(acts, t, mine.begin, ith_range_size(mine),
                             wire + plan.displs[rank] + t * ith_range_size(mine) * group);
        all_gather(p, &plan);
    }
    ith_barrier(me);
    for (int64_t i = share.begin; i < share.end; i++) {
        int r = (int)(i % size);
        ith_range g = groups_of(owner(p, cols, r));
        if (r != rank)
            ith_acts_from_wire(acts, i / size, g.begin, ith_range_size(g),
                               wire + plan.displs[r] + i / size * ith_range_size(g) * group);
    }
    ith_barrier(me);
}

static void gather_y(ith_pass *p, ith_member *me)
{
    gather_floats(p, me, p->ws->y, p->ws->ld_y, p->n, 0, p->model->hp.hidden, rows_of);
}

static void gather_mid(ith_pass *p, ith_member *me, const ith_input *mid, int64_t n, const ith_matrix *down)
{
    if (ith_layout_is_quantized(down->layout)) {
        gather_acts(p, me, &mid->acts, n, down->cols, rows_of);
        return;
    }
    gather_floats(p, me, p->ws->mid, mid->ld, n, my_rows(p, down->cols).begin, down->cols, rows_of);
    ith_barrier(me);
}

/* ---- Attention's result ---- */

static ith_heads_out heads_out(const ith_pass *p, const ith_heads_part *part, const ith_matrix *o)
{
    (void)part;
    ith_range rows = head_rows_of(p, o->cols, p->comm->rank);
    return (ith_heads_out){.quantized = ith_heads_are_groups(p->model, o),
                           .acts = ith_pass_input(p, o->cols).acts,
                           .first_group = rows.begin / ITH_GROUP,
                           .x = p->ws->h,
                           .ld = p->ws->ld};
}

static void nothing_to_send(ith_pass *p, const ith_heads_part *part, const ith_matrix *o, ith_member *me)
{
    (void)p, (void)part, (void)o, (void)me; /* to_tokens gathers */
}

static void to_tokens(ith_pass *p, const ith_matrix *o, ith_member *me)
{
    ith_input in = ith_pass_input(p, o->cols);

    if (ith_heads_are_groups(p->model, o)) {
        gather_acts(p, me, &in.acts, p->n, o->cols, head_rows_of);
        return;
    }
    gather_floats(p, me, p->ws->h, p->ws->ld, p->n, 0, o->cols, head_rows_of);
    ith_quantize_h(p, me, o->cols);
}

const ith_way ith_way_rows = {
    .name = "rows",
    .all_tokens = true,
    .rows = my_rows,
    .q_heads = my_q_heads,
    .kv_heads = my_kv_heads,
    .record_at = record_at,
    .piece_at = piece_at,
    .send_heads = send_heads,
    .receive_heads = nothing_to_receive,
    .arrived = arrived,
    .heads_out = heads_out,
    .send_back = nothing_to_send,
    .to_tokens = to_tokens,
    .gather_mid = gather_mid,
    .gather_y = gather_y,
};
