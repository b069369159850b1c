/* ulysses.c - prefill by token slices, attention by heads, an all-to-all between the two (DeepSpeed-Ulysses,
 * arXiv 2309.14509). With one rank both exchanges vanish.
 *
 * Slices ascend with the rank in the order of places (comm/mesh.h), so blocks that arrive in rank order are in that order: neither
 * records nor pieces nor attention's result need sorting. With R > 1 (USP, arXiv 2405.07719) queries stay among the U ranks of equal
 * context index, which attend to their tokens; a piece goes to the rank of its head's group that holds its segment.
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

/* ---- Flights of a part: its queries, later its result; its pieces ---- */

static int queries_flight(const ith_heads_part *part)
{
    return 2 * part->number;
}

static int pieces_flight(const ith_heads_part *part)
{
    return 2 * part->number + 1;
}

static void start(ith_pass *p, int flight, const void *from, void *to, int64_t most)
{
    ith_comm_plan send = ith_workspace_plan(p->ws, p->comm->size, flight, 0),
                  recv = ith_workspace_plan(p->ws, p->comm->size, flight, 1);
    p->comm->ops->alltoall_start(p->comm, flight,
                                 &(ith_alltoall){from, send.counts, send.displs, to, recv.counts, recv.displs, most});
}

/* ---- The way there ---- */

static uint8_t *record_at(const ith_pass *p, const ith_heads_part *part, int64_t token, int u)
{
    int64_t mine = ith_range_size(p->mine);
    if (p->comm->size == 1)
        return p->ws->queries + token * part->record.bytes;
    return p->ws->records_out + p->mesh.ulysses * mine * part->before + (u * mine + token) * part->record.bytes;
}

/* Pieces of those heads that context index c holds, of the tokens at `places` of the pass. */
static int64_t pieces_held(const ith_pass *p, ith_range heads, ith_range places, int c)
{
    return ith_pieces_held(&p->mesh, p->pos, p->n, places, heads, c);
}

/* The place of a piece among the part's of its token that context index c holds. */
static int64_t place_in_token(const ith_pass *p, const ith_heads_part *part, int64_t token, int64_t head, int c)
{
    int64_t first;
    ith_mesh_held_heads(&p->mesh, (p->pos + token) / ITH_KV_SEGMENT, part->heads, c, &first);
    return (head - part->heads.begin - first) / p->mesh.context;
}

/* The part's pieces before those that go to rank (u, c): ranks in rising order, those of equal c get equally many. */
static int64_t pieces_before(const ith_pass *p, const ith_heads_part *part, int u, int c)
{
    int64_t before = 0;
    for (int i = 0; i < c; i++)
        before += p->mesh.ulysses * pieces_held(p, part->heads, p->mine, i);
    return before + u * pieces_held(p, part->heads, p->mine, c);
}

/* Where a part's pieces begin. */
static uint8_t *pieces_out(const ith_pass *p, const ith_heads_part *part)
{
    return p->ws->pieces_out + ith_range_size(p->mine) * p->mesh.ulysses * part->heads.begin * p->piece.bytes;
}

static uint8_t *pieces_in(const ith_pass *p, const ith_heads_part *part)
{
    ith_range before = {0, part->heads.begin}, all = {0, p->n};
    return p->ws->pieces_in + pieces_held(p, before, all, p->mesh.c) * p->piece.bytes;
}

static uint8_t *piece_at(const ith_pass *p, const ith_heads_part *part, int64_t token, int64_t kv_head)
{
    int64_t in_group = ith_range_size(p->heads), head = kv_head % in_group, at = ith_pass_token(p, token);
    ith_range before = {p->mine.begin, p->mine.begin + token};
    int c = ith_mesh_holder(&p->mesh, head, (p->pos + at) / ITH_KV_SEGMENT);
    int64_t place = pieces_before(p, part, (int)(kv_head / in_group), c) + pieces_held(p, part->heads, before, c) +
                    place_in_token(p, part, at, head, c);
    return pieces_out(p, part) + place * p->piece.bytes;
}

static const uint8_t *arrived(const ith_pass *p, const ith_heads_part *part, int64_t token, int64_t head)
{
    int c = p->mesh.c;
    ith_range before = {0, ith_mesh_place(&p->mesh, p->n, token)};
    int64_t place = pieces_held(p, part->heads, before, c) + place_in_token(p, part, token, head, c);
    return pieces_in(p, part) + place * p->piece.bytes;
}

