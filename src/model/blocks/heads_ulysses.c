/* heads_ulysses.c - heads in passes by tokens: an all-to-all before attention, another after it
 * (DeepSpeed-Ulysses, arXiv 2309.14509). With one rank both vanish.
 *
 * Token slices ascend with the rank in the order of slots (comm/mesh.h), so blocks that arrive in
 * rank order are in that order: neither records nor attention's result need sorting. With R > 1
 * (USP, arXiv 2405.07719) queries stay among the U ranks of equal context index, which attend to
 * their tokens; a KV record goes to the rank of its head's group that holds its segment. With U = 1
 * queries and results stay where they are made.
 *
 * On the way back a token's result travels as the output matrix will read it: if it can, as int8
 * groups, about a quarter of the bytes.
 */
#include "model/blocks/heads.h"
#include "model/blocks/reach.h"

#include <string.h>

static ith_range all_q_heads(const ith_heads *a)
{
    return (ith_range){0, a->n_q};
}

static ith_range all_kv_heads(const ith_heads *a)
{
    return (ith_range){0, a->n_kv};
}

/* ---- Flights of a slice: its queries, later its result; its KV records ---- */

static int queries_flight(const ith_head_slice *slice)
{
    return 2 * slice->number;
}

static int kv_flight(const ith_head_slice *slice)
{
    return 2 * slice->number + 1;
}

static void start(const ith_heads *a, int flight, const void *from, void *to, int64_t most)
{
    ith_pass *p = a->pass;
    ith_comm_counts send = ith_workspace_counts(p->ws, p->comm->size, flight, 0),
                    recv = ith_workspace_counts(p->ws, p->comm->size, flight, 1);
    p->comm->ops->alltoall_start(
        p->comm, flight,
        &(ith_alltoall){from, send.counts, send.displs, to, recv.counts, recv.displs, most});
}

/* ---- The way there ---- */

static uint8_t *query_at(const ith_heads *a, const ith_head_slice *slice, int64_t token, int u)
{
    ith_pass *p = a->pass;
    int64_t mine = ith_range_size(p->mine);
    if (a->mesh.ulysses == 1)
        return a->work->queries + token * slice->record.bytes;
    return a->work->queries_out + a->mesh.ulysses * mine * slice->before +
           (u * mine + token) * slice->record.bytes;
}

/* KV records of those heads that context index c holds, of the tokens in `slots`. By tokens a pass
 * has one span where there are several ranks. */
static int64_t kv_held(const ith_heads *a, ith_range heads, ith_range slots, int c)
{
    ith_pass *p = a->pass;
    return ith_reach_held(&a->mesh, p->spans[0].pos, p->n, slots, heads, c);
}

/* The number of a KV record among the slice's of its token that context index c holds. */
static int64_t number_in_token(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                               int64_t head, int c)
{
    ith_pass *p = a->pass;
    int64_t first;
    ith_mesh_held_heads(&a->mesh, ith_pass_position(p, token) / ITH_KV_SEGMENT, slice->heads, c,
                        &first);
    return (head - slice->heads.begin - first) / a->mesh.context;
}

/* The slice's KV records before those that go to rank (u, c): ranks ascend, those of equal c get
 * equally many. */
static int64_t kv_before(const ith_heads *a, const ith_head_slice *slice, int u, int c)
{
    ith_pass *p = a->pass;
    int64_t before = 0;
    for (int i = 0; i < c; i++)
        before += a->mesh.ulysses * kv_held(a, slice->heads, p->mine, i);
    return before + u * kv_held(a, slice->heads, p->mine, c);
}

/* Where a slice's KV records begin. */
static uint8_t *kv_out(const ith_heads *a, const ith_head_slice *slice)
{
    return a->work->kv_out +
           ith_range_size(a->pass->mine) * a->mesh.ulysses * slice->heads.begin * a->kv.bytes;
}

static uint8_t *kv_in(const ith_heads *a, const ith_head_slice *slice)
{
    ith_range before = {0, slice->heads.begin}, all = {0, a->pass->n};
    return a->work->kv_in + kv_held(a, before, all, a->mesh.c) * a->kv.bytes;
}

static uint8_t *kv_at(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                      int64_t kv_head)
{
    ith_pass *p = a->pass;
    int64_t in_group = ith_range_size(a->heads), head = kv_head % in_group,
            at = ith_pass_token(p, token);
    ith_range before = {p->mine.begin, p->mine.begin + token};
    int c = ith_mesh_holder(&a->mesh, head, ith_pass_position(p, at) / ITH_KV_SEGMENT);
    int64_t before_it = kv_before(a, slice, (int)(kv_head / in_group), c) +
                        kv_held(a, slice->heads, before, c) +
                        number_in_token(a, slice, at, head, c);
    return kv_out(a, slice) + before_it * a->kv.bytes;
}

