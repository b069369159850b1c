/* ulysses.c - prefill by token slices, attention by heads, an all-to-all between the two (DeepSpeed-Ulysses,
 * arXiv 2309.14509). With one rank both exchanges vanish.
 *
 * Slices ascend with the rank, so blocks that arrive in rank order are in token order: neither records nor pieces nor attention's result
 * need sorting. With R > 1 (USP, arXiv 2405.07719) queries stay among the U ranks of equal context index, which attend to their tokens;
 * a piece goes to the rank of its head's group that holds its segment.
 *
 * On the way back a token's result travels as the output matrix will read it: if it can, as int8 groups, about a quarter of the bytes.
 */
#include "model/pass.h"
#include "model/traffic.h"

#include <string.h>

static ith_range all_rows(const ith_pass *p, int64_t n_rows)
{
    (void)p;
    return (ith_range){0, n_rows};
}

static ith_range all_q_heads(const ith_pass *p)
{
    return (ith_range){0, p->model->hp.n_heads};
}

static ith_range all_kv_heads(const ith_pass *p)
{
    return (ith_range){0, p->model->hp.n_kv_heads};
}

static void exchange(ith_pass *p, const void *from, const ith_comm_plan *send, void *to, const ith_comm_plan *recv,
                     int64_t most)
{
    ith_comm_alltoall(p->comm, &(ith_alltoall){from, send->counts, send->displs, to, recv->counts, recv->displs, most});
}

/* ---- The way there ---- */

static uint8_t *record_at(const ith_pass *p, int64_t token, int u)
{
    if (p->comm->size == 1)
        return p->ws->queries + token * p->record.bytes;
    return p->ws->records_out + (u * ith_range_size(p->mine) + token) * p->record.bytes;
}

/* Pieces of one group that context index c holds, of tokens [begin, end) of the pass. */
static int64_t pieces_held(const ith_pass *p, int64_t begin, int64_t end, int c)
{
    int64_t pieces = 0, first;

    for (int64_t at = p->pos + begin, to = p->pos + end, next; at < to; at = next) {
        int64_t s = at / ITH_KV_SEGMENT;
        next = (s + 1) * ITH_KV_SEGMENT < to ? (s + 1) * ITH_KV_SEGMENT : to;
        pieces += (next - at) * ith_mesh_held_heads(&p->mesh, s, c, &first);
    }
    return pieces;
}

/* The place of a piece among those of its token that context index c holds. */
static int64_t place_in_token(const ith_pass *p, int64_t token, int64_t head, int c)
{
    int64_t first;
    ith_mesh_held_heads(&p->mesh, (p->pos + token) / ITH_KV_SEGMENT, c, &first);
    return (head - first) / p->mesh.context;
}

/* Pieces before those that go to rank (u, c): ranks in rising order, those of equal c get equally many. */
static int64_t pieces_before(const ith_pass *p, int u, int c)
{
    int64_t before = 0;
    for (int i = 0; i < c; i++)
        before += p->mesh.ulysses * pieces_held(p, p->mine.begin, p->mine.end, i);
    return before + u * pieces_held(p, p->mine.begin, p->mine.end, c);
}

static uint8_t *piece_at(const ith_pass *p, int64_t token, int64_t kv_head)
{
    int64_t in_group = ith_range_size(p->heads), head = kv_head % in_group, at = p->mine.begin + token;
    int c = ith_mesh_holder(&p->mesh, head, (p->pos + at) / ITH_KV_SEGMENT);
    int64_t place = pieces_before(p, (int)(kv_head / in_group), c) + pieces_held(p, p->mine.begin, at, c) +
                    place_in_token(p, at, head, c);
    return p->ws->pieces_out + place * p->piece.bytes;
}

static const uint8_t *arrived(const ith_pass *p, int64_t token, int64_t head)
{
    int c = p->mesh.c;
    return p->ws->pieces_in + (pieces_held(p, 0, token, c) + place_in_token(p, token, head, c)) * p->piece.bytes;
}

static void send_pieces(ith_pass *p)
{
    ith_comm_plan send = ith_workspace_plan(p->ws, p->comm->size, 0),
                  recv = ith_workspace_plan(p->ws, p->comm->size, 1);

    for (int r = 0; r < p->comm->size; r++) {
        int u = ith_mesh_u(&p->mesh, r), c = ith_mesh_c(&p->mesh, r);
        ith_range slice = ith_mesh_tokens(&p->mesh, p->n, r);
        send.counts[r] = pieces_held(p, p->mine.begin, p->mine.end, c) * p->piece.bytes;
        send.displs[r] = pieces_before(p, u, c) * p->piece.bytes;
        recv.counts[r] = pieces_held(p, slice.begin, slice.end, p->mesh.c) * p->piece.bytes;
        recv.displs[r] = pieces_held(p, 0, slice.begin, p->mesh.c) * p->piece.bytes;
    }
    exchange(p, p->ws->pieces_out, &send, p->ws->pieces_in, &recv, ith_pieces_most(&p->mesh, p->n, &p->piece));
}

/* One side of an exchange among the ranks of equal context index holds my tokens' blocks, one per Ulysses index; the other the slices of
 * all tokens that I attend to, in order. */