static void send_pieces(ith_pass *p, const ith_heads_part *part)
{
    int flight = pieces_flight(part);
    ith_comm_plan send = ith_workspace_plan(p->ws, p->comm->size, flight, 0),
                  recv = ith_workspace_plan(p->ws, p->comm->size, flight, 1);

    for (int r = 0; r < p->comm->size; r++) {
        int u = ith_mesh_u(&p->mesh, r), c = ith_mesh_c(&p->mesh, r);
        ith_range slice = ith_mesh_places(&p->mesh, p->n, r), before = {0, slice.begin};
        send.counts[r] = pieces_held(p, part->heads, p->mine, c) * p->piece.bytes;
        send.displs[r] = pieces_before(p, part, u, c) * p->piece.bytes;
        recv.counts[r] = pieces_held(p, part->heads, slice, p->mesh.c) * p->piece.bytes;
        recv.displs[r] = pieces_held(p, part->heads, before, p->mesh.c) * p->piece.bytes;
    }
    start(p, flight, pieces_out(p, part), pieces_in(p, part), ith_pieces_most(&p->mesh, p->n, &p->piece));
}

/* One side of an exchange among the ranks of equal context index holds my tokens' blocks, one per Ulysses index; the other the slices of
 * all tokens that I attend to, in the order of places. */
static void plan_my_blocks(const ith_pass *p, int64_t width, ith_comm_plan plan)
{
    for (int r = 0; r < p->comm->size; r++) {
        bool near = ith_mesh_c(&p->mesh, r) == p->mesh.c;
        plan.counts[r] = near ? ith_range_size(p->mine) * width : 0;
        plan.displs[r] = ith_mesh_u(&p->mesh, r) * ith_range_size(p->mine) * width;
    }
}

static void plan_slices(const ith_pass *p, int64_t width, ith_comm_plan plan)
{
    for (int r = 0; r < p->comm->size; r++) {
        ith_range slice = ith_mesh_places(&p->mesh, p->n, r);
        bool near = ith_mesh_c(&p->mesh, r) == p->mesh.c;
        plan.counts[r] = near ? ith_range_size(slice) * width : 0;
        plan.displs[r] = near ? (slice.begin - p->attended.begin) * width : 0;
    }
}

static void send_heads(ith_pass *p, const ith_heads_part *part)
{
    int flight = queries_flight(part);
    int64_t width = part->record.bytes;

    plan_my_blocks(p, width, ith_workspace_plan(p->ws, p->comm->size, flight, 0));
    plan_slices(p, width, ith_workspace_plan(p->ws, p->comm->size, flight, 1));
    start(p, flight, record_at(p, part, 0, 0), p->ws->queries + ith_range_size(p->attended) * part->before,
          ith_blocks_most(&p->mesh, p->n, width));
    send_pieces(p, part);
}

static void receive_heads(ith_pass *p, const ith_heads_part *part)
{
    p->comm->ops->finish(p->comm, queries_flight(part));
    p->comm->ops->finish(p->comm, pieces_flight(part));
}

/* ---- The way back ---- */

/* Query heads of a part on one rank: how many, and the first of them. */
static int64_t part_heads(const ith_pass *p, const ith_heads_part *part)
{
    return ith_range_size(part->heads) * p->group;
}

static int64_t first_head(const ith_pass *p, const ith_heads_part *part)
{
    return part->heads.begin * p->group;
}

/* A token's result for one head on the wire. */
static int64_t head_bytes(const ith_pass *p, const ith_matrix *o)
{
    int64_t d = p->model->hp.head_dim;
    return ith_heads_are_groups(p->model, o) ? ith_acts_wire_bytes(d / ITH_GROUP) : d * (int64_t)sizeof(float);
}

/* Where the blocks of a part arrive, [Ulysses index][my token][heads of the part]. */
static const uint8_t *blocks_in(const ith_pass *p, const ith_heads_part *part, int64_t bytes_of_head)
{
    int64_t before = p->mesh.ulysses * ith_range_size(p->mine) * first_head(p, part) * bytes_of_head;
    return (const uint8_t *)p->ws->wire + before;
}