static const uint8_t *arrived(const ith_heads *a, const ith_head_slice *slice, int64_t token,
                              int64_t head)
{
    ith_pass *p = a->pass;
    int c = a->mesh.c;
    ith_range before = {0, ith_mesh_slot(&a->mesh, p->n, token)};
    int64_t before_it =
        kv_held(a, slice->heads, before, c) + number_in_token(a, slice, token, head, c);
    return kv_in(a, slice) + before_it * a->kv.bytes;
}

static void send_kv(const ith_heads *a, const ith_head_slice *slice)
{
    ith_pass *p = a->pass;
    int flight = kv_flight(slice);
    ith_comm_counts send = ith_workspace_counts(p->ws, p->comm->size, flight, 0),
                    recv = ith_workspace_counts(p->ws, p->comm->size, flight, 1);

    for (int r = 0; r < p->comm->size; r++) {
        int u = ith_mesh_u(&a->mesh, r), c = ith_mesh_c(&a->mesh, r);
        ith_range slots = ith_mesh_slots(&a->mesh, p->n, r), before = {0, slots.begin};
        send.counts[r] = kv_held(a, slice->heads, p->mine, c) * a->kv.bytes;
        send.displs[r] = kv_before(a, slice, u, c) * a->kv.bytes;
        recv.counts[r] = kv_held(a, slice->heads, slots, a->mesh.c) * a->kv.bytes;
        recv.displs[r] = kv_held(a, slice->heads, before, a->mesh.c) * a->kv.bytes;
    }
    start(a, flight, kv_out(a, slice), kv_in(a, slice),
          ith_reach_most_records(&a->mesh, p->n) * a->kv.bytes);
}

/* One side of an exchange among the ranks of equal context index holds my tokens' blocks, one for
 * each Ulysses index; the other those of all tokens that I attend to, in the order of slots. */
static void count_my_blocks(const ith_heads *a, int64_t width, ith_comm_counts to)
{
    ith_pass *p = a->pass;
    for (int r = 0; r < p->comm->size; r++) {
        bool near = ith_mesh_c(&a->mesh, r) == a->mesh.c;
        to.counts[r] = near ? ith_range_size(p->mine) * width : 0;
        to.displs[r] = ith_mesh_u(&a->mesh, r) * ith_range_size(p->mine) * width;
    }
}

static void count_slots(const ith_heads *a, int64_t width, ith_comm_counts to)
{
    ith_pass *p = a->pass;
    for (int r = 0; r < p->comm->size; r++) {
        ith_range slots = ith_mesh_slots(&a->mesh, p->n, r);
        bool near = ith_mesh_c(&a->mesh, r) == a->mesh.c;
        to.counts[r] = near ? ith_range_size(slots) * width : 0;
        to.displs[r] = near ? (slots.begin - a->attended.begin) * width : 0;
    }
}

static void send_queries(const ith_heads *a, const ith_head_slice *slice)
{
    ith_pass *p = a->pass;
    int flight = queries_flight(slice);
    int64_t width = slice->record.bytes;

    count_my_blocks(a, width, ith_workspace_counts(p->ws, p->comm->size, flight, 0));
    count_slots(a, width, ith_workspace_counts(p->ws, p->comm->size, flight, 1));
    start(a, flight, query_at(a, slice, 0, 0),
          a->work->queries + ith_range_size(a->attended) * slice->before,
          ith_reach_most_tokens(&a->mesh, p->n) * width);
}

static void send(const ith_heads *a, const ith_head_slice *slice)
{
    if (a->mesh.ulysses > 1)
        send_queries(a, slice);
    if (ith_heads_make_kv(a))
        send_kv(a, slice);
}

static void receive(const ith_heads *a, const ith_head_slice *slice)
{
    ith_pass *p = a->pass;
    if (a->mesh.ulysses > 1)
        p->comm->ops->finish(p->comm, queries_flight(slice));
    if (ith_heads_make_kv(a))
        p->comm->ops->finish(p->comm, kv_flight(slice));
}

/* ---- The way back ---- */

/* Query heads of a slice on one rank: how many, and the first of them. */
static int64_t slice_heads(const ith_heads *a, const ith_head_slice *slice)
{
    return ith_range_size(slice->heads) * a->group;
}

static int64_t first_head(const ith_heads *a, const ith_head_slice *slice)
{
    return slice->heads.begin * a->group;
}

/* A token's result for one head on the wire. */
static int64_t head_bytes(const ith_heads *a)
{
    int64_t d = a->d;
    return ith_heads_are_groups(a) ? ith_acts_wire_bytes(d / ITH_GROUP)
                                   : d * (int64_t)sizeof(float);
}