static ith_comm_plan my_blocks(const ith_pass *p, int64_t width, int side)
{
    ith_comm_plan plan = ith_workspace_plan(p->ws, p->comm->size, side);
    for (int r = 0; r < p->comm->size; r++) {
        bool near = ith_mesh_c(&p->mesh, r) == p->mesh.c;
        plan.counts[r] = near ? ith_range_size(p->mine) * width : 0;
        plan.displs[r] = ith_mesh_u(&p->mesh, r) * ith_range_size(p->mine) * width;
    }
    return plan;
}

static ith_comm_plan slices(const ith_pass *p, int64_t width, int side)
{
    ith_comm_plan plan = ith_workspace_plan(p->ws, p->comm->size, side);
    for (int r = 0; r < p->comm->size; r++) {
        ith_range slice = ith_mesh_tokens(&p->mesh, p->n, r);
        bool near = ith_mesh_c(&p->mesh, r) == p->mesh.c;
        plan.counts[r] = near ? ith_range_size(slice) * width : 0;
        plan.displs[r] = near ? (slice.begin - p->attended.begin) * width : 0;
    }
    return plan;
}

static void to_heads(ith_pass *p)
{
    ith_comm_plan send = my_blocks(p, p->record.bytes, 0), recv = slices(p, p->record.bytes, 1);
    exchange(p, p->ws->records_out, &send, p->ws->queries, &recv, ith_blocks_most(&p->mesh, p->n, p->record.bytes));
    send_pieces(p);
}

/* ---- The way back ---- */

static void exchange_back(ith_pass *p, const void *from, int64_t width)
{
    ith_comm_plan send = slices(p, width, 0), recv = my_blocks(p, width, 1);
    exchange(p, from, &send, p->ws->wire, &recv, ith_blocks_most(&p->mesh, p->n, width));
}

/* Floats of a token's result for my group's heads. */
static int64_t my_width(const ith_pass *p)
{
    return ith_range_size(p->heads) * p->group * p->model->hp.head_dim;
}

static ith_heads_out heads_out(const ith_pass *p, const ith_matrix *o)
{
    bool alone = p->comm->size == 1;
    int64_t width = my_width(p);
    return (ith_heads_out){
        .quantized = ith_heads_are_groups(p->model, o),
        .acts = ith_pass_input(p, width).acts, /* free until the result is back; large enough, since A <= U T */
        .x = alone ? p->ws->h : p->ws->attn,
        .ld = alone ? p->ws->ld : width};
}

/* Blocks [Ulysses index][my token][its channels] become [my token][all channels]. */
static void floats_back(ith_pass *p, ith_member *me)
{
    int64_t n = ith_range_size(p->mine), width = my_width(p);
    ith_range mine = ith_my_share(me, n, 1);
    const float *wire = p->ws->wire;

    if (me->tid == 0)
        exchange_back(p, p->ws->attn, width * (int64_t)sizeof(float));
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        for (int u = 0; u < p->mesh.ulysses; u++)
            memcpy(p->ws->h + t * p->ws->ld + u * width, wire + (u * n + t) * width, (size_t)width * sizeof *wire);
}

/* The same for int8 groups. */
static void groups_back(ith_pass *p, ith_member *me, const ith_matrix *o)
{
    int64_t n = ith_range_size(p->mine), groups = my_width(p) / ITH_GROUP, bytes = ith_acts_wire_bytes(groups);
    ith_acts out = heads_out(p, o).acts, in = ith_pass_input(p, o->cols).acts;
    ith_range all = ith_my_share(me, ith_range_size(p->attended), 1), mine = ith_my_share(me, n, 1);

    for (int64_t t = all.begin; t < all.end; t++)
        ith_acts_to_wire(&out, t, 0, groups, p->ws->back + t * bytes);
    ith_barrier(me);
    if (me->tid == 0)
        exchange_back(p, p->ws->back, bytes);
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        for (int u = 0; u < p->mesh.ulysses; u++)
            ith_acts_from_wire(&in, t, u * groups, groups, (const uint8_t *)p->ws->wire + (u * n + t) * bytes);
    ith_barrier(me);
}

static void to_tokens(ith_pass *p, const ith_matrix *o, ith_member *me)
{
    bool groups = ith_heads_are_groups(p->model, o);

    if (p->comm->size > 1 && groups)
        groups_back(p, me, o);
    else if (p->comm->size > 1)
        floats_back(p, me);
    if (!groups)
        ith_quantize_h(p, me, o->cols);
}

static void nothing_to_gather_mid(ith_pass *p, ith_member *me, const ith_matrix *down)
{
    (void)p, (void)me, (void)down;
}

static void nothing_to_gather(ith_pass *p, ith_member *me)
{
    (void)p, (void)me;
}

const ith_way ith_way_ulysses = {
    .name = "ulysses",
    .rows = all_rows,
    .q_heads = all_q_heads,
    .kv_heads = all_kv_heads,
    .record_at = record_at,
    .piece_at = piece_at,
    .to_heads = to_heads,
    .arrived = arrived,
    .heads_out = heads_out,
    .to_tokens = to_tokens,
    .gather_mid = nothing_to_gather_mid,
    .gather_y = nothing_to_gather,
};