static ith_heads_out heads_out(const ith_pass *p, const ith_heads_part *part, const ith_matrix *o)
{
    int64_t d = p->model->hp.head_dim, first = first_head(p, part);
    ith_heads_out out = {.quantized = ith_heads_are_groups(p->model, o), .x = p->ws->h, .ld = p->ws->ld};

    /* Free until the results are back; large enough, since A <= U T. */
    out.acts = ith_pass_input(p, ith_range_size(p->heads) * p->group * d).acts;
    if (p->comm->size > 1) {
        out.x = p->ws->attn + ith_range_size(p->attended) * first * d;
        out.ld = part_heads(p, part) * d;
        out.first = first;
    }
    return out;
}

/* Groups that attention quantized, to the wire. */
static const uint8_t *pack(ith_pass *p, const ith_heads_part *part, const ith_matrix *o, ith_member *me)
{
    int64_t n = ith_range_size(p->attended), of_head = p->model->hp.head_dim / ITH_GROUP,
            groups = part_heads(p, part) * of_head, bytes = ith_acts_wire_bytes(groups);
    ith_acts acts = heads_out(p, part, o).acts;
    ith_range all = ith_my_share(me, n, 1);
    uint8_t *to = p->ws->back + n * first_head(p, part) * ith_acts_wire_bytes(of_head);

    for (int64_t t = all.begin; t < all.end; t++)
        ith_acts_to_wire(&acts, t, first_head(p, part) * of_head, groups, to + t * bytes);
    ith_barrier(me);
    return to;
}

static void send_back(ith_pass *p, const ith_heads_part *part, const ith_matrix *o, ith_member *me)
{
    int64_t of_head = head_bytes(p, o), width = part_heads(p, part) * of_head;
    int flight = queries_flight(part);
    const void *from;

    if (p->comm->size == 1)
        return;
    from = ith_heads_are_groups(p->model, o) ? (const void *)pack(p, part, o, me) : heads_out(p, part, o).x;
    if (me->tid != 0)
        return;
    plan_slices(p, width, ith_workspace_plan(p->ws, p->comm->size, flight, 0));
    plan_my_blocks(p, width, ith_workspace_plan(p->ws, p->comm->size, flight, 1));
    start(p, flight, from, (uint8_t *)blocks_in(p, part, of_head), ith_blocks_most(&p->mesh, p->n, width));
}

/* A part's result for one of my tokens, from all Ulysses indices, to the input of `o`. */
static void unpack(const ith_pass *p, const ith_heads_part *part, const ith_matrix *o, int64_t t)
{
    int64_t n = ith_range_size(p->mine), d = p->model->hp.head_dim, heads = part_heads(p, part),
            in_group = ith_range_size(p->heads) * p->group, of_head = head_bytes(p, o);
    const uint8_t *wire = blocks_in(p, part, of_head);
    ith_acts in = ith_pass_input(p, o->cols).acts;

    for (int u = 0; u < p->mesh.ulysses; u++) {
        int64_t first = u * in_group + first_head(p, part);
        const uint8_t *block = wire + (u * n + t) * heads * of_head;
        if (ith_heads_are_groups(p->model, o))
            ith_acts_from_wire(&in, t, first * d / ITH_GROUP, heads * d / ITH_GROUP, block);
        else
            memcpy(p->ws->h + t * p->ws->ld + first * d, block, (size_t)(heads * of_head));
    }
}

static void to_tokens(ith_pass *p, const ith_matrix *o, ith_member *me)
{
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int i = 0; p->comm->size > 1 && i < p->n_parts; i++) {
        ith_heads_part part = ith_pass_part(p, i);
        if (me->tid == 0)
            p->comm->ops->finish(p->comm, queries_flight(&part));
        ith_barrier(me);
        for (int64_t t = mine.begin; t < mine.end; t++)
            unpack(p, &part, o, t);
    }
    if (!ith_heads_are_groups(p->model, o))
        ith_quantize_h(p, me, o->cols);
    else if (p->comm->size > 1)
        ith_barrier(me);
}

static void nothing_to_gather_mid(ith_pass *p, ith_member *me, const ith_input *mid, int64_t n, const ith_matrix *down)
{
    (void)p, (void)me, (void)mid, (void)n, (void)down;
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
    .send_heads = send_heads,
    .receive_heads = receive_heads,
    .arrived = arrived,
    .heads_out = heads_out,
    .send_back = send_back,
    .to_tokens = to_tokens,
    .gather_mid = nothing_to_gather_mid,
    .gather_y = nothing_to_gather,
};
