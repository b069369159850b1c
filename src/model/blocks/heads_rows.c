/* heads_rows.c - heads in passes by rows: a rank has all tokens, and makes its own heads of them.
 *
 * Within a group of R > 1 ranks each makes some of the group's heads; queries go to all of the
 * group, a KV record to the rank that holds its segment. These are few tokens and few bytes: all on
 * tid 0.
 */
#include "model/blocks/heads.h"
#include "model/rows.h"

#include <string.h>

static ith_range my_q_heads(const ith_heads *a)
{
    return ith_mesh_own_heads(&a->mesh, a->n_q, a->pass->comm->rank);
}

static ith_range my_kv_heads(const ith_heads *a)
{
    return ith_mesh_own_heads(&a->mesh, a->n_kv, a->pass->comm->rank);
}

static uint8_t *query_of(const ith_heads *a, int64_t token)
{
    return a->work->queries + token * a->record.bytes;
}

static uint8_t *query_at(const ith_heads *a, const ith_head_slice *slice, int64_t token, int u)
{
    (void)slice, (void)u; /* the only one, mine */
    return query_of(a, token);
}

static uint8_t *kv_of(const ith_heads *a, int64_t token, int64_t kv_head)
{
    ith_range mine = my_kv_heads(a);
    int64_t number = token * ith_range_size(mine) + kv_head - mine.begin;
    return a->work->kv_out + number * a->kv.bytes;
}

static uint8_t *kv_at(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                      int64_t kv_head)
{
    (void)slice;
    return kv_of(a, token, kv_head);
}

/* Those that arrive lie by token and group head, with gaps for what others hold. */
static uint8_t *arrival(const ith_heads *a, int64_t token, int64_t head)
{
    return a->work->kv_in + (token * ith_range_size(a->heads) + head) * a->kv.bytes;
}

static const uint8_t *arrived(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                              int64_t head)
{
    (void)slice;
    return arrival(a, token, head);
}

/* ---- Messages within a group ---- */

/* Query and KV heads that rank r made, counted from the group's first. */
static ith_range made(const ith_heads *a, int64_t n_heads, int64_t first, int r)
{
    ith_range own = ith_mesh_own_heads(&a->mesh, n_heads, r);
    return (ith_range){own.begin - first, own.end - first};
}

/* Of the KV heads, none where another layer's are read. */
static ith_range kv_made(const ith_heads *a, int r)
{
    ith_range kv = made(a, a->n_kv, a->heads.begin, r);
    return ith_heads_make_kv(a) ? kv : (ith_range){kv.begin, kv.begin};
}

static bool goes_to(const ith_heads *a, int64_t token, int64_t head, int c)
{
    int64_t segment = ith_pass_position(a->pass, token) / ITH_KV_SEGMENT;
    return ith_mesh_holder(&a->mesh, head, segment) == c;
}

/* Between the wire and the records, what rank `maker` made for context index c: the query record's
 * heads as they lie there, then KV records. Returns the end of the message. */
static uint8_t *copy_made(const ith_heads *a, int maker, int c, bool out, uint8_t *wire)
{
    ith_range q = made(a, a->n_q, a->heads.begin * a->group, maker), kv = kv_made(a, maker);
    size_t heads = (size_t)(ith_range_size(q) * a->record.stride),
           scales = (size_t)(ith_range_size(q) * a->record.scale);

    for (int64_t t = 0; t < a->pass->n; t++) {
        uint8_t *record = query_of(a, t), *q_at = record + q.begin * a->record.stride,
                *s_at = record + a->record.scales + q.begin * a->record.scale;
        memcpy(out ? wire : q_at, out ? q_at : wire, heads);
        memcpy(out ? wire + heads : s_at, out ? s_at : wire + heads, scales);
        wire += heads + scales;
        for (int64_t head = kv.begin; head < kv.end; head++) {
            if (!goes_to(a, t, head, c))
                continue;
            if (out)
                memcpy(wire, kv_of(a, t, a->heads.begin + head), (size_t)a->kv.bytes);
            else
                memcpy(arrival(a, t, head), wire, (size_t)a->kv.bytes);
            wire += a->kv.bytes;
        }
    }
    return wire;
}