/* Where the blocks of a slice arrive, [Ulysses index][my token][heads of the slice]. */
static const uint8_t *blocks_in(const ith_heads *a, const ith_head_slice *slice,
                                int64_t bytes_of_head)
{
    ith_pass *p = a->pass;
    int64_t before =
        a->mesh.ulysses * ith_range_size(p->mine) * first_head(a, slice) * bytes_of_head;
    return (const uint8_t *)p->ws->wire + before;
}

static ith_heads_out heads_out(const ith_heads *a, const ith_head_slice *slice)
{
    ith_pass *p = a->pass;
    int64_t d = a->d, first = first_head(a, slice);
    ith_heads_out out = {.quantized = ith_heads_are_groups(a), .x = p->ws->h, .ld = p->ws->ld};

    /* Free until the results are back; large enough, since A <= U T. */
    out.acts = ith_pass_input(p, ith_range_size(a->heads) * a->group * d).acts;
    if (a->mesh.ulysses > 1) {
        out.x = a->work->attn + ith_range_size(a->attended) * first * d;
        out.ld = slice_heads(a, slice) * d;
        out.first = first;
    }
    return out;
}

/* Groups that attention quantized, to the wire. */
static const uint8_t *pack(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    int64_t n = ith_range_size(a->attended), of_head = a->d / ITH_GROUP,
            groups = slice_heads(a, slice) * of_head, bytes = ith_acts_wire_bytes(groups);
    ith_acts acts = heads_out(a, slice).acts;
    ith_range all = ith_my_share(me, n, 1);
    uint8_t *to = a->work->back + n * first_head(a, slice) * ith_acts_wire_bytes(of_head);

    for (int64_t t = all.begin; t < all.end; t++)
        ith_acts_to_wire(&acts, t, first_head(a, slice) * of_head, groups, to + t * bytes);
    ith_barrier(me);
    return to;
}

static void send_back(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    ith_pass *p = a->pass;
    int64_t of_head = head_bytes(a), width = slice_heads(a, slice) * of_head;
    int flight = queries_flight(slice);
    const void *from;

    if (a->mesh.ulysses == 1)
        return;
    from = ith_heads_are_groups(a) ? (const void *)pack(a, slice, me) : heads_out(a, slice).x;
    if (me->tid != 0)
        return;
    count_slots(a, width, ith_workspace_counts(p->ws, p->comm->size, flight, 0));
    count_my_blocks(a, width, ith_workspace_counts(p->ws, p->comm->size, flight, 1));
    start(a, flight, from, (uint8_t *)blocks_in(a, slice, of_head),
          ith_reach_most_tokens(&a->mesh, p->n) * width);
}

/* A slice's result for one of my tokens, from all Ulysses indices, to the input of the output
 * matrix. */
static void unpack(const ith_heads *a, const ith_head_slice *slice, int64_t t)
{
    ith_pass *p = a->pass;
    int64_t n = ith_range_size(p->mine), d = a->d, heads = slice_heads(a, slice),
            in_group = ith_range_size(a->heads) * a->group, of_head = head_bytes(a);
    const uint8_t *wire = blocks_in(a, slice, of_head);
    ith_acts in = ith_pass_input(p, a->w->o->cols).acts;

    for (int u = 0; u < a->mesh.ulysses; u++) {
        int64_t first = u * in_group + first_head(a, slice);
        const uint8_t *block = wire + (u * n + t) * heads * of_head;
        if (ith_heads_are_groups(a))
            ith_acts_from_wire(&in, t, first * d / ITH_GROUP, heads * d / ITH_GROUP, block);
        else
            memcpy(p->ws->h + t * p->ws->ld + first * d, block, (size_t)(heads * of_head));
    }
}

static void to_tokens(const ith_heads *a, ith_member *me)
{
    ith_pass *p = a->pass;
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int i = 0; a->mesh.ulysses > 1 && i < a->n_slices; i++) {
        ith_head_slice slice = ith_head_slice_of(a, i);
        if (me->tid == 0)
            p->comm->ops->finish(p->comm, queries_flight(&slice));
        ith_barrier(me);
        for (int64_t t = mine.begin; t < mine.end; t++)
            unpack(a, &slice, t);
    }
    for (int64_t t = mine.begin; t < mine.end; t++)
        ith_heads_gate(a, t, p->ws->h + t * p->ws->ld);
    if (!ith_heads_are_groups(a))
        ith_quantize_h(p, me, a->w->o->cols);
    else if (a->mesh.ulysses > 1)
        ith_barrier(me);
}

const ith_heads_ops ith_heads_by_tokens = {
    .q_heads = all_q_heads,
    .kv_heads = all_kv_heads,
    .query_at = query_at,
    .kv_at = kv_at,
    .send = send,
    .receive = receive,
    .arrived = arrived,
    .out = heads_out,
    .send_back = send_back,
    .to_tokens = to_tokens,
};