/* Bytes of that message. */
static int64_t made_bytes(const ith_heads *a, int maker, int c)
{
    ith_range q = made(a, a->n_q, a->heads.begin * a->group, maker), kv = kv_made(a, maker);
    int64_t records = 0;

    for (int64_t t = 0; t < a->pass->n; t++)
        for (int64_t head = kv.begin; head < kv.end; head++)
            records += goes_to(a, t, head, c);
    return a->pass->n * ith_range_size(q) * (a->record.stride + a->record.scale) +
           records * a->kv.bytes;
}

static void send(const ith_heads *a, const ith_head_slice *slice)
{
    ith_pass *p = a->pass;
    uint8_t *out = a->work->queries_out, *in = (uint8_t *)p->ws->wire, *at = in;
    ith_parcel *sends = a->work->parcels, *recvs = sends + a->work->n_parcels;
    int me = p->comm->rank, n = 0;

    (void)slice;
    for (int c = 0; c < a->mesh.context; c++) {
        int r = ith_mesh_rank(&a->mesh, a->mesh.u, c);
        if (r == me)
            continue;
        sends[n] = (ith_parcel){r, out, made_bytes(a, me, c)};
        recvs[n] = (ith_parcel){r, at, made_bytes(a, r, a->mesh.c)};
        out = copy_made(a, me, c, true, out);
        at += recvs[n++].bytes;
    }
    ith_comm_messages(p->comm, sends, n, recvs, n);
    for (int i = 0; i < n; i++)
        copy_made(a, recvs[i].rank, a->mesh.c, false, recvs[i].buf);
    copy_made(a, me, a->mesh.c, true, out); /* my own records for myself */
    copy_made(a, me, a->mesh.c, false, out);
}

static void nothing_to_receive(const ith_heads *a, const ith_head_slice *slice)
{
    (void)a, (void)slice; /* all came when it was sent */
}

/* ---- Attention's result ---- */

static ith_owners owners_of(const ith_heads *a)
{
    return (ith_owners){.n_cols = a->w->o->cols, .n_heads = a->n_q};
}

static ith_heads_out heads_out(const ith_heads *a, const ith_head_slice *slice)
{
    ith_owners owners = owners_of(a);
    ith_range cols = ith_rows_owned(a->pass, &owners, a->pass->comm->rank);

    (void)slice;
    return (ith_heads_out){.quantized = ith_heads_are_groups(a),
                           .acts = ith_pass_input(a->pass, a->w->o->cols).acts,
                           .first_group = cols.begin / ITH_GROUP,
                           .x = a->pass->ws->h,
                           .ld = a->pass->ws->ld};
}

static void nothing_to_send(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    (void)a, (void)slice, (void)me; /* to_tokens gathers */
}

static void to_tokens(const ith_heads *a, ith_member *me)
{
    ith_pass *p = a->pass;
    ith_input in = ith_pass_input(p, a->w->o->cols);
    ith_owners owners = owners_of(a);
    ith_range share = ith_my_share(me, p->n, 1);

    if (ith_heads_are_groups(a)) {
        ith_rows_gather_acts(p, me, &in.acts, p->n, &owners);
        return;
    }
    for (int64_t t = share.begin; t < share.end; t++)
        ith_heads_gate(a, t, p->ws->h + t * p->ws->ld);
    ith_rows_gather_floats(p, me, p->ws->h, p->ws->ld, p->n, 0, &owners);
    ith_quantize_h(p, me, a->w->o->cols);
}

const ith_heads_ops ith_heads_by_rows = {
    .q_heads = my_q_heads,
    .kv_heads = my_kv_heads,
    .query_at = query_at,
    .kv_at = kv_at,
    .send = send,
    .receive = nothing_to_receive,
    .arrived = arrived,
    .out = heads_out,
    .send_back = nothing_to_send,
    .to_tokens = to_tokens,
};
